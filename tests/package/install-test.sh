#!/bin/bash
# install-test.sh DEB: installs the package in a minimal Debian 12 under systemd, and tries what a machine does with
# it: start, reload, crash, hang, bad configuration, buses, credentials, upgrade, remove, purge. The packages holdfast-bus-* are
# those beside DEB. Run as root.
#
# The machine is a systemd-nspawn container with a private network and an overlay that is thrown away; where containers can't run,
# a chroot in which the unit's command is started by hand, with fewer checks. Its root file system comes from this machine's own
# apt sources and is kept in the cache; HOLDFAST_RELEASE names another release of Debian. Exit status: 0 all passed, 1 not, 77 this machine can't run it.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
deb=$(realpath "${1:?usage: install-test.sh DEB}")
cache=${XDG_CACHE_HOME:-$HOME/.cache}/holdfast-tests
release=${HOLDFAST_RELEASE:-bookworm}
source "$here/../support/debian_sources.sh"

skip() { echo "SKIP: $*"; exit 77; }
[ "$(id -u)" = 0 ] || skip "needs root"
for tool in mmdebstrap dpkg-deb; do
    command -v $tool >/dev/null || skip "$tool is missing (apt install mmdebstrap dpkg)"
done

work=$(mktemp -d)
nspawn='' leader='' chroot_root=''
finish() {
    stop_container
    if [ -n "$chroot_root" ]; then umount "$chroot_root/proc" 2>/dev/null || true; fi
    rm -rf --one-file-system "$work"
}
stop_container() {
    [ -n "$nspawn" ] || return 0
    if [ -n "$leader" ]; then kill -RTMIN+4 "$leader" 2>/dev/null || true; fi
    for _ in $(seq 100); do kill -0 "$nspawn" 2>/dev/null || break; sleep 0.1; done
    kill "$nspawn" 2>/dev/null || true
    wait "$nspawn" 2>/dev/null || true
    nspawn=''
}
trap finish EXIT

# --- the root file system: a minimal Debian with the package's dependencies downloaded, not installed

sources=$(debian_sources $release "$work") || skip "no apt sources of $release on this machine"

tools=systemd,systemd-sysv,dbus,ca-certificates,iproute2,procps,jq,mosquitto,mosquitto-clients
key=$({ sed '/^stage_/,$d' "$0"; cat "$sources"; dpkg-deb -f "$deb" Depends; } | sha256sum | cut -c1-16)
root=$cache/package-root-$release-$key

make_root() {
    local options=()
    mapfile -t options < <(apt_options)
    mkdir -p "$cache"
    rm -rf --one-file-system "$cache/package-root-$release"-*
    echo "making a minimal Debian in $root"
    mmdebstrap --variant=minbase --format=directory --include=$tools --skip=cleanup/apt "${options[@]}" \
        --aptopt='APT::Install-Recommends "false"' --aptopt='Acquire::Languages "none"' \
        --dpkgopt='path-exclude=/usr/share/locale/*' \
        --customize-hook="copy-in $deb /srv" \
        --customize-hook="chroot \"\$1\" apt-get -qq -y --download-only install /srv/$(basename "$deb")" \
        --customize-hook="rm \"\$1/srv/$(basename "$deb")\"" \
        --customize-hook='rm -f "$1/etc/machine-id" "$1/etc/resolv.conf"; : >"$1/etc/machine-id"; : >"$1/etc/resolv.conf"' \
        --customize-hook='chroot "$1" systemctl -q disable mosquitto.service apt-daily.timer apt-daily-upgrade.timer' \
        $release "$root.new" "$sources" >"$work/mmdebstrap.log" 2>&1 || { tail -20 "$work/mmdebstrap.log"; return 1; }
    mv "$root.new" "$root"
}
if [ ! -d "$root" ]; then
    make_root || skip "mmdebstrap could not make a root file system"
fi

# --- what the checks find in /srv/stage: the packages, two newer ones, and the scripts

# repack NAME SUFFIX: the package in $work/deb, as another version.
repack() {
    sed -i "s/^Version: .*/Version: $(dpkg-deb -f "$deb" Version)+$2/" "$work/deb/DEBIAN/control"
    dpkg-deb --root-owner-group -Znone -b "$work/deb" "$work/stage/$1" >/dev/null
}

stage_packages() {
    mkdir -p "$work/stage"
    cp "$deb" "$work/stage/holdfast.deb"
    local bus
    for bus in "$(dirname "$deb")"/holdfast-bus-*.deb; do cp "$bus" "$work/stage/$(dpkg-deb -f "$bus" Package).deb"; done
    dpkg-deb -R "$deb" "$work/deb"
    repack holdfast-newer.deb newer1
    echo '# newest' >>"$work/deb/etc/holdfast/holdfast.toml"
    repack holdfast-newest.deb newer2
    cc -O1 -shared -fPIC -o "$work/stage/slow-sync.so" "$here/slow-sync.c"
    cp "$here"/*.sh "$work/stage/"
    chmod -R a+rX "$work" "$work/stage"
}

# --- fast lane: systemd in a container

in_container() {
    nsenter -t "$leader" -m -u -i -n -p -r -w env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root "$@"
}

boot_container() {
    command -v systemd-nspawn >/dev/null || { echo "systemd-nspawn is missing (apt install systemd-container)"; return 1; }
    # nspawn's own filter forbids even to read the clock's state; without CAP_SYS_TIME nothing can be set by these.
    setsid systemd-nspawn -q -D "$root" --boot --register=no --keep-unit --private-network --volatile=overlay \
        --system-call-filter="adjtimex clock_adjtime" \
        --bind-ro="$work/stage:/srv/stage" </dev/null >"$work/nspawn.log" 2>&1 &
    nspawn=$!
    for _ in $(seq 200); do
        leader=$(pgrep -P "$nspawn" -x systemd || true)
        [ -n "$leader" ] && break
        kill -0 "$nspawn" 2>/dev/null || break
        sleep 0.05
    done
    [ -n "$leader" ] || { tail -5 "$work/nspawn.log"; stop_container; return 1; }
    local state=''
    for _ in $(seq 100); do
        state=$(in_container systemctl is-system-running 2>/dev/null || true)
        case $state in running | degraded) return 0 ;; esac
        sleep 0.1
    done
    echo "systemd in the container is \"$state\""
    stop_container
    return 1
}

# As a service of the container's own systemd: what nsenter starts would keep this machine's capabilities.
run_in_container() { in_container systemd-run -q --pipe --wait --collect -- bash "$@"; }

# --- slow machine's lane: a chroot

run_in_chroot() {
    chroot_root=$work/root
    cp -a "$root" "$chroot_root"
    mount -t proc proc "$chroot_root/proc" 2>/dev/null || mount --bind /proc "$chroot_root/proc" || return 77
    mkdir -p "$chroot_root/srv/stage"
    cp "$work"/stage/* "$chroot_root/srv/stage/"
    chroot "$chroot_root" bash /srv/stage/chroot-checks.sh
}

stage_packages
if [ "${HOLDFAST_PACKAGE_LANE:-}" != chroot ] && boot_container; then
    run_in_container /srv/stage/service-checks.sh | tee "$work/checks.log" && status=0 || status=$?
else
    echo "no container here: checking in a chroot, without systemd"
    run_in_chroot | tee "$work/checks.log" && status=0 || status=$?
    [ $status != 77 ] || skip "neither a container nor a chroot can run here"
fi
# What does not come to its last line has failed, even if each check until then was passed.
tail -n 1 "$work/checks.log" | grep -qE '^[0-9]+ passed, [0-9]+ failed$' || { echo "the checks did not come to their end"; exit 1; }
exit $status
