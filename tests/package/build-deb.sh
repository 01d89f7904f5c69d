#!/bin/bash
# build-deb.sh OUTDIR: builds the Debian packages in a clean copy of this tree, and puts them through lintian.
# With HOLDFAST_SYMBOLS=1 it makes those of debug symbols, too (holdfast-dbgsym).
# With HOLDFAST_REPRODUCE=1 it builds them a second time, in another place, and compares them byte by byte.
# Works without root. Exit status: 0 built and clean, 1 not, 77 a tool is missing.
set -euo pipefail

out=$(realpath -m "${1:?usage: build-deb.sh OUTDIR}")
tree=$(cd "$(dirname "$0")/../.." && pwd)
for tool in dpkg-buildpackage dh lintian; do
    command -v $tool >/dev/null || { echo "SKIP: $tool is missing (apt install dpkg-dev debhelper lintian)"; exit 77; }
done

mkdir -p "$out"
rm -f "$out"/*.deb "$out"/*.ddeb "$out"/*.changes "$out"/*.buildinfo
copies=()
trap 'rm -rf "${copies[@]}"' EXIT

# build COPY: of the tree, in the directory COPY; what comes of it lies beside it.
build() {
    copies+=("$1")
    rm -rf "$1"
    mkdir -p "$1"
    tar -C "$tree" --exclude=./.git --exclude=./build --exclude="./${out#"$tree"/}" -c . |
        tar -x --no-same-owner --no-same-permissions -C "$1"
    (cd "$1" && dpkg-buildpackage -us -uc -b -j"${JOBS:-$(nproc)}" >"$1/../build.log" 2>&1) ||
        { tail -50 "$1/../build.log"; exit 1; }
}

# The symbols take longer to compress than all else to build. And an object of the compiler's cache has its sources' paths in another
# form, and so gives a program another build ID: not for what is published or compared.
if [[ ${HOLDFAST_REPRODUCE:-} != 1 && ${HOLDFAST_SYMBOLS:-} != 1 ]]; then
    export DEB_BUILD_OPTIONS="noautodbgsym ${DEB_BUILD_OPTIONS:-}"
    if [ -d /usr/lib/ccache ]; then
        CCACHE_DIR=$(ccache --get-config cache_dir)  # debhelper builds with another HOME, and another locale
        export CCACHE_DIR CCACHE_BASEDIR=$out/holdfast CCACHE_SLOPPINESS=locale PATH=/usr/lib/ccache:$PATH
    fi
fi

echo "== dpkg-buildpackage"
build "$out/holdfast"
ls -l "$out"/*.deb

echo "== lintian"
lintian --allow-root --fail-on error,warning --tag-display-limit 0 "$out"/*.changes

if [ "${HOLDFAST_REPRODUCE:-}" = 1 ]; then
    echo "== again: another path, time zone, locale, umask, number of jobs"
    again=$(mktemp -d)
    copies+=("$again")
    (umask 0027 && TZ=Asia/Kathmandu LC_ALL=POSIX JOBS=3 build "$again/elsewhere/holdfast")
    for deb in "$out"/*.deb; do cmp "$deb" "$again/elsewhere/${deb##*/}"; done
    echo "the packages are the same, byte by byte"
fi
