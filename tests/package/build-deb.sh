#!/bin/bash
# build-deb.sh OUTDIR: builds the Debian packages in a clean copy of this tree, and puts them through lintian.
# Works without root. Exit status: 0 built and clean, 1 not, 77 a tool is missing.
set -euo pipefail

out=$(realpath -m "${1:?usage: build-deb.sh OUTDIR}")
tree=$(cd "$(dirname "$0")/../.." && pwd)
for tool in dpkg-buildpackage dh lintian; do
    command -v $tool >/dev/null || { echo "SKIP: $tool is missing (apt install dpkg-dev debhelper lintian)"; exit 77; }
done

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/holdfast" "$out"
tar -C "$tree" --exclude=./.git --exclude=./build --exclude='./obj-*' -c . | tar -x --no-same-owner -C "$work/holdfast"

# With ccache, a second build costs a few seconds: the copy's place must not count.
if [ -d /usr/lib/ccache ]; then
    export PATH=/usr/lib/ccache:$PATH CCACHE_BASEDIR=$work CCACHE_NOHASHDIR=1
fi

echo "== dpkg-buildpackage"
(cd "$work/holdfast" && dpkg-buildpackage -us -uc -b -j"${JOBS:-$(nproc)}" >"$work/build.log" 2>&1) ||
    { tail -50 "$work/build.log"; exit 1; }
cp "$work"/*.deb "$work"/*.changes "$work"/*.buildinfo "$out"
ls -l "$out"/*.deb

echo "== lintian"
lintian --allow-root --fail-on error,warning --tag-display-limit 0 "$work"/*.changes
