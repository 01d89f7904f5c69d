# shellcheck shell=bash
# Secrets that the service's user can't read on the disk. Sourced by service-checks.sh.

head -c 18 /dev/urandom | base64 >/etc/gw-password
mosquitto_passwd -c -b /etc/mosquitto/passwords gw "$(cat /etc/gw-password)"
chown mosquitto /etc/mosquitto/passwords
printf 'listener 1883 127.0.0.1\nallow_anonymous false\npassword_file /etc/mosquitto/passwords\n' >/etc/mosquitto/conf.d/test.conf
systemctl start mosquitto.service
cat >$conf/broker.toml <<'TOML'
[broker]
servers = ["mqtt://127.0.0.1"]
username = "gw"
password_file = "mqtt-password"
TOML
mkdir -p $drop_in

# with_credential LINE: the service with one line of its unit more.
with_credential() {
    printf '[Service]\n%s\n' "$1" >$drop_in/credential.conf
    systemctl daemon-reload
    systemctl restart $unit
}
connected() { status '.broker.state == "connected"'; }

chmod 600 /etc/gw-password
check "LoadCredential= is taken" with_credential LoadCredential=mqtt-password:/etc/gw-password
check "and the agent connects with it" eventually 20 connected
check "it is not in the state" not grep -rqF "$(cat /etc/gw-password)" $state
check "nor in the journal" not sh -c "journalctl -u $unit | grep -qF '$(cat /etc/gw-password)'"

check "systemd-creds encrypts it to this machine" \
    systemd-creds encrypt --with-key=host --name=mqtt-password /etc/gw-password /etc/holdfast/mqtt-password.cred
check "and LoadCredentialEncrypted= is taken" \
    with_credential LoadCredentialEncrypted=mqtt-password:/etc/holdfast/mqtt-password.cred
check "and the agent connects with it" eventually 20 connected
check "what lies on the disk is not the password" not grep -qF "$(cat /etc/gw-password)" /etc/holdfast/mqtt-password.cred

rm -rf $drop_in /etc/gw-password /etc/holdfast/mqtt-password.cred
systemctl daemon-reload
systemctl stop mosquitto.service
rm -f $conf/broker.toml /etc/mosquitto/conf.d/test.conf /etc/mosquitto/passwords /var/lib/mosquitto/mosquitto.db
systemctl restart $unit
