#!/bin/bash
# repository-checks.sh URI VERSION: installing VERSION from the repository at URI, and upgrading it. Runs inside a chroot.
# shellcheck source-path=SCRIPTDIR source=checks.sh disable=SC2154
. /srv/stage/checks.sh
uri=$1 version=$2
printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
chmod +x /usr/sbin/policy-rc.d
printf 'Acquire::http::Proxy::127.0.0.1 "DIRECT";\n' >/etc/apt/apt.conf.d/loopback

# The other sources are left as they are: what they have was fetched when this Debian was made.
update() {
    apt-get -q -o Dir::Etc::SourceList=/etc/apt/sources.list.d/holdfast.sources -o Dir::Etc::SourceParts=- -o APT::Get::List-Cleanup=false \
        -o APT::Update::Error-Mode=any update
}
installed() { dpkg-query -W -f '${Version}' "$1"; }
publish() { cp -a /srv/made/latest/. /srv/made/www/; }
/usr/lib/apt/apt-helper -q download-file "$uri/holdfast-archive-keyring.deb" /tmp/keyring.deb

files >/tmp/files-before
check "the keyring package installs" install_package /tmp/keyring.deb
check "apt updates" update
check "apt installs holdfast, without a word on authentication" install_package holdfast
check "in the version of the repository" same "$(installed holdfast)" "$version"
check "which runs" holdfast version
echo '# edited' >>/etc/holdfast/holdfast.toml
edited=$(sha256sum /etc/holdfast/holdfast.toml)
check "a newer version is published" publish
check "apt updates" update
check "apt upgrades, asking nothing" apt-get -q -y -o Dpkg::Use-Pty=0 upgrade
check "to the newer version" same "$(installed holdfast)" "$version+newer"
check "which keeps an edited configuration" same "$(sha256sum /etc/holdfast/holdfast.toml)" "$edited"
check "apt purges it all" apt-get -q -y -o Dpkg::Use-Pty=0 purge --autoremove holdfast holdfast-archive-keyring
check "which leaves no file" no_leftovers
report
