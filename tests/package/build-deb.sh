#!/bin/bash
# build-deb.sh OUTDIR: builds the Debian packages in a clean copy of this tree, and puts them through lintian.
# Works without root. Exit status: 0 built and clean, 1 not, 77 a tool is missing.
set -euo pipefail

out=$(realpath -m "${1:?usage: build-deb.sh OUTDIR}")
tree=$(cd "$(dirname "$0")/../.." && pwd)
for tool in dpkg-buildpackage dh lintian; do
    command -v $tool >/dev/null || { echo "SKIP: $tool is missing (apt install dpkg-dev debhelper lintian)"; exit 77; }
done

# Debian's flags name the place of the build, so ccache helps only if that stays the same; and debhelper builds with another HOME.
copy=$out/holdfast
trap 'rm -rf "$copy"' EXIT
rm -rf "$copy"
mkdir -p "$copy"
rm -f "$out"/*.deb "$out"/*.changes "$out"/*.buildinfo
tar -C "$tree" --exclude=./.git --exclude=./build --exclude='./obj-*' --exclude="./${out#"$tree"/}" -c . |
    tar -x --no-same-owner -C "$copy"
if [ -d /usr/lib/ccache ]; then
    CCACHE_DIR=$(ccache --get-config cache_dir)
    export CCACHE_DIR PATH=/usr/lib/ccache:$PATH
fi

echo "== dpkg-buildpackage"
(cd "$copy" && dpkg-buildpackage -us -uc -b -j"${JOBS:-$(nproc)}" >"$out/build.log" 2>&1) ||
    { tail -50 "$out/build.log"; exit 1; }
ls -l "$out"/*.deb

echo "== lintian"
lintian --allow-root --fail-on error,warning --tag-display-limit 0 "$out"/*.changes
