#!/bin/bash
# The package without systemd: the unit's command is started by hand as its user. Runs inside a chroot.
# shellcheck source-path=SCRIPTDIR source=checks.sh
. /srv/stage/checks.sh

printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
chmod +x /usr/sbin/policy-rc.d
files >/tmp/files-before

check "apt installs it with its dependencies, asking nothing" install_package $stage/holdfast.deb
check "the user is there" id holdfast
check "/etc/holdfast is root's and holdfast's alone" same "$(stat -c '%U:%G %a' /etc/holdfast)" "root:holdfast 750"
check "holdfast check finds the shipped configuration valid" holdfast check

install -d -o holdfast -g holdfast -m 0700 $state
install -d -o holdfast -g holdfast -m 0750 /run/holdfast
command=$(sed -n 's/^ExecStart=//p' /lib/systemd/system/holdfast.service)
setpriv --reuid holdfast --regid holdfast --clear-groups --no-new-privs --bounding-set=-all $command >/tmp/agent.log 2>&1 &
agent=$!

check "the agent answers" eventually 20 holdfast status
check "the system input takes readings" eventually 30 readings_come
check "without a broker they stay in the buffer" eventually 10 status '.buffer.readings > 0'
remember_hosts
kill -TERM $agent
wait $agent
check "it ends on SIGTERM with 0" same $? 0
check "no plugin host is left" eventually 2 hosts_gone
check "the buffer kept the readings" buffer '.readings > 0'
printf '[agent]\nno_such_key = 1\n' >/etc/holdfast/conf.d/wrong.toml
check "a wrong configuration ends it with 78" sh -c 'holdfast run; test $? = 78'

echo '# edited' >>/etc/holdfast/holdfast.toml
edited=$(sha256sum /etc/holdfast/holdfast.toml)
check "apt upgrades it, asking nothing" install_package $stage/holdfast-newer.deb
check "which keeps an edited configuration" same "$(sha256sum /etc/holdfast/holdfast.toml)" "$edited"
check "apt removes it" apt-get -q -y -o Dpkg::Use-Pty=0 remove holdfast
check "but not the readings" test -s $state/buffer.db
check "apt purges it" apt-get -q -y -o Dpkg::Use-Pty=0 purge --autoremove holdfast
check "which leaves no file" no_leftovers
check "no user and no group" no_account

report
