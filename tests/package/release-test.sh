#!/bin/bash
# release-test.sh PACKAGES: makes release candidates with debian/release of the last commit and the packages in the folder PACKAGES,
# which has their .buildinfo too, and looks at what is in them, and at what is refused. Works without root.
# Exit status: 0 all passed, 1 not, 77 this machine can't run it.
# shellcheck source-path=SCRIPTDIR source=checks.sh
here=$(cd "$(dirname "$0")" && pwd)
source "$here/checks.sh"
packages=$(realpath "${1:?usage: release-test.sh PACKAGES}")
for tool in git gpg readelf python3 abidiff; do
    command -v $tool >/dev/null || { echo "SKIP: $tool is missing (.ci/install test package)"; exit 77; }
done
arch=$(dpkg --print-architecture)

work=$(mktemp -d)
export GNUPGHOME=$work/gpg
trap 'gpgconf --kill all; rm -rf "$work"' EXIT
mkdir -m 700 "$GNUPGHOME"
key=release@example.com
gpg --batch --quiet --passphrase '' --faked-system-time 20200101T000000! --quick-generate-key $key ed25519 sign never 2>/dev/null
git clone -q "$here/../.." "$work/tree" || { echo "SKIP: this is no git checkout"; exit 77; }
cd "$work/tree" || exit 1
git config user.name Test
git config user.email test@example.com

release() { debian/release --arch "$arch" --packages "$packages" "$@"; }
refused() {
    local said
    said=$(release "$work/refused" 2>&1) && { echo "it was made"; return 1; }
    rm -rf "$work/refused"
    grep -q -- "$1" <<<"$said" || { echo "$said"; return 1; }
}

check "a candidate is made" release --key $key "$work/one"
check "and again" release --key $key "$work/two"
check "with the same bytes" diff -r "$work/one" "$work/two"
check "its checksums hold" sh -c "cd '$work/one' && sha256sum -c --strict SHA256SUMS"
check "for each file" same "$(wc -l <"$work/one/SHA256SUMS")" "$(find "$work/one" -type f ! -name 'SHA256SUMS*' | wc -l)"
check "and are signed" gpg --batch --verify "$work/one/SHA256SUMS.asc" "$work/one/SHA256SUMS"
mkdir "$work/source"
tar -C "$work/source" --strip-components=1 -xf "$work"/one/holdfast-*.tar.xz
check "its source is the commit" diff -r --no-dereference -x .git "$work/source" "$work/tree"
check "its bill of materials is sound, and names each library that the programs load" \
    python3 "$here/sbom_check.py" "$work"/one/*_"$arch".spdx.json "$work"/one/*.deb

check "the self-assessment names evidence that is there" python3 "$here/evidence_check.py" "$work/tree"

echo >>README.md
check "a work tree with changes is refused" refused "commit them first"
git checkout -q README.md
sed -i '0,/^## /s/^## /## 9./' CHANGELOG.md
git commit -qam "Another version"
check "a changelog of another version is refused" refused "CHANGELOG.md begins with"
git reset -q --hard HEAD~
sed -i '0,/^## /s/ - unreleased/ - 2026-12-01/' CHANGELOG.md
sed -i 's/^Maintainer: .*/Maintainer: Nobody <nobody@example.invalid>/' debian/control
git commit -qam "A release that nobody answers for"
check "a release without an address for reports is refused" refused "is a placeholder"
git reset -q --hard HEAD~
sed -i '1s/(.*)/(9.9.9)/' debian/changelog
sed -i '0,/^## .* - /s//## 9.9.9 - /' CHANGELOG.md
git commit -qam "Another version everywhere, but the packages are the old ones"
check "packages of another version are refused" refused "is not 9.9.9"
git reset -q --hard HEAD~
sed -i 's/^    uint32_t abi; .*/    uint64_t abi;/' plugins/include/holdfast/plugin.h
git commit -qam "Another plugin interface"
check "another plugin interface is refused" refused "plugin interface"
git reset -q --hard HEAD~

# spoil PACKAGES PATTERN SED: a copy of the packages with one file that tells something else.
spoil() {
    local deb at tree=$work/spoilt
    packages=$work/packages
    rm -rf "$packages" "$tree"
    cp -r "$1" "$packages"
    for deb in "$packages"/*.deb; do
        case $deb in *-dbgsym_*) continue ;; esac
        rm -rf "$tree"
        dpkg-deb -R "$deb" "$tree"
        at=$(find "$tree" -path "$2")
        [ -n "$at" ] || continue
        case $at in
            *.gz) zcat "$at" | sed "$3" | gzip -n >"$work/file" && cp "$work/file" "$at" ;;
            *) sed -i "$3" "$at" ;;
        esac
        dpkg-deb --root-owner-group -Znone -b "$tree" "$deb" >/dev/null
    done
}
good=$packages
number=$(dpkg-parsechangelog -S Version | grep -oE '^[0-9.]*[0-9]')
for file in '*/man1/holdfast.1.gz' '*/usr/bin/holdfast' '*/plugins/system.so' '*/holdfast-plugin.pc' '*-config-version.cmake'; do
    spoil "$good" "$file" "s/${number//./\\.}/9.9.9/g"
    check "a package is refused where ${file##*/} tells another version" refused "does not say"
done

report
