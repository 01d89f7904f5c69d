# Sourced by what makes a Debian from this machine's own apt configuration.

# debian_sources RELEASE DIRECTORY: prints the file with the sources of RELEASE, made in DIRECTORY from those of the release that
# this machine has; fails where there are none.
debian_sources() {
    local file=$2/apt.list own
    own=$(. /etc/os-release && echo "${VERSION_CODENAME:-none}")
    if [ -s /etc/apt/sources.list.d/debian.sources ]; then
        file=$2/apt.sources
        cp /etc/apt/sources.list.d/debian.sources "$file"
    else
        grep -hE "^deb .*$own" /etc/apt/sources.list /etc/apt/sources.list.d/*.list >"$file" 2>/dev/null || true
    fi
    sed -i "s/\<$own\>/$1/g" "$file"
    grep -q "$1" "$file" || return 1
    echo "$file"
}

# apt_options: prints what mmdebstrap needs of this machine's settings, an option a line: proxies, mirrors that stand still.
apt_options() {
    apt-config dump | sed -nE 's/^Acquire::(Check-Valid-Until|Check-Date|https?::Proxy|Retries) .*/--aptopt=&/p'
}
