#!/bin/bash
# The package under a real systemd. Runs inside the container that install-test.sh boots.
# shellcheck source-path=SCRIPTDIR source=checks.sh
. /srv/stage/checks.sh

# --- install

files >/tmp/files-before
check "apt installs it with its dependencies, asking nothing" install_package $stage/holdfast.deb
check "the service is started and said READY" systemctl is-active $unit
check "the service is enabled" systemctl is-enabled $unit
check "it said what it is doing" test -n "$(show StatusText)"
check "holdfast check finds the shipped configuration valid" holdfast check
check "holdfast status answers" holdfast status
check "holdfast version names the package's version" \
    sh -c "holdfast version | grep -F $(dpkg-query -f '${source:Upstream-Version}' -W holdfast | sed 's/+.*//')"
check "the system input takes readings" eventually 30 readings_come
check "without a broker they stay in the buffer" eventually 10 status '.buffer.readings > 0'
check "/etc/holdfast is root's and holdfast's alone" same "$(stat -c '%U:%G %a' /etc/holdfast)" "root:holdfast 750"
check "the state is holdfast's alone" same "$(stat -c '%U:%G %a' $state)" "holdfast:holdfast 700"
check "the manual pages are there" test -e /usr/share/man/man1/holdfast.1.gz -a -e /usr/share/man/man5/holdfast.toml.5.gz

# shellcheck source=sandbox-checks.sh
. $stage/sandbox-checks.sh

# --- reload, restart, crash, hang

systemctl restart $unit
pid=$(main_pid)
check "reload works" systemctl reload $unit
check "and keeps the process" same "$(main_pid)" "$pid"
check "and the service" eventually 5 systemctl is-active $unit
printf '[[input]]\nname = "wave"\nplugin = "simulator"\n' >$conf/wave.toml
systemctl reload $unit
check "a reload starts an input from a new file" eventually 10 status '.inputs[] | select(.name == "wave" and .readings > 0)'
rm $conf/wave.toml
systemctl reload $unit
check "and ends it when the file is gone" eventually 10 status '.inputs | length == 1'

eventually 30 readings_come
held=$(status .buffer.readings)
check "restart works" systemctl restart $unit
check "and starts another process" not same "$(main_pid)" "$pid"
check "and keeps what the buffer held" at_least "$(status .buffer.readings)" "$held"

host=$(hosts | head -1)
kill -KILL "$host"
another_host() { local now; now=$(hosts | head -1) && [ "$now" != "$host" ]; }
check "a killed plugin host is started again" eventually 30 another_host
check "and counted" eventually 10 status '.inputs[] | select(.name == "host") | .restarts == 1'
# logged ID FIELD...: a message of this id (docs/operations.md), with these fields, is in the journal.
logged() { journalctl -q -u $unit MESSAGE_ID="$1" "${@:2}" | grep .; }
check "and in the journal, with INPUT, PLUGIN and MESSAGE_ID as fields" \
    eventually 5 logged 1bc7d1e08a2d155b9755e91c1347c71a INPUT=host PLUGIN=system
check "which is a warning of holdfast's" \
    eventually 5 logged 1bc7d1e08a2d155b9755e91c1347c71a PRIORITY=4 SYSLOG_IDENTIFIER=holdfast _SYSTEMD_UNIT=$unit
check "its start and stop are found by their ids" \
    sh -c "journalctl -q MESSAGE_ID=01a4f59ee8bc1a2850dc7352531e653a | grep -q started &&
        journalctl -q MESSAGE_ID=de6c9619719419a6dc5b0985502e90db | grep -q stopped"

pid=$(main_pid)
remember_hosts
kill -KILL "$pid"
check "hosts die with a killed daemon" eventually 2 hosts_gone
check "a killed daemon is started again" eventually 10 systemctl is-active $unit
check "and counted by systemd" same "$(show NRestarts)" 1
check "and keeps what the buffer held" at_least "$(status .buffer.readings)" "$held"

mkdir -p $drop_in
printf '[Service]\nWatchdogSec=2\n' >$drop_in/watchdog.conf
systemctl daemon-reload
systemctl restart $unit
pid=$(main_pid)
kill -STOP "$pid"
replaced() { local now; now=$(main_pid) && [ "$now" != 0 ] && [ "$now" != "$pid" ] && systemctl is-active $unit; }
check "the watchdog replaces a daemon that hangs" eventually 20 replaced
check "and says so" sh -c "journalctl -u $unit | grep -qi watchdog"
rm -r $drop_in
systemctl daemon-reload

# --- a wrong configuration

printf '[agent]\nno_such_key = 1\n' >$conf/wrong.toml
check "holdfast check refuses it with 78" sh -c 'holdfast check; test $? = 78'
pid=$(main_pid)
check "a reload with it fails" not systemctl reload $unit
check "and leaves the agent running" eventually 5 systemctl is-active $unit
check "as it was" same "$(main_pid)" "$pid"
check "and names the problem in the journal" \
    eventually 5 sh -c "journalctl -u $unit | grep -q 'wrong.toml:2:1: error:'"
systemctl restart $unit 2>/dev/null
check "a start with it fails with 78" same "$(show ExecMainStatus)" 78
check "and is not tried again" same "$(show ActiveState)/$(show SubState)" failed/failed
rm $conf/wrong.toml
systemctl reset-failed $unit

# --- a broker

printf 'listener 1883 127.0.0.1\nallow_anonymous true\n' >/etc/mosquitto/conf.d/test.conf
printf '[agent]\nid = "gw"\n[broker]\nservers = ["mqtt://127.0.0.1"]\n' >$conf/broker.toml
systemctl start mosquitto.service
check "holdfast check --online reaches the broker" holdfast check --online
timeout 30 mosquitto_sub -h 127.0.0.1 -C 1 -q 1 -t holdfast/gw/host >/tmp/message &
subscriber=$!
check "it starts with a broker" systemctl start $unit
wait $subscriber
check "a reading arrives at the broker" jq -s -e 'length == 1 and .[0].agent == "gw" and .[0].input == "host" and (.[0].readings | length) > 0' /tmp/message
check "status says connected" eventually 10 status '.broker.state == "connected"'
check "and so does the journal" eventually 5 logged faf81c11c014a45573a09bb41fdf5208
check "and the backlog drains" eventually 30 status '.forward.acked_readings > 0 and .buffer.readings < 5'
systemctl stop mosquitto.service
check "the broker's end does not end the agent" eventually 10 status '.broker.state != "connected"'
rm $conf/broker.toml /etc/mosquitto/conf.d/test.conf /var/lib/mosquitto/mosquitto.db

# --- stop

systemctl restart $unit
eventually 30 status '.buffer.readings > 0'
began=$SECONDS
check "it stops" systemctl stop $unit
check "within its five seconds" at_least 6 $((SECONDS - began))
check "cleanly" same "$(show Result)" success
check "no plugin host is left" not hosts
check "nothing is left in /run" not test -e /run/holdfast
check "the buffer can be looked at while it is stopped" buffer '.readings > 0'
held=$(buffer .readings)
check "which leaves it to the service" systemctl start $unit
check "with all that it held" at_least "$(status .buffer.committed_readings)" "$held"

# shellcheck source=bus-checks.sh
. $stage/bus-checks.sh
# shellcheck source=credential-checks.sh
. $stage/credential-checks.sh
database=$(stat -c %i $state/buffer.db)
# shellcheck source=upgrade-checks.sh
. $stage/upgrade-checks.sh

# --- remove, install again, purge

edited=$(sha256sum /etc/holdfast/holdfast.toml)
held=$(status .buffer.readings)
check "it can be installed again" install_package $stage/holdfast.deb --reinstall
check "which keeps an edited configuration" same "$(sha256sum /etc/holdfast/holdfast.toml)" "$edited"
check "and what the buffer held" at_least "$(status .buffer.readings)" "$held"

pid=$(main_pid)
check "apt removes it" apt-get -q -y -o Dpkg::Use-Pty=0 remove holdfast
check "which ends the agent" not test -d "/proc/$pid"
check "and the hosts" not hosts
check "and takes the program" not test -e /usr/bin/holdfast
check "but not the readings" test -s $state/buffer.db
check "and not the configuration" same "$(sha256sum /etc/holdfast/holdfast.toml)" "$edited"

check "installed again, it starts" install_package $stage/holdfast.deb
check "and runs" systemctl is-active $unit
check "with what the buffer held" at_least "$(status .buffer.readings)" "$held"

echo secret >/etc/holdfast/password
dpkg-statoverride --update --add root holdfast 0640 /etc/holdfast/password
dpkg-statoverride --add holdfast root 0750 "/srv/of the administrator"
purge() { apt-get -q -y -o Dpkg::Use-Pty=0 purge --autoremove "$@"; }
check "apt purges it" purge holdfast
check "which leaves no file" no_leftovers
check "no user and no group" no_account
check "and no unit" not systemctl cat $unit
check "and no override of dpkg, which would name a user that is gone" same "$(dpkg-statoverride --list | grep holdfast)" ""

# --- together with a bus; purge of what is not only directories of this disk

check "it is installed together with a bus" install_package $stage/holdfast.deb $stage/holdfast-bus-i2c.deb
last_done() { grep -oE '(configure|trigproc) holdfast[^: ]*' /var/log/dpkg.log | tail -n 1; }
check "after which the service is started once more" same "$(last_done)" "trigproc holdfast"
check "and runs" systemctl is-active $unit
purge holdfast-bus-i2c >/dev/null
systemctl stop $unit
find $state -mindepth 1 -delete
mount -t tmpfs tmpfs $state
mv /etc/holdfast /opt/holdfast
ln -s ../opt/holdfast /etc/holdfast
systemctl start $unit
check "it runs on a file system of its own" test -s $state/buffer.db
setpriv --reuid holdfast --regid holdfast --clear-groups sleep 1000 &
sleeper=$!
echo secret >/etc/holdfast/password
check "apt purges it there, even where something else runs as its user" purge holdfast
check "the file system is empty" same "$(find $state -mindepth 1)" ""
check "and root's" same "$(stat -c %U:%G $state)" root:root
check "so is the directory that a link led to" same "$(find /opt/holdfast -mindepth 1)" ""
check "the user is left" id holdfast
kill $sleeper
wait $sleeper
userdel holdfast
umount $state
rmdir $state /opt/holdfast
check "and no other file" no_leftovers

report
