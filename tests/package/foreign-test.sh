#!/bin/bash
# foreign-test.sh ARCH DEB...: the packages of another architecture in a minimal Debian of that architecture, by qemu-user: install,
# run, upgrade, remove and purge as in any chroot (chroot-checks.sh), and the demo with the installed agent. Run as root.
# Exit status: 0 all passed, 1 not, 77 this machine can't run it.
# shellcheck source-path=SCRIPTDIR source=roots.sh disable=SC2154
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
source "$here/roots.sh"
arch=${1:?usage: foreign-test.sh ARCH DEB...}
shift
agent=$(printf '%s\n' "$@" | grep "/holdfast_[^/]*_$arch.deb\$") || { echo "there is no package holdfast for $arch"; exit 1; }
[ "$(id -u)" = 0 ] || skip "needs root"
emulate "$arch" || skip "programs of $arch can't run here"

depends=$(dpkg-deb -f "$agent" Depends)
cached_root "foreign-$arch" "$depends" --variant=minbase --architectures="$arch" --skip=cleanup/apt \
    --include=ca-certificates,systemd,procps,jq,mosquitto,mosquitto-clients,openssl,python3 \
    --customize-hook="copy-in $agent /srv" \
    --customize-hook="chroot \"\$1\" apt-get -qq -y --download-only install /srv/$(basename "$agent")" \
    --customize-hook="rm \"\$1/srv/$(basename "$agent")\""

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"
mkdir "$work/stage"
cp "$agent" "$work/stage/holdfast.deb"
dpkg-deb -R "$agent" "$work/newer"
sed -i 's/^Version: .*/&+newer/' "$work/newer/DEBIAN/control"
dpkg-deb --root-owner-group -b "$work/newer" "$work/stage/holdfast-newer.deb" >/dev/null
cp "$here"/checks.sh "$here"/chroot-checks.sh "$here/../../demo.sh" "$work/stage"

status=0
echo "== the package on $arch"
in_root "$root" "$work/stage:/srv/stage" -- bash /srv/stage/chroot-checks.sh || status=1
echo "== the demo on $arch"
in_root "$root" "$work/stage:/srv/stage" -- sh -ec '
    printf "#!/bin/sh\nexit 101\n" >/usr/sbin/policy-rc.d
    chmod +x /usr/sbin/policy-rc.d
    apt-get -qq -y -o Dpkg::Use-Pty=0 install /srv/stage/holdfast.deb
    dpkg --print-architecture
    /srv/stage/demo.sh /usr/bin/holdfast' || status=1
exit $status
