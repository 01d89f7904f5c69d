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
        agent = RunningAgent(self.machine, self.id(), self.config(*inputs))
        self.addCleanup(agent.stop)
        return agent


class RunningAgent:
    """`holdfast run` in the virtual machine, as a unit of its systemd."""

    def __init__(self, machine, name, config):
        self.machine = machine
        self.unit = f"agent-{name}".replace("_", "-")
        directory = f"/srv/{self.unit}"
        self.places = f"--config {directory}/holdfast.toml --state-dir {directory} --runtime-dir {directory}"
        machine.run(f"rm -rf {directory} && mkdir {directory}")
        machine.write(f"{directory}/holdfast.toml", to_toml(config))
        machine.run(f"systemd-run -q --collect --unit={self.unit} {HOLDFAST} run {self.places}")

    def status(self):
        done = self.machine.command(f"{HOLDFAST} status --json {self.places}", TIMEOUT)
        return json.loads(done.out) if done.code == 0 else None

    def wait_inputs(self, condition, what):
        """The inputs by name, when condition(inputs) holds."""
        seen = None

        def holds():
            nonlocal seen
            status = self.status()
            if not status and self.machine.command(f"systemctl is-active {self.unit}").code != 0:
                raise AssertionError(f"the agent ended: {self.log()}")
            seen = {entry["name"]: entry for entry in status["inputs"]} if status else seen
            return seen if seen and condition(seen) else None
        return wait_until(holds, lambda: f"{what}; last seen: {seen}; log: {self.log()}", TIMEOUT, 0.5)

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
