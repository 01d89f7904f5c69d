# shellcheck shell=bash
# Upgrade and downgrade of the package, with a buffer that is not empty. Sourced by service-checks.sh.

upgrade() { install_package "$1" --allow-downgrades; }
installed() { dpkg-query -W -f '${Version}' holdfast; }
version_of() { dpkg-deb -f "$1" Version; }
shipped=/etc/holdfast/holdfast.toml

# --- a service that does not run, a configuration that nobody has edited

systemctl stop $unit
check "a stopped service is upgraded" upgrade $stage/holdfast-newest.deb
check "and stays stopped" same "$(show ActiveState)" inactive
check "the configuration, which nobody has edited, is the new one" grep -q '^# newest$' $shipped
systemctl disable $unit 2>/dev/null
check "a disabled service is upgraded" upgrade $stage/holdfast-newer.deb
check "and stays disabled and stopped" same "$(systemctl is-enabled $unit)/$(show ActiveState)" disabled/inactive
check "the configuration is that of this version" not grep -q '^# newest$' $shipped
systemctl enable $unit 2>/dev/null
printf '[agent]\nno_such_key = 1\n' >$conf/wrong.toml
systemctl start $unit 2>/dev/null
check "an upgrade with a wrong configuration succeeds" upgrade $stage/holdfast.deb
check "and leaves the service failed" same "$(show ActiveState)" failed
rm $conf/wrong.toml
check "the next one starts it" upgrade $stage/holdfast-newer.deb
check "so that it runs" systemctl is-active $unit
printf '[agent]\nno_such_key = 1\n' >$conf/wrong.toml
pid=$(main_pid)
check "one that meets a configuration that has become wrong succeeds" upgrade $stage/holdfast.deb
check "and lets the agent go on as it was" same "$(main_pid)" "$pid"
readings() { status '.inputs[] | select(.name == "host") | .readings'; }
taken=$(readings)
more_come() { at_least "$(readings)" $((taken + 1)); }
check "which still takes readings" eventually 30 more_come
rm $conf/wrong.toml
check "the next one restarts it" upgrade $stage/holdfast-newer.deb
check "with the new program" not same "$(main_pid)" "$pid"
check "the version before is installed again" upgrade $stage/holdfast.deb
check "and runs" systemctl is-active $unit
check "on the same buffer" same "$(stat -c %i $state/buffer.db)" "$database"

# --- a million readings

cat >$conf/flood.toml <<'TOML'
[[input]]
name = "flood"
plugin = "simulator"
[input.options]
rate = 0
count = 1_000_000
TOML
systemctl restart $unit
check "a million readings are taken in" eventually 120 status '.inputs[] | select(.name == "flood" and .readings == 1000000)'
rm $conf/flood.toml
echo '# edited' >>$shipped
edited=$(sha256sum $shipped)
pid=$(main_pid)
check "apt upgrades it, asking nothing" upgrade $stage/holdfast-newer.deb
check "it is the new version" same "$(installed)" "$(version_of $stage/holdfast-newer.deb)"
check "the new version runs" not same "$(main_pid)" "$pid"
check "it is active" systemctl is-active $unit
check "it has the edited configuration" same "$(sha256sum $shipped)" "$edited"
check "in the same database" same "$(stat -c %i $state/buffer.db)" "$database"
check "and the million" at_least "$(status .buffer.readings)" 1000000
count_of_flood() {
    holdfast buffer export | perl -ne 'next unless /"input":"flood"/; $seen{$1}++ while /"n":(\d+)/g;
        END { printf "%d %d\n", scalar(keys %seen), scalar(grep { $_ > 999999 } keys %seen) }'
}
check "each of which can be read" same "$(count_of_flood)" "1000000 0"
check "nothing was dropped" status '.buffer.dropped_readings == 0'

# --- a buffer of a version that is newer still: user_version of the file's header, which is at byte 60, big-endian

systemctl stop $unit
set_schema() { printf '%b' "\\x$(printf %02x "$1")" | dd of=$state/buffer.db bs=1 seek=63 conv=notrunc status=none; }
schema() { od -An -tu1 -j63 -N1 $state/buffer.db | tr -d ' '; }
ours=$(schema)
set_schema $((ours + 1))
untouched=$(sha256sum $state/buffer.db)
check "a version that does not know the buffer is refused" not upgrade $stage/holdfast.deb
check "before anything is changed" same "$(installed)" "$(version_of $stage/holdfast-newer.deb)"
check "and the package is whole" same "$(dpkg-query -W -f '${db:Status-Status}' holdfast)" installed
systemctl start $unit 2>/dev/null
check "the agent would not start on it" same "$(show ExecMainStatus)" 78
check "and says why" sh -c "journalctl -u $unit | grep -q 'written by a newer version'"
check "and does not touch it" same "$(sha256sum $state/buffer.db)" "$untouched"
set_schema "$ours"
systemctl start $unit
check "the version that knows it has all of it" eventually 30 status '.buffer.readings >= 1000000'
holdfast buffer purge --yes >/dev/null

# --- the end comes with a disk that takes 4 s for each flush: longer than the 10 s after which systemd used to kill

mkdir -p $drop_in
printf '[Service]\nEnvironment=LD_PRELOAD=/srv/stage/slow-sync.so\n' >$drop_in/slow.conf
systemctl daemon-reload
systemctl restart $unit
eventually 30 status '.buffer.in_memory_readings > 0'
held=$(status .buffer.readings)
touch $state/slow
began=$SECONDS
check "an upgrade waits for a slow disk" upgrade $stage/holdfast.deb
rm -r $state/slow $drop_in
check "which takes its time" at_least $((SECONDS - began)) 10
check "the service was not killed" not sh -c "journalctl -u $unit | grep -q 'State .stop-sigterm. timed out'"
systemctl daemon-reload
systemctl restart $unit
check "and nothing is lost" at_least "$(status .buffer.readings)" "$held"

# --- upgrades and removals that fail

mark=/run/holdfast-stays-stopped
# changed SCRIPT LINE: the package as another version, with one more line in a maintainer script.
changed() {
    rm -rf /tmp/changed
    dpkg-deb -R $stage/holdfast.deb /tmp/changed
    echo "$2" >>"/tmp/changed/DEBIAN/$1"
    sed -i 's/^Version: .*/&+changed/' /tmp/changed/DEBIAN/control
    dpkg-deb --root-owner-group -Znone -b /tmp/changed /tmp/changed.deb >/dev/null
}
changed preinst 'exit 1'
pid=$(main_pid)
check "an upgrade that can't be unpacked fails" not upgrade /tmp/changed.deb
check "and the service runs on" same "$(main_pid)" "$pid"
systemctl stop $unit
check "it fails where the service is stopped, too" not upgrade /tmp/changed.deb
check "which stays stopped" same "$(show ActiveState)" inactive
check "and no mark of that is left" not test -e $mark
cp $state/buffer.db /tmp/buffer.db
head -c 8192 /dev/zero | tr '\0' A >$state/buffer.db
check "a buffer that is damaged does not hold an upgrade up" upgrade $stage/holdfast-newer.deb
cp /tmp/buffer.db $state/buffer.db
systemctl start $unit
pid=$(main_pid)
touch $mark
check "with a mark of an upgrade that never ended" upgrade $stage/holdfast.deb
check "the new version is started all the same" not same "$(main_pid)" "$pid"
check "and runs" systemctl is-active $unit

# shellcheck disable=SC2016
changed prerm '[ "$1" != remove ]'
upgrade /tmp/changed.deb >/dev/null 2>&1
check "a removal that fails" not dpkg --remove holdfast
check "leaves the service running" systemctl is-active $unit
systemctl stop $unit
check "where it is stopped" not dpkg --remove holdfast
check "it stays stopped" same "$(show ActiveState)" inactive
check "and no mark of that is left" not test -e $mark
systemctl start $unit
check "the whole package goes over it" upgrade $stage/holdfast.deb
rm -r /tmp/changed /tmp/changed.deb /tmp/buffer.db
