#!/bin/bash
# deb-checks.sh DEB: what can be said of the packages without installing them: their size, how their programs are hardened, how
# exposed the service is. Looks at the packages beside DEB, too. The last line is "N passed, N failed".
# shellcheck source-path=SCRIPTDIR source=checks.sh
. "$(dirname "$0")/checks.sh"

deb=$(realpath "${1:?usage: deb-checks.sh DEB}")
folder=$(dirname "$deb")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
dpkg-deb -x "$deb" "$work/files"

# --- size: what a gateway downloads, and what its flash holds

at_most() { [ "$1" -le "$2" ] || { echo "$1 is more than $2"; return 1; }; }
packed=$(stat -c %s "$deb")
files_in() { find "$1" -type f -printf '%s\n' | awk '{ sum += $1 } END { print sum }'; }
echo "$packed bytes packed, $(files_in "$work/files") in files, Installed-Size $(dpkg-deb -f "$deb" Installed-Size) KiB"
check "the package is below 600 kB" at_most "$packed" 599999
check "installed it is below 2 MiB" at_most "$(dpkg-deb -f "$deb" Installed-Size)" 2047
check "and so are its files" at_most "$(files_in "$work/files")" 2097151

# --- what dpkg would ask

# Where somebody edited it and the package brings another one, an unattended upgrade stops, on a gateway where nobody can answer.
# So it stays as it is: what is new has its default in the program, and is told by the manual page.
shipped=$(sha256sum <"$work/files/etc/holdfast/holdfast.toml")
check "the configuration is the one of the first version" same "${shipped%% *}" 6a7db57b45abbf6788ec256873536fd77129b8cd71dd05e25c1ad0ecfa90353c

# --- hardening of each program and library

elf_files() { find "$work/files" -type f -exec sh -c 'head -c 4 "$1" | grep -q ELF && echo "$1"' sh {} \;; }
# says FILE READELF-OPTION PATTERN: not by a pipe, which would break when grep has seen enough.
says() { grep -qE "$3" <<<"$(readelf -W "$2" "$1")"; }
# A shared library needs no PIE flag.
position_independent() { says "$1" -h 'Type:.*DYN' && { [[ $1 == *.so ]] || says "$1" -d 'FLAGS_1.*PIE'; }; }
stack_not_executable() { says "$1" -l 'GNU_STACK' && not says "$1" -l 'GNU_STACK.*RWE'; }
count=0
for file in $(elf_files); do
    name=${file##*/}
    check "$name is position independent" position_independent "$file"
    check "$name has its relocations read-only" says "$file" -l GNU_RELRO
    check "$name binds at start" says "$file" -d 'BIND_NOW|FLAGS.*NOW'
    check "$name has no executable stack" stack_not_executable "$file"
    check "$name has no relocation in its code" not says "$file" -d TEXTREL
    check "$name searches no directory of its own" not says "$file" -d 'RPATH|RUNPATH'
    check "$name has stack protectors" says "$file" --dyn-syms 'UND.*__stack_chk_fail'
    check "$name is stripped" not says "$file" -S '\.(symtab|debug_info)'
    count=$((count + 1))
done
check "there are the agent, the host and the plugins" at_least $count 11
fortified=$(for file in $(elf_files); do says "$file" --dyn-syms 'UND.*_chk@' && echo "$file"; done | wc -l)
check "the library's functions are the checked ones where there are some" at_least "$fortified" 2
check "the host links neither Paho nor OpenSSL nor SQLite nor systemd" \
    not says "$work/files/usr/libexec/holdfast/plugin-host" -d 'paho|ssl|sqlite|systemd'

# --- exposure: the unit, with each bus, with all

unit_dir=$(dirname "$(find "$work/files" -name holdfast.service)")
score() { systemd-analyze security --no-pager --offline=true --threshold="$1" "$2"; }
if command -v systemd-analyze >/dev/null; then
    # Its command has to exist.
    sed -i 's|^ExecStart=.*|ExecStart=/bin/true|' "$unit_dir/holdfast.service"
    check "the exposure is at most 1.5" score 15 "$unit_dir/holdfast.service"
    for bus in "$folder"/holdfast-bus-*.deb; do
        name=$(dpkg-deb -f "$bus" Package)
        dpkg-deb -x "$bus" "$work/$name"
        mkdir -p "$work/one-$name" "$work/all"
        cat "$unit_dir/holdfast.service" "$(find "$work/$name" -name 'bus-*.conf')" >"$work/one-$name/holdfast.service"
        check "with $name it is at most 2.0" score 20 "$work/one-$name/holdfast.service"
        cat "$(find "$work/$name" -name 'bus-*.conf')" >>"$work/all/drop-ins"
    done
    check "there are packages for seven buses" same "$(grep -c '^\[Service\]' "$work/all/drop-ins")" 7
    cat "$unit_dir/holdfast.service" "$work/all/drop-ins" >"$work/all/holdfast.service"
    check "with all of them it is at most 2.0" score 20 "$work/all/holdfast.service"
fi

report
