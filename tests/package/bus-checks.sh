# shellcheck shell=bash
# The packages that open one bus each to the service: what installing one does, and removing it. Sourced by service-checks.sh.

# What the sandbox shows of a device class: a node of it in a /dev that is the machine's.
host_sees() { nsenter -t "$(hosts | head -1)" -m test -e "$1"; }
main_groups() { awk '/^Groups:/ { $1 = ""; print }' "/proc/$(main_pid)/status"; }
in_group() { local id; id=$(getent group "$1" | cut -d: -f3) && grep -qw "$id" <<<"$(main_groups)"; }
restarted() { local now; now=$(main_pid) && [ "$now" != 0 ] && [ "$now" != "$pid" ] && systemctl is-active $unit; }
allows() { show DeviceAllow | grep -q "char-$1 "; }

declare -A group_of=([i2c]=i2c [gpio]=gpio [spi]=spi [iio]=iio [serial]=dialout [ble]=bluetooth)
declare -A class_of=([i2c]=i2c [gpio]=gpiochip [spi]=spi [iio]=iio [serial]=ttyUSB)
touch /dev/probe
files >/tmp/files-before-buses

pid=$(main_pid)
check "two buses are opened by one command" \
    install_package $stage/holdfast-bus-i2c.deb $stage/holdfast-bus-gpio.deb
check "which restarts the service" eventually 20 restarted
check "once" same "$(show NRestarts)" 0
for bus in i2c gpio; do
    check "$bus: the service is in the group" in_group ${group_of[$bus]}
    check "$bus: the devices are allowed" allows ${class_of[$bus]}
done
check "the machine's /dev is to be seen" eventually 10 host_sees /dev/probe
systemctl stop $unit
check "a bus is opened to a service that is stopped" install_package $stage/holdfast-bus-spi.deb
check "which stays stopped" same "$(show ActiveState)" inactive
systemctl start $unit

check "all buses are opened together" install_package $stage/holdfast-bus-*.deb
eventually 20 systemctl is-active $unit
for bus in "${!group_of[@]}"; do check "$bus: the service is in the group" in_group ${group_of[$bus]}; done
for bus in "${!class_of[@]}"; do check "$bus: the devices are allowed" allows ${class_of[$bus]}; done
check "can: the sockets are allowed" grep -qw AF_CAN <<<"$(show RestrictAddressFamilies)"
check "with all of them the capabilities are still none" field "$(main_pid)" CapBnd 0000000000000000

pid=$(main_pid)
check "they are removed" apt-get -q -y -o Dpkg::Use-Pty=0 purge 'holdfast-bus-*'
check "which restarts the service" eventually 20 restarted
check "a host runs again" eventually 10 hosts
check "and closes the devices" not host_sees /dev/probe
check "and leaves the groups" not in_group i2c
check "and no file" same "$(files | diff /tmp/files-before-buses - | grep -v 'systemd/deb-systemd')" ""
rm -f /dev/probe
