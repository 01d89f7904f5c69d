#!/bin/bash
# What a plugin can and can't do inside the service: run by an exec input, one line "yes|no TAB what" each, all of which have to be
# "yes"; written to the state directory, the one place that is writable.
out=/var/lib/holdfast/probe.txt
[ -e $out ] && { echo 1; exit; }

expect() {
    local what=$1
    shift
    if "$@" >/dev/null 2>&1; then printf 'yes\t%s\n' "$what"; else printf 'no\t%s\n' "$what"; fi
}
refused() { ! "$@"; }
writes() { : 2>/dev/null >"$1"; }

{
    expect "/etc is read-only" refused writes /etc/holdfast-probe
    expect "its own configuration is read-only" refused writes /etc/holdfast/conf.d/probe
    expect "/usr is read-only" refused writes /usr/holdfast-probe
    expect "/var outside its state is read-only" refused writes /var/lib/holdfast-probe
    expect "its state is writable" writes /var/lib/holdfast/probe-file
    expect "its runtime directory is writable" writes /run/holdfast/probe-file
    expect "/tmp is its own" test -z "$(ls -A /tmp)"
    expect "/root is hidden" refused ls /root
    expect "/home is empty" test -z "$(ls -A /home 2>/dev/null)"
    expect "kernel settings are read-only" refused writes /proc/sys/kernel/hostname
    expect "/sys is read-only" refused writes /sys/kernel/uevent_helper
    expect "control groups are read-only" refused mkdir /sys/fs/cgroup/holdfast-probe
    expect "the kernel's log is closed" refused head -c 1 /dev/kmsg
    expect "there is no disk in /dev" test -z "$(find /dev -type b)"
    expect "processes of others are hidden" test ! -d /proc/1
    expect "the machine's figures are visible" test -r /proc/stat -a -r /proc/meminfo -a -r /proc/diskstats
    expect "mounts are visible" grep -q ' / ' /proc/self/mountinfo
    expect "no mounting" refused mount -t tmpfs none /tmp
    expect "no new namespace" refused unshare -U true
    expect "no setting of the clock" refused date -s @0
    expect "no set-uid program gains rights" refused su -c true nobody
    # adjtimex is 159 on amd64; with no mode set it only reads.
    [ "$(uname -m)" != x86_64 ] || expect "the clock's state can be read" perl -e '$b = "\0" x 512; exit(syscall(159, $b) < 0)'
    expect "no raw socket" refused perl -e 'use constant { I => 2, R => 3 }; socket(my $s, I, R, 1) or exit 1'
    expect "no packet socket" refused perl -e 'socket(my $s, 17, 2, 0) or exit 1'
    expect "TCP sockets" perl -e 'socket(my $s, 2, 1, 0) or exit 1'
    expect "netlink sockets" perl -e 'socket(my $s, 16, 2, 0) or exit 1'
    expect "proxies are not in the environment" test -z "${http_proxy-}${https_proxy-}${HTTPS_PROXY-}"
    rm -f /var/lib/holdfast/probe-file /run/holdfast/probe-file
} >$out.new
mv $out.new $out
echo 1
