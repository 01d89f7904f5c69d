"""A gateway of its own, with a broker outside of it, that starts in the past without a network."""
import os
import shutil
import tempfile
import time
import unittest

from case import TIMEOUT, InVirtualMachine, RunningAgent, wait_until
from machine import Machine, Missing
from shared_machine import BUILD, IMAGE, boot

from broker import Broker, Subscriber
from certificates import Authority
from messages import Tally

BROKER = "broker.example"
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
