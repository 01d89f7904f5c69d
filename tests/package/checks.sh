# shellcheck shell=bash
# shellcheck disable=SC2034
# What the check scripts share; sourced inside the machine under test.
set -uo pipefail
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8
stage=/srv/stage
state=/var/lib/holdfast
conf=/etc/holdfast/conf.d
unit=holdfast.service
drop_in=/run/systemd/system/$unit.d
passed=0
failed=0

# check NAME COMMAND...: one line of the report; what the command said is shown when it fails.
check() {
    local name=$1 said
    shift
    if said=$("$@" 2>&1); then
        passed=$((passed + 1))
        echo "ok    $name"
    else
        failed=$((failed + 1))
        echo "FAIL  $name"
        printf '%s\n' "$said" | tail -n 12 | sed 's/^/        /'
    fi
}

# eventually SECONDS COMMAND...: polls until the command is true.
eventually() {
    local tries=$(($1 * 10))
    shift
    for _ in $(seq "$tries"); do
        "$@" >/dev/null 2>&1 && return 0
        sleep 0.1
    done
    "$@"
}

report() {
    echo "$passed passed, $failed failed"
    [ "$failed" = 0 ]
}

not() { ! "$@"; }
same() { [ "$1" = "$2" ] || { echo "\"$1\" is not \"$2\""; return 1; }; }
at_least() { [ "$1" -ge "$2" ] || { echo "$1 is less than $2"; return 1; }; }

install_package() { apt-get -q -y -o Dpkg::Use-Pty=0 install "$@" </dev/null; }
status() { holdfast status --json | jq -e -r "$1"; }
buffer() { holdfast buffer stat --json | jq -e -r "$1"; }
show() { systemctl show -P "$1" $unit; }
main_pid() { show MainPID; }
hosts() { pgrep -f '^/usr/libexec/holdfast/plugin-host'; }
remember_hosts() { hosts >/tmp/hosts-before; }
hosts_gone() {
    local pid
    while read -r pid; do [ ! -d "/proc/$pid" ] || return 1; done </tmp/hosts-before
}
readings_come() { at_least "$(status '.inputs[] | select(.name == "host") | .readings')" 1; }

# Everything on the disk but what the package system, the journal and temporary files may change.
files() {
    find / -xdev \( -path /proc -o -path /sys -o -path /dev -o -path /run -o -path /tmp -o -path /srv -o -path /var/tmp \
        -o -path /var/log -o -path /var/cache -o -path /var/lib/apt -o -path /var/lib/dpkg \) -prune -o -print | sort
}
leftovers() { files | comm -13 /tmp/files-before - | grep -vE '^/etc/(passwd|group|shadow|gshadow|subuid|subgid)-$|^/etc/\.pwd\.lock$|^/var/lib/systemd/'; }
no_leftovers() { local left; left=$(leftovers || true); [ -z "$left" ] || { echo "$left"; return 1; }; }
no_account() { ! grep -H holdfast /etc/passwd /etc/group /etc/shadow /etc/gshadow; }
