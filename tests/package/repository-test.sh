#!/bin/bash
# repository-test.sh DEBS: makes an apt repository of the packages in the folder DEBS with debian/make-repo, and tries it with apt:
# what is trusted and what is refused, with a clock that is wrong too; install and upgrade in a minimal Debian. Run as root.
# Exit status: 0 all passed, 1 not, 77 this machine can't run it.
# shellcheck source-path=SCRIPTDIR source=checks.sh disable=SC2154
here=$(cd "$(dirname "$0")" && pwd)
source "$here/roots.sh"
source "$here/checks.sh"
debs=$(realpath "${1:?usage: repository-test.sh DEBS}")
for tool in gpg gpgv faketime apt-get dpkg-scanpackages python3; do
    command -v $tool >/dev/null || skip "$tool is missing (.ci/install package)"
done
unset http_proxy https_proxy SOURCE_DATE_EPOCH

work=$(mktemp -d)
server=''
finish() {
    if [ -n "$server" ]; then kill "$server"; fi
    gpgconf --homedir "$work/gpg" --kill all
    rm -rf --one-file-system "$work"
}
trap finish EXIT

# --- packages, keys, a web server

# variant DEB FIELD VALUE: the same package with another value of a field, in $work/debs.
variant() {
    rm -rf "$work/tree"
    dpkg-deb -R "$1" "$work/tree"
    sed -i "s/^$2: .*/$2: $3/" "$work/tree/DEBIAN/control"
    dpkg-deb --root-owner-group -Znone -b "$work/tree" "$work/debs" >/dev/null
}
new_key() {
    gpg --batch --quiet --passphrase '' --faked-system-time 20200101T000000! --quick-generate-key "$1" ed25519 sign never 2>/dev/null
}
make_repo() { "$here/../../debian/make-repo" --key "$key" --uri "$uri" "$@"; }

mkdir -m 755 "$work/debs" "$work/www"
mkdir -m 700 "$work/gpg"
chmod 755 "$work"
export GNUPGHOME=$work/gpg
key="Fleet packages <fleet@example.com>"
new_key "$key"
new_key "Somebody else <else@example.com>"

shopt -s nullglob
packages=("$debs"/holdfast*_amd64.deb "$debs"/holdfast*_all.deb)
shopt -u nullglob
[ ${#packages[@]} -gt 0 ] || { echo "there is no package for amd64 in $debs"; exit 1; }
agent=$(printf '%s\n' "${packages[@]}" | grep '/holdfast_')
version=$(dpkg-deb -f "$agent" Version)
variant "$agent" Architecture arm64
variant "$agent" Architecture armhf
variant "$agent" Version "$version+newer"

python3 -u -m http.server --bind 127.0.0.1 --directory "$work/www" 0 >"$work/server.log" 2>&1 &
server=$!
eventually 20 grep -q ' port ' "$work/server.log"
uri=http://127.0.0.1:$(sed -n 's/.* port \([0-9]*\) .*/\1/p' "$work/server.log")
repository=$work/www
in_release=$repository/dists/stable/InRelease

# --- making it

content() { (cd "$1" && find . -type f -exec sha256sum {} + | sort -k 2); }
twice() {
    mkdir "$work/ordinary" "$work/reverse"
    SOURCE_DATE_EPOCH=1700000000 make_repo "$work/ordinary" "${packages[@]}" "$work"/debs/*_arm*.deb || return
    SOURCE_DATE_EPOCH=1700000000 make_repo "$work/reverse" "$work"/debs/*_armhf.deb "${packages[@]}" || return
    SOURCE_DATE_EPOCH=1700000000 make_repo "$work/reverse" "$work"/debs/*_arm64.deb || return
    rm -rf "$work/reverse/dists" # of a first and a second run, hashes of the first are kept
    SOURCE_DATE_EPOCH=1700000000 make_repo "$work/reverse" || return
    diff <(content "$work/ordinary") <(content "$work/reverse")
}
check "the same packages make the same repository, byte for byte, in whatever order they come" twice
check "it takes the packages of three architectures" make_repo "$repository" "${packages[@]}" "$work"/debs/*_arm*.deb
cp -a "$repository" "$work/made"
before=$(find "$repository" -type f -printf '%p %T@\n' | sort)
check "a second run" make_repo "$repository" "${packages[@]}"
check "writes nothing" same "$(find "$repository" -type f -printf '%p %T@\n' | sort)" "$before"
other_contents() {
    variant "$agent" Section misc
    ! make_repo "$repository" "$work/debs/$(basename "$agent")" && [ "$(content "$repository")" = "$1" ]
}
check "a published version with other contents is refused, and nothing changes" other_contents "$(content "$repository")"
rm "$repository"/holdfast*
check "where a run was killed before its end, the next" make_repo "$repository"
check "writes what is missing" same "$(content "$repository")" "$(content "$work/made")"
another_suite() {
    local said
    said=$(make_repo --suite testing "$repository" 2>&1) && return 1
    grep "give testing a folder of its own" <<<"$said" && [ ! -e "$repository/dists/testing" ]
}
check "another suite in the same folder is refused" another_suite
an_earlier_time() {
    local said
    said=$(SOURCE_DATE_EPOCH=1000000000 make_repo "$repository" 2>&1) && return 1
    grep "later than now" <<<"$said"
}
check "a time before that of the last run is refused" an_earlier_time
signed_at() { gpgv --status-fd 1 --keyring "$repository/holdfast-archive-keyring.gpg" -o /dev/null "$1" 2>/dev/null | awk '$2 == "VALIDSIG" { print $5 }'; }
check "it is signed as of the day of the key, for clocks that are behind" same "$(signed_at "$in_release")" 1577836800
check "a key that is not there is refused" not make_repo --key nobody@example.com "$repository"
check "and leaves no trace" sh -c "! $(printf %q "$here/../../debian/make-repo") --key nobody@example.com --uri $uri $work/none 2>/dev/null && [ ! -e $work/none ]"
new_key "Other fleet <otherfleet@example.com>"
refused_as() {
    local said
    said=$("${@:2}" 2>&1) && { echo "it was done"; return 1; }
    grep -q -- "$1" <<<"$said" || { echo "$said"; return 1; }
}
check "an address is that of one key, not of all that end in it" make_repo --key fleet@example.com "$repository"
check "so that the keyring has that one alone" same \
    "$(gpg --with-colons --show-keys "$repository/holdfast-archive-keyring.gpg" 2>/dev/null | grep -c '^pub')" 1
check "what means several keys is refused" refused_as "means several keys" make_repo --key fleet "$repository"
check "a key that gateways do not know is refused" refused_as "announce it with --next-key" make_repo --key otherfleet@example.com "$repository"
gpg --batch --quiet --passphrase '' --faked-system-time 20200101T000000! --quick-generate-key "Old <old@example.com>" ed25519 sign 1d 2>/dev/null
check "a key that has expired is refused" refused_as "has expired" make_repo --unannounced --key old@example.com "$repository"
check "a date far ahead is refused" refused_as "ahead of the clock" env SOURCE_DATE_EPOCH=4000000000 "$here/../../debian/make-repo" --key "$key" --uri "$uri" "$repository"
check "what is no package is refused before another one is taken" refused_as "is not a package" make_repo "$repository" "$work/debs/holdfast_${version}+newer_amd64.deb" /dev/null
check "so that the pool is as before" same "$(find "$repository/pool" -name '*newer*')" ""

# --- what apt trusts: this machine's apt, with directories of its own

apt=$work/apt
keyring=$repository/holdfast-archive-keyring.gpg
configure_apt() {
    rm -rf "$apt"
    mkdir -p "$apt"/etc/{apt.conf.d,preferences.d,sources.list.d,trusted.gpg.d} "$apt"/state/lists/partial "$apt"/cache/archives/partial
    : >"$apt/status"
    cat >"$apt/apt.conf" <<END
Dir::Etc "$apt/etc";
Dir::State "$apt/state";
Dir::State::status "$apt/status";
Dir::Cache "$apt/cache";
APT::Architecture "amd64";
APT::Architectures { "amd64"; "arm64"; "armhf"; };
APT::Sandbox::User "root";
Acquire::Languages "none";
END
    sed "s|^Signed-By: .*|Signed-By: $keyring|" "$repository/holdfast.sources" >"$apt/etc/sources.list.d/holdfast.sources"
}
apt() { APT_CONFIG=$apt/apt.conf "${clock[@]}" apt-get -q "$@"; }
clock=()
update() { apt -o APT::Update::Error-Mode=any update; }
updates_afresh() { configure_apt; update; }
refuses() {
    local said
    configure_apt
    said=$(update 2>&1) && { echo "$said"; return 1; }
    grep -q "$1" <<<"$said" || { echo "$said"; return 1; }
}
downloads() {
    (cd "$work" && rm -f ./*.deb && apt download "holdfast:$1") && cmp "$work"/holdfast_*.deb "$2"
}
cp -a "$repository" "$work/good"
mend() { rm -rf "${repository:?}"/*; cp -a "$work/good"/* "$repository"; }

check "apt trusts it, with the key that it comes with" updates_afresh
check "and finds the package of amd64" downloads amd64 "$agent"
check "of arm64" downloads arm64 "$work"/debs/*_arm64.deb
check "of armhf" downloads armhf "$work"/debs/*_armhf.deb

# A byte in the middle, so that the size is right.
spoil() { printf '\252' | dd of="$1" bs=1 seek=$(($(stat -c %s "$1") / 2)) conv=notrunc status=none; }
spoil "$repository"/pool/holdfast/holdfast_*_amd64.deb
check "a package that was tampered with is refused" not downloads amd64 "$agent"
mend
sed -i 's/^Label: Holdfast/Label: Holdfist/' "$in_release"
check "a Release that was tampered with is refused" refuses "BADSIG\|not valid\|invalid"
mend
sed -i 's/holdfast/holdfist/' "$repository"/dists/stable/main/binary-amd64/Packages
xz -kf "$repository"/dists/stable/main/binary-amd64/Packages
for file in "$repository"/dists/stable/main/binary-amd64/by-hash/SHA256/*; do spoil "$file"; done
check "an index that was tampered with is refused" refuses "Hash Sum mismatch"
mend
rm "$in_release"
grep -v '^SHA256' "$work/good/dists/stable/InRelease" >"$repository/dists/stable/Release"
check "one without a signature is refused" refuses "is not signed\|no longer signed"
mend
gpg --batch --yes --quiet --local-user "Somebody else" --clearsign -o "$in_release" <(gpg -q --decrypt "$work/good/dists/stable/InRelease" 2>/dev/null)
check "one that somebody else signed is refused" refuses NO_PUBKEY
mend

# --- clocks of gateways

# What a gateway that never had the time says of one that is signed today.
clock=(faketime "2022-06-01")
check "a clock years behind updates" updates_afresh
without_line() { sed -i '/^Date-Max-Future/d' "$repository/holdfast.sources"; refuses "not valid yet"; }
check "as it would not without a word in the source file" without_line
mend
clock=(faketime "2037-06-01")
check "a clock years ahead updates" updates_afresh
clock=()
check "an owner with clocks may set an end" make_repo --valid-for 7 "$repository"
check "and apt updates before it" updates_afresh
clock=(faketime "+8 days")
check "and not after it" refuses expired
clock=(faketime "2022-06-01")
check "and with a clock years behind" updates_afresh
clock=()
mend

# --- another key

check "a key to come is announced" make_repo --next-key "Somebody else" "$repository"
cp "$repository/holdfast-archive-keyring.gpg" "$work/announced.gpg"
check "with a new version of the keyring package" same "$(find "$repository/pool" -name '*keyring_*' -type f | wc -l)" 2
later() { SOURCE_DATE_EPOCH=$(($(date -d "$(sed -n 's/^Date: //p' "$in_release")" +%s) + 1)) make_repo "$@"; }
keys() { gpg --batch --with-colons --show-keys "$keyring" | grep -c ^pub; }
check "a run that does not name it" later "$repository"
check "does not take it back" same "$(keys)" 2
check "one that names none" later --next-key none "$repository"
check "does" same "$(keys)" 1
check "and it is announced once more" later --next-key "Somebody else" "$repository"
check "then it signs" later --key "Somebody else" "$repository"
keyring=$work/announced.gpg
check "for who has the announcement" updates_afresh
keyring=$work/good/holdfast-archive-keyring.gpg
check "and for nobody else" refuses NO_PUBKEY
keyring=$repository/holdfast-archive-keyring.gpg
mend

# --- a newer version, and the old state served again

updates_afresh >/dev/null 2>&1
check "a newer version is added" make_repo "$repository" "$work/debs/holdfast_$version+newer_amd64.deb"
check "the hashes of the state before are still there, for who is in between" \
    sh -c "gpgv --keyring $repository/*.gpg -o - $work/good/dists/stable/InRelease 2>/dev/null | sed -n 's,^ \([0-9a-f]\{64\}\) .* \(main/.*/\)Pack.*,$repository/dists/stable/\2by-hash/SHA256/\1,p' | xargs ls"
offers_newer() { update >/dev/null && apt download --print-uris holdfast | grep -E "[+]newer_|%2bnewer_"; }
check "apt offers it" offers_newer
mv "$repository" "$work/latest"
cp -a "$work/good" "$repository"
check "who serves the old state again does not take it back" offers_newer
rm -rf "$repository"
cp -a "$work/good" "$repository"

# --- install and upgrade with apt

# What was tried until here counts.
skip() { echo "SKIP: $*"; report; exit; }
depends=$(dpkg-deb -f "$agent" Depends)
cached_root repository "$depends" --variant=minbase --include=ca-certificates,systemd --skip=cleanup/apt \
    --customize-hook="copy-in $agent /srv" \
    --customize-hook="chroot \"\$1\" apt-get -qq -y --download-only install /srv/$(basename "$agent")" \
    --customize-hook="rm \"\$1/srv/$(basename "$agent")\""
mkdir "$work/stage"
cp "$here/checks.sh" "$here/repository-checks.sh" "$work/stage/"
counts=$(in_root "$root" "$work/stage:/srv/stage" "$work:/srv/made" -- bash /srv/stage/repository-checks.sh "$uri" "$version" | tee >(cat >&2) | tail -n 1)
[[ $counts =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed$ ]] || { echo "the checks in the Debian did not end"; exit 1; }
passed=$((passed + BASH_REMATCH[1]))
failed=$((failed + BASH_REMATCH[2]))
report
