"""A client key that stays in a TPM, with the OpenSSL configuration of docs/mqtt.md; where the programs for it are there."""
import os
import re
import shutil
import subprocess

from broker import free_port
from case import EndToEnd, needs
from certificates import Pair
from waiting import wait_until

DOCUMENT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "docs", "mqtt.md")
PROGRAMS = ("swtpm", "tpm2-abrmd", "dbus-daemon")
PROVIDER = ["-provider", "tpm2", "-provider", "default", "-propquery", "?provider=tpm2"]


def listens(port):
    """Without connecting, for swtpm serves one connection at a time."""
    with open("/proc/net/tcp", encoding="ascii") as file:
        return any(line.split()[1].endswith(f":{port:04X}") and line.split()[3] == "0A" for line in file)


class Tpm(EndToEnd):
    def setUp(self):
        super().setUp()
        told = subprocess.run(["openssl", "version", "-m"], capture_output=True, text=True, timeout=60, check=True).stdout
        provider = os.path.join(told.split('"')[1], "tpm2.so")
        missing = [part for part in (*PROGRAMS, provider) if not shutil.which(part) and not os.path.exists(part)]
        if missing:
            self.skipTest(f"there is no {', '.join(missing)}")

    def start(self, *command, environment=None):
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                   text=True, env=environment)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait, 20)
        self.addCleanup(process.terminate)
        return process

    def start_tpm(self):
        """A TPM behind a resource manager; what in the environment leads to it."""
        port = free_port()
        self.start("swtpm", "socket", "--tpm2", "--tpmstate", f"dir={self.make_directory('tpm')}", "--flags",
                   "not-need-init,startup-clear", "--ctrl", f"type=tcp,port={port + 1}", "--server", f"type=tcp,port={port}")
        wait_until(lambda: listens(port), "swtpm listens")
        bus = self.start("dbus-daemon", "--session", "--nofork", "--print-address").stdout.readline().strip()
        self.environment = {**os.environ, "DBUS_SESSION_BUS_ADDRESS": bus, "TPM2OPENSSL_TCTI": "tabrmd:bus_type=session"}
        self.start("tpm2-abrmd", "--session", "--allow-root", f"--tcti=swtpm:port={port}", environment=self.environment)
        wait_until(lambda: self.openssl("list", "-providers", *PROVIDER[:4]).returncode == 0, "the TPM answers")

    def openssl(self, *arguments):
        return subprocess.run(["openssl", *arguments], capture_output=True, timeout=60, env=self.environment, check=False)

    def make_client(self):
        pair = Pair(os.path.join(self.directory, "tpm.crt"), os.path.join(self.directory, "tpm.key"))
        request = pair.cert + ".csr"
        for command in (["genpkey", *PROVIDER, "-algorithm", "EC", "-pkeyopt", "group:P-256", "-out", pair.key],
                        ["req", *PROVIDER, "-new", "-key", pair.key, "-subj", "/CN=gw-17", "-out", request],
                        ["x509", "-req", "-in", request, "-CA", self.authority.cert, "-CAkey", self.authority.key,
                         "-CAcreateserial", "-days", "5", "-out", pair.cert]):
            done = self.openssl(*command)
            self.assertEqual(done.returncode, 0, done.stderr)
        os.chmod(pair.key, 0o600)
        return pair

    def write_openssl_configuration(self):
        with open(DOCUMENT, encoding="utf-8") as file:
            text = re.search(r"```\n# \S+/openssl-tpm\.cnf\n(.*?)```", file.read(), re.DOTALL).group(1)
        path = os.path.join(self.directory, "openssl-tpm.cnf")
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    @needs(timeout=120)
    def test_readings_are_sent_with_a_key_that_is_in_it(self):
        self.start_tpm()
        pair = self.make_client()
        broker = self.make_broker("require_certificate true")
        subscriber = self.make_subscriber(broker, pair=self.authority.client())
        config = self.config(broker, self.simulator())
        config["broker"]["tls"].update(cert_file=pair.cert, key_file=pair.key)
        agent = self.make_agent(config, started=False)
        self.assertIn("is a key of a TPM that OpenSSL cannot open", agent.command("check").stdout)
        agent.start({**self.environment, "OPENSSL_CONF": self.write_openssl_configuration()})
        self.wait_readings(subscriber, 10)
