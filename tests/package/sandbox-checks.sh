# shellcheck shell=bash
# The sandbox of the running service, line by line of its unit: seen from outside, and tried from inside. Sourced by service-checks.sh.

# --- from outside

# field PID NAME VALUE
field() { [ -n "$3" ] && same "$(awk -v name="$2:" '$1 == name { print $2 }' "/proc/$1/status")" "$3"; }
user_id=$(id -u holdfast)
for pid in $(main_pid; hosts); do
    name=$(cat "/proc/$pid/comm")
    check "$name runs as holdfast" field "$pid" Uid "$user_id"
    for set in CapInh CapPrm CapEff CapBnd CapAmb; do
        check "$name has no capability in $set" field "$pid" $set 0000000000000000
    done
    check "$name has no new privileges" field "$pid" NoNewPrivs 1
    check "$name has a system call filter" field "$pid" Seccomp 2
    check "$name leaves no core" same "$(awk '/^Max core file size/ { print $5 }' "/proc/$pid/limits")" 0
    check "$name has mounts of its own" not same "$(readlink "/proc/$pid/ns/mnt")" "$(readlink /proc/1/ns/mnt)"
    check "$name is in the unit's control group" grep -q "/$unit" "/proc/$pid/cgroup"
done
in_mounts() { nsenter -t "$(main_pid)" -m "$@"; }
in_mounts mount -t tmpfs holdfast-probe /run/holdfast
check "a mount in the service" in_mounts grep -q holdfast-probe /proc/self/mountinfo
check "does not show outside" not grep -q holdfast-probe /proc/1/mountinfo
in_mounts umount /run/holdfast
check "nothing listens" not sh -c 'ss -Hlntu | grep .'
check "the runtime directory is holdfast's, and its group's to look at" \
    same "$(stat -c '%U:%G %a' /run/holdfast)" "holdfast:holdfast 750"
# What a container can't show by an attempt: there is no controller for tasks or devices in it, and its own filter knows no keyrings.
check "TasksMax=512" same "$(show TasksMax)" 512
check "DevicePolicy=closed" same "$(show DevicePolicy)" closed
check "KeyringMode=private" same "$(show KeyringMode)" private

# --- from inside: an exec input runs the probe as the service's own child

make_probes() {
    local directory
    for directory in /usr/probe /etc/probe /var/lib/probe /etc/holdfast/probe; do mkdir -m 1777 $directory; done
    chmod 711 /root
    for directory in /home/probe ~root/probe /run/user/probe /tmp/probe /var/tmp/probe /dev/probe; do mkdir -p $directory; done
    mkdir -p /usr/lib/modules/probe  # a container has none
    # Where the control group of systemd itself is, a container may make others.
    local group
    group=$(awk '$1 ~ /^cgroup2?$/ && $2 ~ /(unified|cgroup|systemd)$/ { print $2; exit }' /proc/mounts)
    mkdir -p "$group/probe" && chmod 777 "$group/probe" && echo "$group/probe" >/srv/probe-cgroup
}
remove_probes() {
    rm -rf /usr/probe /etc/probe /var/lib/probe /etc/holdfast/probe /home/probe ~root/probe /run/user/probe /tmp/probe \
        /var/tmp/probe /dev/probe /usr/lib/modules/probe $state/probe.txt /srv/control /dev/shm/holdfast-probe
    rmdir "$(cat /srv/probe-cgroup)"/below "$(cat /srv/probe-cgroup)" 2>/dev/null
    rm -f /srv/probe-cgroup
    rmdir /usr/lib/modules 2>/dev/null
    chmod 700 /root
}

make_probes
cat >$conf/probe.toml <<'TOML'
[[input]]
name = "probe"
plugin = "exec"
interval = "1s"
[input.options]
command = ["/bin/bash", "/srv/stage/sandbox-probe.sh", "/var/lib/holdfast/probe.txt"]
format = "value"
timeout = "20s"
TOML
systemctl set-environment https_proxy=http://127.0.0.1:9 HTTPS_PROXY=http://127.0.0.1:9
check "the unit restarts with another input" systemctl restart $unit
check "the exec input ran the probe" eventually 20 test -e $state/probe.txt
check "from inside: /dev/shm takes a file" test -e /dev/shm/holdfast-probe
rm -f $conf/probe.toml
systemctl stop $unit
check "RemoveIPC: which is gone when the service has stopped" not test -e /dev/shm/holdfast-probe
systemctl start $unit

install -d -o holdfast /srv/control
systemd-run -q --wait --collect -p User=holdfast -p LimitCORE=infinity -p UMask=0022 -p LimitNOFILE=8192 \
    /bin/bash /srv/stage/sandbox-probe.sh /srv/control/probe.txt
systemctl unset-environment https_proxy HTTPS_PROXY
without_sandbox() { awk -F'\t' -v what="$1" '$4 == what { print $2 }' /srv/control/probe.txt; }
while IFS=$'\t' read -r kind result directive what; do
    expected=fails
    [ $kind != open ] || expected=works
    check "$directive: $kind: $what" same "$result" $expected
    [ $kind = closed ] || continue
    unbound=$(without_sandbox "$what")
    if [ "$what $unbound" = "i386 system calls fails" ]; then
        echo "skip  $directive: this machine's kernel has none"
        continue
    fi
    # Else the line above would say nothing about the directive.
    check "$directive: without it: $what" same "$unbound" works
done <$state/probe.txt

# Each line of the unit from NoNewPrivileges= on is one of the above.
tried=$(cut -f3 $state/probe.txt; printf '%s\n' AmbientCapabilities DevicePolicy KeyringMode RemoveIPC SystemCallErrorNumber)
for directive in $(sed -n '/^NoNewPrivileges=/,/^\[Install\]/s/^\([A-Za-z]*\)=.*/\1/p' /lib/systemd/system/$unit | sort -u); do
    check "$directive was tried" grep -qx "$directive" <<<"$tried"
done
remove_probes
