#!/bin/bash
# other-debian-test.sh RELEASE OUTDIR [CTEST-OPTION...]: builds the packages on another release of Debian ("trixie"), with its compiler
# and libraries, into OUTDIR/RELEASE, puts them through its lintian, runs the unit and end-to-end tests there, and installs the
# packages in a container of that release.
#
# All of it happens in a Debian of its own in the cache. Run as root.
# Exit status: 0 built and passed, 1 not, 77 this machine can't do it.
# shellcheck source-path=SCRIPTDIR source=roots.sh disable=SC2154
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
tree=$(cd "$here/../.." && pwd)
source "$here/roots.sh"
release=${1:?usage: other-debian-test.sh RELEASE OUTDIR [CTEST-OPTION...]}
out=$(realpath -m "${2:?usage: other-debian-test.sh RELEASE OUTDIR [CTEST-OPTION...]}")/$release
shift 2

# What the package needs, as debian/control has it, and what its tests need. The fuzzers are left to Debian 12, and RabbitMQ too; and
# what memory the agent takes, for nothing else that runs shares these libraries with it.
tools=$(awk '($1 == "test" || $1 == "package") && $2 !~ /clang|fuzzer|lld|rabbitmq|mmdebstrap|container/ { print $2 }' "$tree/.ci/packages" | paste -sd ,)
cached_root "debian-$release" "$(sed '/^Package:/,$d' "$tree/debian/control")" --variant=apt --include="build-essential,iproute2,mount,$tools" \
    --customize-hook='mkdir -p "$1/build/debian"' --customize-hook="copy-in $tree/debian/control /build/debian" \
    --customize-hook="chroot \"\$1\" sh -c 'cd /build && apt-get -y build-dep ./'" --customize-hook='rm -r "$1/build"'

rm -rf "$out"
copy_tree "$tree" "$out" holdfast
in_release() { in_copy "$1" CMAKE_C_COMPILER_LAUNCHER=ccache CMAKE_CXX_COMPILER_LAUNCHER=ccache DEB_BUILD_OPTIONS="noautodbgsym parallel=${JOBS:-$(nproc)}"; }

echo "== dpkg-buildpackage on $release"
in_release "dpkg-buildpackage -us -uc -b" >"$out/build.log" 2>&1 || { tail -n 50 "$out/build.log"; exit 1; }
cp "$build"/*.deb "$build"/*.changes "$out"
ls -l "$out"/*.deb

status=0
echo "== lintian of $release"
in_release "lintian --allow-root --fail-on error,warning --tag-display-limit 0 ../*.changes" || status=1

echo "== tests on $release"
log=$out/test.log
in_release "cmake -DHOLDFAST_TESTS=ON build/debian && ninja -C build/debian -j${JOBS:-$(nproc)}" >"$log" 2>&1 || { tail -n 50 "$log"; exit 1; }
in_release "cd build/debian; ctest -LE vm -E test_footprint -j$(($(nproc) + 1)) --timeout 600 --output-on-failure ${*@Q}" | tee -a "$log" |
    grep -vE '\.* +Passed|^ *Start ' || status=1

echo "== the package in a container of $release"
HOLDFAST_RELEASE=$release "$here/install-test.sh" "$out"/holdfast_[0-9]*.deb || [ $? = 77 ] || status=1
exit $status
