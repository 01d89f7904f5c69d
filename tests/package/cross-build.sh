#!/bin/bash
# cross-build.sh ARCH OUTDIR [--test [NAME...]]: builds the packages for arm64 or armhf on this machine, with Debian's cross compilers and the
# libraries of ARCH by multiarch. With --test also the unit tests (those of the folders tests/NAME, else all), on the objects that
# were packaged, and runs them by qemu.
#
# All of it happens in a Debian of its own in the cache, so that this machine gets no foreign package. Run as root.
# Exit status: 0 built and passed, 1 not, 77 this machine can't do it.
# shellcheck source-path=SCRIPTDIR source=roots.sh disable=SC2154
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
tree=$(cd "$here/../.." && pwd)
source "$here/roots.sh"

arch=${1:?usage: cross-build.sh ARCH OUTDIR [--test]}
out=$(realpath -m "${2:?usage: cross-build.sh ARCH OUTDIR [--test]}")
case $arch in
    arm64) triplet=aarch64-linux-gnu ;;
    armhf) triplet=arm-linux-gnueabihf ;;
    *) echo "cross builds are for arm64 and armhf, not for $arch" >&2; exit 2 ;;
esac
if [ "${3-}" = --test ]; then emulate "$arch" || skip "the tests of $arch can't run here"; fi

# What the package needs, as debian/control has it; what its tests need; and for the tests programs of this machine.
cached_root "cross-$arch" "$(sed '/^Package:/,$d' "$tree/debian/control")" --variant=apt --architectures="$(dpkg --print-architecture),$arch" \
    --include="crossbuild-essential-$arch,ccache,libgtest-dev:$arch,libgmock-dev:$arch,nlohmann-json3-dev,ca-certificates,mosquitto,openssl,python3" \
    --customize-hook='mkdir -p "$1/build/debian"' --customize-hook="copy-in $tree/debian/control /build/debian" \
    --customize-hook="chroot \"\$1\" sh -c 'cd /build && apt-get -y build-dep -a $arch ./'" --customize-hook='rm -r "$1/build"'

rm -f "$out"/*_"$arch".*
copy_tree "$tree" "$out" "$arch"
in_cross_root() {
    in_copy "$1" ${HOLDFAST_SYMBOLS:+CCACHE_DISABLE=1} DEB_BUILD_OPTIONS="parallel=${JOBS:-$(nproc)}"
}

echo "== dpkg-buildpackage for $arch"
in_cross_root "dpkg-buildpackage -us -uc -b -a $arch" >"$out/build-$arch.log" 2>&1 || { tail -n 50 "$out/build-$arch.log"; exit 1; }
cp "$build"/*_"$arch".* "$out"
ls -l "$out"/*_"$arch".deb
[ "${3-}" = --test ] || exit 0

echo "== unit tests for $arch"
log=$out/test-$arch.log
targets=("${@:4}")
in_cross_root "cmake -DHOLDFAST_TESTS=ON build/debian && ninja -k0 -C build/debian -j${JOBS:-$(nproc)} ${targets[*]/#/test_}" >"$log" 2>&1 ||
    { tail -n 50 "$log"; exit 1; }
# qemu-user knows no child subreaper and no signal at a parent's death (prctl), has memory of its own where limits and /proc tell of
# memory, and starts what can't be started.
not_by_qemu='^Lifetime[.]|RoguePlugins.That(Aborts|Crashes|Leaks)|SystemProcesses.CountsThisVeryProcess|SaysWhyTheHostProgramCannotBeStarted'
in_cross_root "cd build/debian; ctest -LE 'e2e|vm' -E 'NOT_BUILT|$not_by_qemu' --timeout 1200 --output-on-failure" | tee -a "$log" | grep -vE '\.* +Passed|^ *Start ' && status=0 || status=$?
exit "$status"
