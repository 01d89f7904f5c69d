"""The power is cut off at random moments under load, and the machine boots again from the same disk.

What the agents say of themselves goes out of the machine at once, by a serial port: after the cut nothing in there is believed.
Cut off is QEMU, so what its guest flushed is kept and what it did not is lost, with the guest's memory.
"""
import json
import os
import random
import time
import unittest
from collections import defaultdict

from case import TIMEOUT, InVirtualMachine, to_toml, wait_until
from machine import Machine, Missing
from shared_machine import BUILD, HOLDFAST, IMAGE, SOURCE, boot

CUTS = int(os.environ.get("HOLDFAST_POWER_CUTS", "3"))
RATE = 200              # readings per second of each agent
COMMIT_INTERVAL = 1     # seconds, as by default
SPILL_AFTER = 2
# What a disk adds to a commit interval: each instruction is translated, and others use the machine, too.
ALLOWANCE = 1.0
PORT = "report"
# The third runs on a disk that does not obey: nothing that it asks to be written is waited for. It has to show the losses.
WINDOWS = {"strict": COMMIT_INTERVAL, "offline": SPILL_AFTER + COMMIT_INTERVAL, "unsynced": COMMIT_INTERVAL}
UNIT = f"""[Service]
Type=notify
ExecStart={HOLDFAST} run --config /srv/%i/%p.toml --state-dir /srv/%i/state --runtime-dir /srv/%i/run
EnvironmentFile=-/srv/%i/environment
"""


class Life:
    """What the agents said between their start and the cut."""

    def __init__(self):
        self.reports = defaultdict(list)

    def add(self, line):
        report = json.loads(line)
        self.reports[report["agent"]].append(report)

    def taken(self, agent):
        return self.reports[agent][-1]["readings"] if self.reports[agent] else 0

    def safe(self, agent):
        """So many were on the disk by the agent's own word."""
        return max(report["readings"] - report["in_memory"] for report in self.reports[agent])

    def promised(self, agent, window):
        """So many had been taken in for longer than the window at the moment of the last report, and so at the cut."""
        last = self.reports[agent][-1]["at"]
        return max((report["readings"] for report in self.reports[agent] if report["at"] <= last - window), default=0)

    def lost_seconds(self, agent, kept):
        """How long before the last report the first reading that is lost was taken in."""
        last = self.reports[agent][-1]["at"]
        return last - next((report["at"] for report in self.reports[agent] if report["readings"] > kept), last)


class PowerCuts(unittest.TestCase):
    def setUp(self):
        self.machine = Machine(os.path.join(BUILD, "vm-power"), IMAGE)
        try:
            boot(self.machine, ports=[PORT])
        except Missing as reason:
            self.skipTest(str(reason))
        self.addCleanup(self.machine.destroy)
        self.reported = 0  # bytes of the port's file that were read
        for name in WINDOWS:
            self.make_agent(name)
        for kind in ("live", "check"):
            self.machine.write(f"/etc/systemd/system/{kind}@.service", UNIT)
        self.machine.run(f"cp {SOURCE}/tests/vm/status_reporter.py /srv && systemctl daemon-reload && sync", TIMEOUT)

    def make_agent(self, name):
        simulator = {"name": "sim", "plugin": "simulator", "options": {"rate": RATE}}
        config = InVirtualMachine.config(simulator)
        config["agent"]["id"] = name
        config["buffer"] = {"durability": "offline" if name == "offline" else "strict", "commit_interval": f"{COMMIT_INTERVAL}s",
                            "spill_after": f"{SPILL_AFTER}s"}
        del config["batch"]
        # Nobody listens there: a gateway whose link is away.
        config["broker"] = {"servers": ["mqtts://127.0.0.1:8883"]}
        self.machine.run(f"mkdir -p /srv/{name}/state /srv/{name}/run")
        self.machine.write(f"/srv/{name}/live.toml", to_toml(config))
        self.machine.write(f"/srv/{name}/check.toml", to_toml({**config, "input": []}))
        if name == "unsynced":
            self.machine.write(f"/srv/{name}/environment", "LD_PRELOAD=libeatmydata.so\n")

    def live_until_the_cut(self):
        names = list(WINDOWS)
        self.machine.run(f"systemctl start {' '.join(f'live@{name}' for name in names)}", TIMEOUT)
        sockets = " ".join(f"/srv/{name}/run/control.sock" for name in names)
        self.machine.run(f"systemd-run -q --unit=reporter python3 /srv/status_reporter.py /dev/virtio-ports/{PORT} {sockets}")
        life = Life()
        longest = max(WINDOWS.values()) + ALLOWANCE
        wait_until(lambda: self.read_reports(life) and all(life.promised(name, longest) for name in names),
                   "readings older than each window", TIMEOUT)
        ends = time.monotonic() + random.uniform(0, 2 * longest)
        wait_until(lambda: time.monotonic() >= ends, "the moment of the cut", interval=0.01)
        self.machine.cut_power()
        self.read_reports(life)
        return life

    def read_reports(self, life):
        """Adds the lines that are whole; true when there is something in it."""
        with open(self.machine.file(PORT), "rb") as file:
            file.seek(self.reported)
            lines = file.read().splitlines(keepends=True)
        for line in lines:
            if line.endswith(b"\n"):
                self.reported += len(line)
                life.add(line)
        return life.reports

    def open_again(self, name):
        """What the buffer holds by the agent's own start, by the simulator's number; it is empty afterwards.

        None when it did not start or the buffer was not whole."""
        places = f"--config /srv/{name}/check.toml --state-dir /srv/{name}/state --runtime-dir /srv/{name}/run"
        done = self.machine.command(f"""set -e
            {HOLDFAST} buffer check /srv/{name}/state/buffer.db >&2
            systemctl start check@{name}
            ls /srv/{name}/state >&2
            ! ls /srv/{name}/state/*.corrupt-* 2>/dev/null
            {HOLDFAST} buffer export {places}
            {HOLDFAST} buffer purge --yes {places} >&2
            systemctl stop check@{name}""", TIMEOUT)
        if done.code != 0:
            print(f"{name}: {done.err[-2000:]}", flush=True)
            return None
        batches = [json.loads(line) for line in done.out.splitlines()]
        return sorted(reading["values"]["n"] for batch in batches for reading in batch.get("readings", []))

    def check(self, life, name):
        """That nothing is missing but at the end, and no more than is allowed there; returns for how many seconds."""
        numbers = self.open_again(name)
        self.assertIsNotNone(numbers, f"{name}: it did not start, or its buffer was damaged")
        self.assertEqual(numbers, list(range(len(numbers))), f"{name}: a hole, or a reading twice")
        self.assertGreaterEqual(len(numbers), life.safe(name), f"{name}: what was on the disk is lost")
        self.assertGreaterEqual(len(numbers), life.promised(name, WINDOWS[name] + ALLOWANCE), f"{name}: more than the window is lost")
        return life.lost_seconds(name, len(numbers))

    def bites(self, life):
        """Whether the cut did to the unsynced one what the others are kept from."""
        numbers = self.open_again("unsynced")
        return numbers is None or len(numbers) < life.promised("unsynced", WINDOWS["unsynced"] + ALLOWANCE)

    def test_nothing_is_lost_beyond_the_window_and_no_start_fails(self):
        seed = int(os.environ.get("HOLDFAST_SEED", random.getrandbits(32)))
        random.seed(seed)
        print(f"{CUTS} cuts, HOLDFAST_SEED={seed}", flush=True)
        bitten = 0
        for number in range(1, CUTS + 1):
            life = self.live_until_the_cut()
            began = time.monotonic()
            self.machine.start(ports=[PORT])
            booted = time.monotonic() - began
            tails = {name: self.check(life, name) for name in ("strict", "offline")}
            bitten += self.bites(life)
            print(f"cut {number}: booted in {booted:.0f} s; of {life.taken('strict')} and {life.taken('offline')} taken in, lost "
                  f"the last {tails['strict']:.2f} s of strict and {tails['offline']:.2f} s of offline; unsynced lost more than "
                  f"it may {bitten} times so far", flush=True)
            self.machine.run(f"rm -rf /srv/unsynced/state && mkdir /srv/unsynced/state && sync")
        self.assertGreater(bitten, 0, "the cuts do no harm to one that does not sync: they prove nothing")
