"""A gateway of its own, with a broker outside of it: as someone sets one up, and as it starts in the past without a network."""
import glob
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import unittest
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

from case import TIMEOUT, InVirtualMachine, RunningAgent, wait_until
from gpio_chip import GpioChip
from machine import Machine, Missing, make_image
from shared_machine import BUILD, IMAGE, SOURCE, boot

from broker import Broker, Subscriber
from certificates import Authority
from messages import Tally

PACKAGES = os.environ.get("HOLDFAST_PACKAGES", os.path.join(SOURCE, "build", "package"))
BROKER, REPOSITORY = "broker.example", "packages.example"
# What a program does that keeps the clock, when it has set it (adjtimex(2): status, greatest and likely error, without STA_UNSYNC).
SYNCHRONISED = """
import ctypes, struct
state = ctypes.create_string_buffer(256)
struct.pack_into("=I", state, 0, 0x1c)
struct.pack_into("=i", state, 40, 1)
assert ctypes.CDLL(None).adjtimex(state) >= 0
"""


class Gateway(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.mkdtemp(prefix="holdfast-vm-")
        self.addCleanup(shutil.rmtree, self.directory, ignore_errors=True)
        self.authority = Authority(self.directory)
        pair = self.authority.server(names=f"DNS:{BROKER},DNS:localhost")
        self.broker = Broker(self.directory, self.authority, pair).start()
        self.addCleanup(self.broker.stop)
        self.subscriber = Subscriber(self.broker.port, self.authority.cert)
        self.addCleanup(self.subscriber.stop)
        self.machine = Machine(os.path.join(BUILD, "vm-gateway"), IMAGE)
        self.addCleanup(self.machine.destroy)

    def put_authority(self, path):
        with open(self.authority.cert, encoding="ascii") as file:
            self.machine.write(path, file.read())

    # --- installed from a repository

    def serve(self, directory):
        class Quiet(SimpleHTTPRequestHandler):
            def log_message(self, *_):
                pass
        server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=directory))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.shutdown)
        return server.server_address[1]

    def make_repository(self, debs):
        """Signed; with what the agent's package depends on, as the machine has no other. Returns its directory."""
        keys, repository = os.path.join(self.directory, "gpg"), os.path.join(self.directory, "repository")
        os.mkdir(keys, 0o700)
        environment = {**os.environ, "GNUPGHOME": keys}
        self.addCleanup(subprocess.run, ["gpgconf", "--homedir", keys, "--kill", "all"], check=False)
        for command in (["gpg", "--batch", "--quiet", "--passphrase", "", "--faked-system-time", "20200101T000000!",
                         "--quick-generate-key", "Fleet <fleet@example.com>", "ed25519", "sign", "never"],
                        [os.path.join(SOURCE, "debian", "make-repo"), "--key", "fleet@example.com", "--uri",
                         f"http://{REPOSITORY}", repository, *debs, *glob.glob(os.path.join(IMAGE, "packages", "*.deb"))]):
            done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
            self.assertEqual(done.returncode, 0, f"{command[0]}: {done.stdout}{done.stderr}")
        return repository

    def step(self, what, script):
        began = time.monotonic()
        self.machine.run(f"export DEBIAN_FRONTEND=noninteractive; {script}", 600)
        print(f"{what}: {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)

    def forget_dependencies(self):
        """The image has them, for the other tests; a fresh machine has them not, and only Debian's own sources."""
        names = " ".join(os.path.basename(path).split("_")[0] for path in glob.glob(os.path.join(IMAGE, "packages", "*.deb")))
        self.machine.run(f"dpkg --purge {names} && rm -f /etc/apt/sources.list /etc/apt/sources.list.d/*", TIMEOUT)

    def test_add_the_repository_install_edit_two_lines_restart_and_readings_arrive(self):
        debs = glob.glob(os.path.join(PACKAGES, "holdfast_*_amd64.deb")) + glob.glob(os.path.join(PACKAGES, "holdfast-bus-*.deb"))
        if not debs:
            self.skipTest(f"no package of the agent in {PACKAGES} (HOLDFAST_PACKAGES, tests/package/build-deb.sh)")
        for tool in ("gpg", "dpkg-scanpackages", os.path.join(SOURCE, "debian", "make-repo")):
            if not shutil.which(tool):
                self.skipTest(f"{tool} is missing")
        try:
            make_image(IMAGE)
        except Missing as reason:
            self.skipTest(str(reason))
        repository = self.make_repository(debs)
        self.machine.destroy()
        self.machine.start(forwards=[(80, self.serve(repository)), (8883, self.broker.port)])
        self.forget_dependencies()
        self.machine.connect(BROKER, REPOSITORY)
        with open(os.path.join(repository, "holdfast-archive-keyring.deb"), "rb") as file:
            self.machine.agent.write("/srv/holdfast-archive-keyring.deb", file.read())
        self.step("add the repository", "apt-get -q -y install /srv/holdfast-archive-keyring.deb && apt-get -q update")
        self.step("install", "apt-get -q -y install holdfast")
        self.assertEqual(self.machine.run("systemctl is-active holdfast").strip(), "active")
        self.put_authority("/etc/holdfast/ca.crt")
        edit = (f's|^# servers = .*|servers = ["mqtts://{BROKER}:8883"]|', 's|^# ca_file = "ca.crt"|ca_file = "ca.crt"|')
        self.machine.run(f"sed -i '{edit[0]};{edit[1]}' /etc/holdfast/holdfast.toml")
        self.assertIn("configuration is valid", self.machine.run("holdfast check", TIMEOUT))
        began = time.monotonic()
        self.step("restart", "systemctl restart holdfast")
        wait_until(lambda: self.subscriber.messages("holdfast/gateway/host"),
                   lambda: "readings arrive; " + self.machine.command("journalctl -o cat -n 20 -u holdfast").out, TIMEOUT)
        print(f"from the restart to the first reading at the broker: {time.monotonic() - began:.0f} s", file=sys.stderr)
        Tally(self.subscriber.messages("holdfast/gateway/host"))  # each to the letter of the contract
        self.read_devices_that_packages_open()

    def read_devices_that_packages_open(self):
        """A thermometer on an I2C bus and a GPIO line, which the service, in its sandbox, sees by these packages alone."""
        self.machine.run("modprobe i2c-stub chip_addr=0x48 && modprobe gpio-sim && mkdir -p /etc/holdfast/conf.d")
        chip = GpioChip(self)
        chip.pull(3, "up")
        bus = self.machine.run("basename $(grep -l 'SMBus stub' /sys/bus/i2c/devices/i2c-*/name | xargs dirname) | cut -d- -f2").strip()
        self.machine.write("/etc/holdfast/conf.d/devices.toml", f"""
[[input]]
name = "thermometer"
plugin = "i2c"
interval = "1s"
options = {{ chip = "lm75", bus = "{bus}", address = "0x48" }}

[[input]]
name = "door"
plugin = "gpio"
interval = "1s"
options = {{ lines = {{ door = "door" }} }}
""")
        self.assertIn("configuration is valid", self.machine.run("holdfast check", TIMEOUT))
        self.machine.run("systemctl restart holdfast", TIMEOUT)
        for name in ("thermometer", "door"):
            wait_until(lambda name=name: self.input(name)["last_error"], f"{name} to say that it sees no device", TIMEOUT)
        self.step("open the buses", "apt-get -q -y install holdfast-bus-i2c holdfast-bus-gpio")
        self.machine.run(f"i2cset -y {bus} 0x48 0 0x8019 w")  # 25.5 degrees, low byte first
        for name, values in (("thermometer", {"temperature": 25.5, "bus_errors": 0}), ("door", {"door": True})):
            wait_until(lambda name=name, values=values: values in self.values(name),
                       lambda name=name: f"{name} to read its device: {self.input(name)}; {self.values(name)}", TIMEOUT)
        chip.pull(3, "down")
        wait_until(lambda: {"door": False} in self.values("door"), "the door to close", TIMEOUT)

    def input(self, name):
        inputs = json.loads(self.machine.run("holdfast status --json", TIMEOUT))["inputs"]
        return next(entry for entry in inputs if entry["name"] == name)

    def values(self, name):
        messages = self.subscriber.messages(f"holdfast/gateway/{name}")
        return [reading["values"] for message in messages for reading in json.loads(message.payload)["readings"]]

    # --- started in the past

    def set_clock(self, seconds, then=""):
        program = f"import time\ntime.clock_settime(time.CLOCK_REALTIME, {seconds})\n{then}"
        self.machine.write("/srv/set_clock.py", program)
        self.machine.run("python3 /srv/set_clock.py", TIMEOUT)

    def tally(self):
        return Tally(self.subscriber.messages("holdfast/gw-17/it"))

    def wait_numbers(self, least):
        def enough():
            numbers = {reading["values"]["n"] for reading in self.tally().readings}
            return len(numbers) >= least and len(numbers) == max(numbers) + 1
        wait_until(enough, lambda: f"{least} readings without a hole; there are {len(self.tally().readings)}", TIMEOUT, 0.3)

    def test_what_was_read_in_the_past_without_network_arrives_with_the_right_time(self):
        try:
            boot(self.machine, forwards=[(8883, self.broker.port)], clock="2020-01-01T00:00:00")
        except Missing as reason:
            self.skipTest(str(reason))
        # systemd starts no earlier than it was made itself.
        self.assertLess(int(self.machine.run("date +%s")), time.time() - 30 * 86400)
        config = InVirtualMachine.config({"name": "it", "plugin": "simulator", "options": {"rate": 5}})
        del config["batch"]["timestamp_unit"]
        config["broker"] = {"servers": [f"mqtts://{BROKER}:8883"], "backoff_max": "5s", "tls": {"ca_file": "/srv/ca.crt"}}
        self.put_authority("/srv/ca.crt")
        self.machine.run(f"echo 10.0.2.100 {BROKER} >>/etc/hosts")
        began = time.time()
        agent = RunningAgent(self.machine, "in-the-past", config)
        taken = agent.wait_readings(25)["readings"]
        self.assertEqual(self.subscriber.messages("holdfast/gw-17/it"), [])
        self.set_clock("time.time() + 3600")  # as wrong as before: nobody says that it is right
        taken = agent.wait_more(25)["readings"]
        self.set_clock(time.time(), SYNCHRONISED)
        self.machine.connect(BROKER)
        self.wait_numbers(taken)
        readings = self.tally().readings
        for reading in readings:
            self.assertTrue(began - 2 <= reading["ts"] / 1000 <= time.time() + 2, f"{reading}, from {began} on")
        clocks = [message.payload.split(b'"clock":"')[1].split(b'"')[0] if b'"clock"' in message.payload else b""
                  for message in self.subscriber.messages("holdfast/gw-17/it")]
        self.assertIn(b"corrected", clocks)
        self.assertNotIn(b"unsynchronised", clocks)
        # A clock that jumps back and forth holds nothing up.
        for hours in (-3, 5, -2):
            self.set_clock(f"time.time() + {hours * 3600}")
            self.wait_numbers(len(self.tally().readings) + 10)
