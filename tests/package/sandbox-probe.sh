#!/bin/bash
# sandbox-probe.sh OUT: what a process can do, one line "kind TAB works|fails TAB directive TAB what" each. Run by an exec input,
# inside the service; and as the same user without the sandbox, to see that what the directive closes is open there.
#   closed  fails in the service because of the directive, and works without it
#   never   fails in the service, and by other reasons without it, too
#   open    works in the service
# sandbox-checks.sh makes the things named "probe" before.
out=${1:?usage: sandbox-probe.sh OUT}
[ -e "$out" ] && { echo 1; exit; }
own=$(dirname "$out")/probe-file

try() {
    local kind=$1 directive=$2 what=$3 result=fails
    shift 3
    if "$@" >/dev/null 2>&1; then result=works; fi
    printf '%s\t%s\t%s\t%s\n' "$kind" "$result" "$directive" "$what"
}
closed() { try closed "$@"; }
never() { try never "$@"; }
open() { try open "$@"; }
# Without the subshell a redirection that fails would end the script.
writes() { (: >"$1"); }
socket_of() { perl -e 'socket(my $s, $ARGV[0], $ARGV[1], $ARGV[2] // 0) or exit 1' -- "$@"; }
# By number, on amd64; negative numbers are pointers to a buffer.
system_call() { perl -e '$b = "\0" x 512; exit(syscall(shift, map { $_ < -1 ? $b : $_ + 0 } @ARGV) < 0)' -- "$@"; }
# A program of two instructions for i386: exit(0).
runs_i386() {
    perl -e 'print "\x7fELF\1\1\1", "\0" x 9, pack("S2L5S6", 2, 3, 1, 0x8048054, 52, 0, 0, 52, 32, 1, 0, 0, 0),
        pack("L8", 1, 0, 0x8048000, 0x8048000, 96, 96, 5, 4096), "\x31\xc0\x40\x31\xdb\xcd\x80\xf4", "\0" x 4' >"$own.elf"
    chmod 700 "$own.elf"
    "$own.elf"
}

{
    open StateDirectory "its state is writable" writes "$own"
    open RuntimeDirectory "its runtime directory is writable" writes /run/holdfast/probe-file
    closed UMask "others can read what it writes" test -n "$(find "$own" -perm /077)"
    closed UnsetEnvironment "proxies are in the environment" test -n "${http_proxy-}${https_proxy-}${HTTPS_PROXY-}"
    closed LimitNOFILE "it may open more than 4096 files" test "$(ulimit -Hn)" -gt 4096
    closed LimitCORE "it leaves a core" test "$(ulimit -c)" != 0

    closed ProtectSystem "/usr is writable" writes /usr/probe/file
    closed ProtectSystem "/etc is writable" writes /etc/probe/file
    closed ProtectSystem "/var outside its state is writable" writes /var/lib/probe/file
    closed ProtectSystem "its own configuration is writable" writes /etc/holdfast/probe/file
    closed ProtectHome "/home is visible" test -e /home/probe
    closed ProtectHome "/root is visible" test -e ~root/probe
    closed ProtectHome "/run/user is visible" test -e /run/user/probe
    closed PrivateTmp "/tmp is everybody's" test -e /tmp/probe
    closed PrivateTmp "/var/tmp is everybody's" test -e /var/tmp/probe
    closed PrivateDevices "/dev is the machine's" test -e /dev/probe
    never PrivateDevices "there is a disk in /dev" test -n "$(find /dev -type b)"
    never PrivateDevices "a device node can be made" mknod "$own.node" c 1 3
    closed PrivateUsers "users are the machine's" grep -q '4294967295$' /proc/self/uid_map
    closed ProtectProc "processes of others are visible" test -d /proc/1
    open ProcSubset "the machine's figures are visible" test -r /proc/stat -a -r /proc/meminfo -a -r /proc/diskstats
    open PrivateMounts "mounts are visible" grep -q ' / ' /proc/self/mountinfo

    closed ProtectControlGroups "control groups are writable" mkdir "$(cat /srv/probe-cgroup)/below"
    closed ProtectKernelModules "modules are visible" test -e /usr/lib/modules/probe
    never ProtectKernelModules "a module can be loaded" system_call 313 0 -2 0
    never ProtectKernelTunables "settings of the kernel are writable" writes /proc/sys/kernel/hostname
    never ProtectKernelTunables "/sys is writable" writes /sys/kernel/uevent_helper
    never ProtectKernelLogs "the kernel's log can be read" head -c 1 /dev/kmsg
    never ProtectKernelLogs "the kernel's log can be cleared" system_call 103 5 0 0
    never ProtectHostname "the host name can be set" hostname probe
    never CapabilityBoundingSet "the clock can be set" date -s @0
    never CapabilityBoundingSet "something can be mounted" mount -t tmpfs none /tmp
    never NoNewPrivileges "a set-uid program gains rights" su -c true nobody

    open RestrictAddressFamilies "TCP sockets" socket_of 2 1
    open RestrictAddressFamilies "UNIX sockets" socket_of 1 1
    open RestrictAddressFamilies "netlink sockets" socket_of 16 2
    never RestrictAddressFamilies "raw sockets" socket_of 2 3 1
    never RestrictAddressFamilies "packet sockets" socket_of 17 2
    never RestrictAddressFamilies "CAN sockets" socket_of 29 3 1
    never RestrictAddressFamilies "Bluetooth sockets" socket_of 31 3 1
    never RestrictAddressFamilies "sockets of the kernel's ciphers" socket_of 38 5
    closed RestrictNamespaces "a user namespace can be made" unshare -U true
    never RestrictRealtime "real-time scheduling" chrt -r 1 true
    closed RestrictSUIDSGID "a set-uid file can be made" chmod u+s "$own"
    closed RestrictSUIDSGID "a set-gid file can be made" chmod g+s "$own"
    closed LockPersonality "another personality can be taken" setarch linux32 true
    closed SystemCallFilter "priorities can be changed (@resources)" perl -e 'setpriority(0, 0, 19) or exit 1'
    closed SystemCallFilter "owners can be changed (@privileged)" perl -e 'chown($<, $( + 0, $ARGV[0]) or exit 1' "$own"
    if [ "$(uname -m)" = x86_64 ]; then
        closed MemoryDenyWriteExecute "memory is writable and executable" system_call 9 0 4096 7 34 -1 0
        closed SystemCallArchitectures "i386 system calls" runs_i386
        closed SystemCallFilter "processes can be traced (@debug)" system_call 101 0 0 0 0
        open SystemCallFilter "the clock's state can be read" system_call 159 -2
    fi
    rm -f "$own" "$own.elf" /run/holdfast/probe-file
    : >/dev/shm/holdfast-probe
} >"$out.new"
mv "$out.new" "$out"
echo 1
