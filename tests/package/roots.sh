# shellcheck shell=bash
# Sourced by tests that work in a Debian of their own, without systemd: where its root file system comes from, how to run in it.
# shellcheck source-path=SCRIPTDIR source=../support/debian_sources.sh
source "$(dirname "${BASH_SOURCE[0]}")/../support/debian_sources.sh"

skip() { echo "SKIP: $*"; exit 77; }

# Which Debian is made.
release=bookworm

# cached_root NAME MADE-FROM MMDEBSTRAP-OPTION...: sets root to a Debian made from this machine's own apt sources. It is kept until
# MADE-FROM (a text), the options or the sources change. Skips where none can be made.
cached_root() {
    local name=$1 made_from=$2 cache=${XDG_CACHE_HOME:-$HOME/.cache}/holdfast-tests scratch sources
    shift 2
    [ "$(id -u)" = 0 ] || skip "needs root"
    command -v mmdebstrap >/dev/null || skip "mmdebstrap is missing (.ci/install package)"
    scratch=$(mktemp -d)
    sources=$(debian_sources $release "$scratch") || skip "no apt sources of $release on this machine"
    root=$cache/$name-$({ echo "$made_from" "$@"; cat "$sources"; } | sha256sum | cut -c1-16)
    mkdir -p "$cache"
    exec 8>"$cache/$name.lock"
    flock 8
    if [ ! -d "$root" ]; then
        rm -rf --one-file-system "$cache/$name"-*
        echo "making a Debian in $root; its log is $cache/$name.log"
        # A mirror that lags behind with the updates of an architecture is no reason to go without a test.
        debootstrap_to "$root" "$sources" "$@" >"$cache/$name.log" 2>&1 || {
            only_release "$sources"
            debootstrap_to "$root" "$sources" "$@" >>"$cache/$name.log" 2>&1
        } || { tail -n 20 "$cache/$name.log"; skip "mmdebstrap could not make a root file system"; }
    fi
    exec 8>&-
    rm -r "$scratch"
}

# debootstrap_to ROOT SOURCES MMDEBSTRAP-OPTION...: locales and manuals are left out.
debootstrap_to() {
    local options=()
    mapfile -t options < <(apt_options)
    rm -rf --one-file-system "$1.new"
    PATH=/usr/sbin:/usr/bin:/sbin:/bin mmdebstrap --mode=root --format=directory "${options[@]}" \
        --aptopt='APT::Install-Recommends "false"' --aptopt='Acquire::Languages "none"' \
        --dpkgopt='path-exclude=/usr/share/locale/*' --dpkgopt='path-exclude=/usr/share/man/*' \
        "${@:3}" $release "$1.new" "$2" && mv "$1.new" "$1"
}

# only_release SOURCES: takes out what is not the release itself, its security updates for one.
only_release() {
    case $1 in
        *.sources)
            awk -v RS= -v ORS='\n\n' "/\nSuites:[^\n]* ?$release( |\n)/" "$1" | sed "/^Suites:/s/.*/Suites: $release/" >"$1.release"
            mv "$1.release" "$1"
            ;;
        *) sed -i "/$release-/d" "$1" ;;
    esac
}

# in_root ROOT [FROM:TO]... -- COMMAND...: runs it in a throw-away copy of ROOT, with these directories of this machine in it.
in_root() {
    # shellcheck disable=SC2016
    unshare --mount --pid --fork --kill-child bash -euc '
        below=$1/mnt
        mount -t tmpfs tmpfs "$below"
        mkdir "$below"/changed "$below"/work "$below/root"
        mount -t overlay -o "lowerdir=$1,upperdir=$below/changed,workdir=$below/work" overlay "$below/root"
        cd "$below/root"
        mount -t proc proc proc
        mount --rbind /dev dev
        mount -t tmpfs tmpfs tmp
        [ -s etc/hosts ] || echo "127.0.0.1 localhost" >etc/hosts
        while shift && [ "$1" != -- ]; do
            mkdir -p "./${1#*:}"
            mount --bind "${1%%:*}" "./${1#*:}"
        done
        shift
        exec chroot . env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive "$@"' \
        in_root "$@"
}

# copy_tree TREE OUT NAME: sets build to a directory below OUT, made anew and removed at the end, with a copy of TREE in it, and
# compiled to where the compiler's cache lies.
copy_tree() {
    build=$2/build-$3
    trap 'rm -rf --one-file-system "$build"' EXIT
    rm -rf --one-file-system "$build"
    mkdir -p "$build/holdfast"
    tar -C "$1" --exclude=./.git --exclude=./build --exclude="./${2#"$1"/}" -c . | tar -x --no-same-owner -C "$build/holdfast"
    compiled=$(ccache --get-config cache_dir 2>/dev/null || echo "$build/ccache")
    mkdir -p "$compiled"
}

# in_copy COMMANDS [VARIABLE=VALUE...]: runs them in the root, in that copy. It lies always at the same place there, which is in the
# objects and in the compiler's cache.
in_copy() {
    in_root "$root" "$build:/build" "$compiled:/ccache" -- env CCACHE_DIR=/ccache \
        PATH=/usr/lib/ccache:/usr/sbin:/usr/bin:/sbin:/bin "${@:2}" sh -ec "cd /build/holdfast; $1"
}

# emulate ARCH: programs of ARCH can be run; false, with the reason, where this machine can't. Leaves the kernel with qemu
# registered for them, as installing qemu-user-static does where systemd runs.
emulate() {
    local name
    case $1 in
        "$(dpkg --print-architecture)") return 0 ;;
        arm64) name=qemu-aarch64 ;;
        armhf) name=qemu-arm ;;
        *) echo "no emulator for $1 is known"; return 1 ;;
    esac
    command -v $name-static >/dev/null || { echo "$name-static is missing (.ci/install cross)"; return 1; }
    [ -e /proc/sys/fs/binfmt_misc/register ] || mount -t binfmt_misc binfmt_misc /proc/sys/fs/binfmt_misc 2>/dev/null ||
        { echo "this kernel has no binfmt_misc"; return 1; }
    [ -e /proc/sys/fs/binfmt_misc/$name ] || grep '^:' /usr/lib/binfmt.d/$name.conf >/proc/sys/fs/binfmt_misc/register ||
        { echo "the kernel refuses $name"; return 1; }
}
