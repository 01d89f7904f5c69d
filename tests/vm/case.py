"""The base of the tests in the virtual machine: the machine, and the built agent in it."""
import atexit
import json
import os
import sys
import unittest

from machine import Missing
from shared_machine import HOLDFAST, SOURCE, shared_machine, start

sys.path.append(os.path.join(SOURCE, "tests", "e2e"))
from agent import to_toml  # noqa: E402
from waiting import wait_until  # noqa: E402

# What a command takes at most, where each instruction is translated and others use the machine, too.
TIMEOUT = 300.0


class Sampled:
    """What `holdfast test` printed."""

    def __init__(self, done):
        self.code = done.code
        self.err = done.err
        self.values = {}
        for line in done.out.splitlines():
            batch = json.loads(line)
            self.values[batch["input"]] = batch["readings"][0]["values"]


class InVirtualMachine(unittest.TestCase):
    machine = None

    def setUp(self):
        if InVirtualMachine.machine is None:
            InVirtualMachine.machine = self._find_machine()
        self.machine = InVirtualMachine.machine

    def _find_machine(self):
        machine = shared_machine()
        if machine.is_running():
            return machine
        try:
            machine = start()
        except Missing as reason:
            self.skipTest(str(reason))
        atexit.register(machine.destroy)
        return machine

    def put(self, path, text):
        """As a shell's redirection would, which files of the kernel want."""
        self.machine.run(f"echo '{text}' >'{path}'")

    def parameter(self, name, value):
        """Of the fake board, until the test ends."""
        path = f"/sys/module/fake_board/parameters/{name}"
        before = self.machine.read(path).strip()
        self.addCleanup(self.put, path, before)
        self.put(path, value)

    def write_paced(self, path, thread, times, period_us, *texts):
        self.machine.run(f"python3 -B {SOURCE}/tests/vm/paced_writes.py {path} {thread} {times} {period_us} {' '.join(texts)}", 600)

    @staticmethod
    def config(*inputs):
        return {"agent": {"id": "gw-17"}, "broker": {"servers": []},
                "buffer": {"durability": "strict", "commit_interval": "100ms"},
                "batch": {"max_delay": "100ms", "timestamp_unit": "us"}, "input": list(inputs)}

    def sample(self, *inputs):
        path = f"/srv/{self.id()}.toml"
        self.machine.write(path, to_toml(self.config(*inputs)))
        return Sampled(self.machine.command(f"{HOLDFAST} test --json --config {path}", TIMEOUT))

    def sample_one(self, plugin, **options):
        """The values of an input from which one sample has to come without a word."""
        sampled = self.sample({"name": "it", "plugin": plugin, "interval": "5s", "options": options})
        self.assertEqual((sampled.code, sampled.err), (0, ""))
        return sampled.values["it"]

    def run_agent(self, *inputs):
        return self.run_configured(self.config(*inputs))

    def run_configured(self, config, **options):
        agent = RunningAgent(self.machine, self.id(), config, **options)
        self.addCleanup(agent.end)
        return agent


class RunningAgent:
    """`holdfast run` in the virtual machine, as a unit of its systemd; its state is on a small disk of its own when that has a size."""

    def __init__(self, machine, name, config, disk="", properties=()):
        self.machine = machine
        # The path of a socket has at most 107 bytes.
        self.unit = f"agent-{name.rsplit('.', 1)[-1][:50]}".replace("_", "-")
        self.directory = f"/srv/{self.unit}"
        self.state = f"{self.directory}/state"
        self.places = f"--config {self.directory}/holdfast.toml --state-dir {self.state} --runtime-dir {self.directory}"
        self.properties = " ".join(f"-p {each}" for each in properties)
        machine.run(f"rm -rf {self.directory} && mkdir -p {self.state}")
        if disk:
            machine.run(f"cd {self.directory} && truncate -s {disk} disk && mkfs.ext4 -q -m 0 disk && mount -o loop disk {self.state}")
        machine.write(f"{self.directory}/holdfast.toml", to_toml(config))
        self.start()

    def start(self):
        self.machine.run(f"systemd-run -q --collect --unit={self.unit} {self.properties} {HOLDFAST} run {self.places}")

    def end(self):
        self.stop()
        self.machine.command(f"umount {self.state}")

    def status(self):
        done = self.machine.command(f"{HOLDFAST} status --json {self.places}", TIMEOUT)
        return json.loads(done.out) if done.code == 0 else None

    def wait_status(self, condition, what):
        """The first status for which condition(status) holds."""
        seen = None

        def holds():
            nonlocal seen
            status = self.status()
            if not status and self.machine.command(f"systemctl is-active {self.unit}").code != 0:
                raise AssertionError(f"the agent ended: {self.log()}")
            seen = status or seen
            return seen if seen and condition(seen) else None
        return wait_until(holds, lambda: f"{what}; last seen: {seen}; log: {self.log()}", TIMEOUT, 0.5)

    def wait_inputs(self, condition, what):
        """The inputs by name, when condition(inputs) holds."""
        def by_name(status):
            return {entry["name"]: entry for entry in status["inputs"]}
        return by_name(self.wait_status(lambda status: condition(by_name(status)), what))

    def wait_readings(self, count, name="it"):
        return self.wait_inputs(lambda inputs: inputs[name]["readings"] >= count, f"{count} readings of {name}")[name]

    def wait_more(self, count, name="it"):
        now = self.wait_readings(0, name)["readings"]
        return self.wait_readings(now + count, name)

    def stop(self):
        self.machine.command(f"systemctl stop {self.unit}", TIMEOUT)

    def log(self):
        return self.machine.command(f"journalctl -o cat -n 40 -u {self.unit}").out

    def readings(self, name="it"):
        """All that it has read, after it has stopped."""
        self.stop()
        lines = self.machine.run(f"{HOLDFAST} buffer export {self.places}", TIMEOUT).splitlines()
        batches = [json.loads(line) for line in lines]
        return [reading for batch in batches if batch["input"] == name for reading in batch["readings"]]
