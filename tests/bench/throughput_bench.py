#!/usr/bin/python3
"""The agent online, over TLS at QoS 1, beside bare Paho publishers and a mosquitto bridge that send the same messages.

Every one shares the machine with the same broker and one subscriber. HOLDFAST_BUILD names the build directory, which was
configured with -DHOLDFAST_BENCH=ON. Exits with 1 when a figure misses its limit.
"""
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "e2e")]
sys.dont_write_bytecode = True

from agent import BUILD, Agent  # noqa: E402
from broker import Broker, free_port  # noqa: E402
from certificates import Authority  # noqa: E402
from figures import Table  # noqa: E402
from processes import cpu_seconds, descendants  # noqa: E402
from waiting import wait_until  # noqa: E402

AGENT_ID = "gw-17"
TOPIC = f"holdfast/{AGENT_ID}/sim"
WINDOW = 100
ROUNDS = int(os.environ.get("HOLDFAST_ROUNDS", "3"))


def ask_status(agent):
    """Without the command, which would take a good part of a core at this rate."""
    with socket.socket(socket.AF_UNIX) as control:
        control.connect(os.path.join(agent.runtime_dir, "control.sock"))
        control.sendall(b"status json\n")
        return json.loads(b"".join(iter(lambda: control.recv(65536), b"")))


class Bench:
    def __init__(self, directory):
        self.directory = directory
        self.table = Table()
        self.authority = Authority(directory)
        self.plain_port = free_port()
        self.broker = Broker(self._new_directory(), self.authority, self.authority.server(), plain=True,
                             extra=[f"listener {self.plain_port} 127.0.0.1", "max_inflight_messages 0"])

    def _new_directory(self):
        return tempfile.mkdtemp(dir=self.directory)

    def subscribe(self):
        return subprocess.Popen(["mosquitto_sub", "-p", str(self.plain_port), "-q", "1", "-t", "#", "-F", "%l", "-W", "300"],
                                stdout=subprocess.PIPE, text=True)

    def publisher(self, language, payload_bytes, messages):
        """Messages per second."""
        done = subprocess.run([os.path.join(BUILD, "bin", f"bench_paho{language}_publisher"),
                               f"ssl://localhost:{self.broker.port}", self.authority.cert, TOPIC, str(payload_bytes),
                               str(messages), str(WINDOW)], capture_output=True, text=True, check=True)
        return float(done.stdout.split()[0])

    def bridge(self, payload_bytes, messages):
        """Messages per second of a mosquitto that was offline while they came."""
        bridge = Broker(self._new_directory(), self.authority, None, tls=False, plain=True, extra=[
            "connection up", f"address localhost:{self.broker.port}", f"bridge_cafile {self.authority.cert}",
            "bridge_protocol_version mqttv50", f"max_inflight_messages {WINDOW}", "topic # out 1", "restart_timeout 5 5",
            "notifications false", "try_private false"])
        self.broker.stop()
        bridge.start()
        try:
            subprocess.run(["mosquitto_pub", "-p", str(bridge.port), "-q", "1", "-t", TOPIC, "-l"],
                           input=("x" * payload_bytes + "\n") * messages, text=True, check=True)
            self.broker.start()
            return self._rate_of_arrival(self.subscribe(), messages)
        finally:
            bridge.stop()

    @staticmethod
    def _rate_of_arrival(subscriber, messages):
        """Over the middle eight tenths."""
        times = {}
        for number, line in enumerate(subscriber.stdout):
            if number in (messages // 10, messages * 9 // 10):
                times[number] = time.monotonic()
                if len(times) == 2:
                    break
        subscriber.terminate()
        subscriber.wait(20)
        if len(times) < 2:
            raise AssertionError("the bridge was there before the subscriber")
        first, last = sorted(times.items())
        return (last[0] - first[0]) / (last[1] - first[1])

    def agent(self, readings, batch, durability):
        """Readings per second, and CPU seconds of the process tree per million of them."""
        simulator = {"name": "sim", "plugin": "simulator", "options": {"rate": 0, "count": readings}}
        agent = Agent(self._new_directory(), {
            "agent": {"id": AGENT_ID}, "input": [simulator], "batch": {"max_readings": batch},
            "buffer": {"durability": durability},
            "broker": {"servers": [f"mqtts://localhost:{self.broker.port}"], "max_in_flight": WINDOW,
                       "backoff_initial": "10ms", "status_topic": "", "tls": {"ca_file": self.authority.cert}}})
        samples = []
        agent.start()
        try:
            agent.wait_connected()

            def all_acknowledged():
                acked = ask_status(agent)["forward"]["acked_readings"]
                pids = [agent.process.pid, *descendants(agent.process.pid)]
                samples.append((time.monotonic(), acked, sum(map(cpu_seconds, pids))))
                return acked == readings
            wait_until(all_acknowledged, "everything acknowledged", timeout=300, interval=0.02)
        finally:
            agent.terminate(60)
        began = next(i for i, sample in enumerate(samples) if sample[1] > 0)
        first, last = samples[max(0, began - 1)], samples[-1]
        return (last[1] - first[1]) / (last[0] - first[0]), 1e6 * last[2] / readings

    def compare(self, name, batch, payload_bytes, messages, least_ratio, peers):
        """The agent in both durabilities, a bare publisher before and after each run."""
        rates = {"offline": [], "strict": []}
        cpu, bare, bare_c = [], [], []
        subscriber = self.subscribe()
        drain = subprocess.Popen(["cat"], stdin=subscriber.stdout, stdout=subprocess.DEVNULL)
        try:
            for _ in range(ROUNDS):
                bare.append(self.publisher("_cpp", payload_bytes, messages))
                bare_c.append(self.publisher("", payload_bytes, messages))
                for durability, found in rates.items():
                    rate, seconds = self.agent(messages * batch, batch, durability)
                    found.append(rate)
                    cpu.append(seconds)
        finally:
            subscriber.terminate()
            subscriber.wait(20)
            drain.wait(20)
        peer = batch * statistics.median(bare)
        for durability, found in rates.items():
            self.table.add(f"{name}, {durability}, readings/s, beside Paho C++", statistics.median(found), peer,
                           least_ratio=least_ratio)
        self.table.add(f"{name}, Paho C, readings/s, beside Paho C++", batch * statistics.median(bare_c), peer)
        if batch > 1:
            self.table.add(f"{name}, CPU of the process tree, s per M readings", statistics.median(cpu), most=2)
        if peers:
            self.table.add(f"{name}, mosquitto bridge, readings/s, beside Paho C++",
                           batch * self.bridge(payload_bytes, messages), peer)


def message_bytes(directory, batch):
    """Of a message with so many of the simulator's readings."""
    agent = Agent(tempfile.mkdtemp(dir=directory), {
        "agent": {"id": AGENT_ID}, "batch": {"max_readings": batch},
        "input": [{"name": "sim", "plugin": "simulator", "options": {"rate": 0, "count": 20 * batch}}]})
    agent.start()
    agent.wait_status(lambda s: s["buffer"]["readings"] == 20 * batch, "the readings")
    exported = agent.command("buffer", "export").stdout.splitlines()
    agent.terminate(60)
    return int(statistics.mean(len(line) for line in exported))


def main():
    with tempfile.TemporaryDirectory(prefix="holdfast-bench-") as directory:
        bench = Bench(directory)
        bench.broker.start()
        try:
            bench.compare("1 a message", 1, message_bytes(directory, 1), 60_000, 0.8, peers=True)
            bench.compare("100 a message", 100, message_bytes(directory, 100), 20_000, 0.4, peers=True)
        finally:
            bench.broker.stop()
    return 1 if bench.table.missed else 0


if __name__ == "__main__":
    sys.exit(main())
