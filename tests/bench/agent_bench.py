#!/usr/bin/python3
"""The agent as a whole against SQLite alone and Paho alone: intake, start, drain, memory and delay of live readings.

HOLDFAST_BUILD names the build directory, which was configured with -DHOLDFAST_BENCH=ON. Works below the directory
of temporary files (TMPDIR). Exits with 1 when a figure misses its limit.
"""
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "e2e")]
sys.dont_write_bytecode = True

from agent import BUILD, Agent  # noqa: E402
from broker import Broker, free_port  # noqa: E402
from certificates import Authority  # noqa: E402
from figures import Table  # noqa: E402
from paho_client import make_client  # noqa: E402
from processes import cpu_seconds, tree_pss_kib  # noqa: E402
from waiting import wait_until  # noqa: E402

AGENT_ID = "gw-17"
BACKLOGS = (10_000, 1_000_000, 10_000_000)
INTAKE_WINDOW = 2_000_000  # readings taken in beyond each backlog to measure
WINDOW = 20                # max_in_flight, the default
PEER_MESSAGES = 30_000


def named(what, backlog):
    return f"{what}, backlog of " + (f"{backlog // 1_000_000} M" if backlog >= 1_000_000 else f"{backlog // 1000} k")


class Listener:
    """Calls `arrived(payload)` for each message on the input's topic."""

    def __init__(self, broker, authority, name, arrived):
        ready = threading.Event()
        self._client = make_client(client_id=f"listener-{name}")
        self._client.tls_set(authority.cert)
        self._client.on_connect = lambda client, *_: client.subscribe(f"holdfast/{AGENT_ID}/{name}", 0)
        self._client.on_subscribe = lambda *_: ready.set()
        self._client.on_message = lambda _client, _data, message: arrived(message.payload)
        self._client.connect("localhost", broker.port)
        self._client.loop_start()
        if not ready.wait(20):
            raise AssertionError("could not subscribe within 20 s")

    def stop(self):
        self._client.disconnect()
        self._client.loop_stop()


class Bench:
    def __init__(self, directory):
        self.directory = directory
        self.authority = Authority(directory)
        self.table = Table()
        self.backlogs = {}  # state directories by size of the backlog, made once and copied
        self.broker = Broker(self._new_directory("broker"), self.authority, self.authority.server(), plain=True)

    def _new_directory(self, prefix):
        return tempfile.mkdtemp(prefix=prefix + "-", dir=self.directory)

    def _config(self, port, *inputs, batch=None):
        return {"agent": {"id": AGENT_ID},
                "broker": {"servers": [f"mqtts://localhost:{port}"], "max_in_flight": WINDOW, "backoff_initial": "50ms",
                           "tls": {"ca_file": self.authority.cert}},
                "batch": batch or {}, "input": list(inputs)}

    @staticmethod
    def _simulator(name, **options):
        return {"name": name, "plugin": "simulator", "options": options}

    def _agent(self, config, backlog=None):
        agent = Agent(self._new_directory("agent"), config)
        if backlog:
            shutil.copytree(self.backlogs[backlog], agent.state_dir, dirs_exist_ok=True)
        return agent

    def _raw_sqlite(self):
        done = subprocess.run([os.path.join(BUILD, "bin", "bench_raw_sqlite"), self.directory, "2000"],
                              capture_output=True, text=True, check=True)
        return float(done.stdout)

    def _bare_paho(self, payload_bytes):
        """Messages per second."""
        done = subprocess.run([os.path.join(BUILD, "bin", "bench_paho_publisher"), f"ssl://localhost:{self.broker.port}",
                               self.authority.cert, f"holdfast/{AGENT_ID}/sim", str(payload_bytes), str(PEER_MESSAGES),
                               str(WINDOW)], capture_output=True, text=True, check=True)
        return float(done.stdout.split()[0])

    def intake(self):
        """Simulator at rate 0, the broker away, from nothing to beyond the largest backlog."""
        raw = [self._raw_sqlite()]
        count = BACKLOGS[-1] + INTAKE_WINDOW
        agent = self._agent(self._config(free_port(), self._simulator("sim", rate=0, count=count)))
        samples = []
        agent.start()
        try:
            def all_committed(status):
                if status["inputs"]:
                    samples.append((time.monotonic(), status["inputs"][0]["readings"], cpu_seconds(agent.process.pid)))
                return status["buffer"]["committed_readings"] == count
            status = agent.wait_status(all_committed, "all readings committed", timeout=300)
        finally:
            agent.terminate(60)
        raw.append(self._raw_sqlite())
        first = None
        for backlog in BACKLOGS:
            inside = [sample for sample in samples if backlog <= sample[1] < min(backlog + INTAKE_WINDOW, count)]
            taken_in = inside[-1][1] - inside[0][1]
            self.table.add(named("intake, readings/s", backlog), taken_in / (inside[-1][0] - inside[0][0]),
                           statistics.mean(raw), least_ratio=0.4, enough=400_000)
            # Flat or not is seen in processor time: speeds of different seconds differ on a busy machine.
            cpu = 1e6 * (inside[-1][2] - inside[0][2]) / taken_in
            self.table.add(named("intake, us of the daemon's processor time per reading", backlog), cpu, first,
                           most_ratio=1.2 if first else None)
            first = first or cpu
        self.table.add("written, bytes/reading", status["buffer"]["written_bytes"] / count, most=30)
        self.table.add("size of the file, bytes/reading",
                       os.path.getsize(os.path.join(agent.state_dir, "buffer.db")) / count, most=14)

    def make_backlogs(self):
        for count in BACKLOGS:
            agent = self._agent(self._config(free_port(), self._simulator("sim", rate=0, count=count)))
            agent.start()
            agent.wait_status(lambda s: s["buffer"]["committed_readings"] == count, "the backlog", timeout=300)
            agent.terminate(60)
            self.backlogs[count] = agent.state_dir

    def start(self, backlog):
        """Returns the size of the first message."""
        arrived = []
        listener = Listener(self.broker, self.authority, "sim",
                            lambda payload: arrived or arrived.append((time.monotonic(), len(payload))))
        agent = self._agent(self._config(self.broker.port), backlog)
        began = time.monotonic()
        agent.start()
        wait_until(lambda: arrived, "a first message", interval=0.01)
        agent.kill()
        listener.stop()
        self.table.add(named("start to the first message at the broker, s", backlog), arrived[0][0] - began, most=1)
        return arrived[0][1]

    def memory_at_rest(self, backlog):
        agent = self._agent(self._config(free_port()), backlog)
        agent.start()
        agent.wait_status(lambda s: s["buffer"]["readings"] == backlog and s["broker"]["last_error"], "a failed attempt")
        self.table.add(named("memory at rest, PSS of the tree, MiB", backlog),
                       tree_pss_kib(agent.process.pid) / 1024, most=24)
        agent.terminate(60)

    def drain(self, backlog, payload_bytes):
        """Returns samples of time, readings acknowledged and processor seconds; None for a small backlog."""
        peer = [self._bare_paho(payload_bytes)]
        agent = self._agent(self._config(self.broker.port), backlog)
        samples, memory = [], []
        agent.start()

        def drained(status):
            samples.append((time.monotonic(), status["forward"]["acked_readings"], cpu_seconds(agent.process.pid)))
            memory.append(tree_pss_kib(agent.process.pid) / 1024)
            return status["buffer"]["readings"] == 0
        wait_until(lambda: (status := agent.status()) and drained(status), "the backlog drained", timeout=300, interval=0.01)
        written = agent.wait_status(lambda s: s["buffer"]["bytes"] < 1 << 20, "the file shrunk")["buffer"]["written_bytes"]
        agent.terminate(60)
        peer.append(self._bare_paho(payload_bytes))
        samples = [sample for sample in samples if sample[1] > 0]
        if backlog < 1_000_000:
            return None  # it is over too soon for a rate
        self.table.add(named("written by the drain, bytes/reading", backlog), written / backlog)
        seconds = samples[-1][0] - samples[0][0]
        readings = samples[-1][1] - samples[0][1]
        self.table.add(named("drain over TLS, QoS 1, readings/s", backlog), readings / seconds,
                       100 * statistics.mean(peer), least_ratio=0.35)
        self.table.add(named("memory while it drains, PSS of the tree, MiB", backlog), max(memory), most=24)
        half = len(memory) // 2
        self.table.add(named("memory of the second half against the first", backlog), max(memory[half:]),
                       max(memory[:half]), most_ratio=1.1)
        return samples

    def cpu(self, samples, backlog):
        """Of a drain, by how much of it was left: first, around a million, the last."""
        def per_million(most_left, least_left):
            inside = [sample for sample in samples if least_left <= backlog - sample[1] <= most_left]
            return (inside[-1][2] - inside[0][2]) / (inside[-1][1] - inside[0][1]) * 1e6
        last = per_million(1_000_000, 10_000)
        self.table.add("CPU of the drain at its end (1 M to 10 k), s per M readings", last)
        self.table.add("the same at 2 M", per_million(2_000_000, 1_000_000), last, most_ratio=1.3)
        self.table.add("the same at 10 M", per_million(10_000_000, 9_000_000), last, most_ratio=1.3)

    def live(self, backlog, rate):
        """Delay of live readings beside the drain: from their time stamp to the arrival."""
        delays = []

        def arrived(payload):
            now = time.time() * 1000
            delays.extend(now - reading["ts"] for reading in json.loads(payload)["readings"])
        listener = Listener(self.broker, self.authority, "live", arrived)
        agent = self._agent(self._config(self.broker.port, self._simulator("live", rate=rate), batch={"max_delay": "100ms"}),
                            backlog)
        agent.start()
        wait_until(lambda: (status := agent.status()) and status["buffer"]["readings"] < 1000, "the backlog drained", 300)
        measured = sorted(delays)
        listener.stop()
        agent.terminate(60)
        self.table.add(named(f"live reading at {rate} Hz to the broker, p99, ms", backlog),
                       measured[int(0.99 * len(measured))], most=1000)


def main():
    with tempfile.TemporaryDirectory(prefix="holdfast-bench-") as directory:
        bench = Bench(directory)
        bench.intake()
        bench.make_backlogs()
        bench.broker.start()
        try:
            for backlog in BACKLOGS:
                payload_bytes = bench.start(backlog)
            bench.memory_at_rest(BACKLOGS[-1])
            for backlog in BACKLOGS:
                samples = bench.drain(backlog, payload_bytes)
            bench.cpu(samples, BACKLOGS[-1])
            bench.live(1_000_000, 50)
            bench.live(BACKLOGS[-1], 50)
        finally:
            bench.broker.stop()
    return 1 if bench.table.missed else 0


if __name__ == "__main__":
    sys.exit(main())
