#!/usr/bin/python3
"""footprint_bench.py DEB...: what the agent takes of a gateway, as docs/resource-limits.md has it: sizes of the packages of each
architecture; memory, processor time and bytes written of the one that this machine can run.

The programs are those of the package. Each figure is over HOLDFAST_SECONDS (60) at a constant rate."""
import glob
import os
import shutil
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "e2e")]
sys.dont_write_bytecode = True
SECONDS = float(os.environ.get("HOLDFAST_SECONDS", 60))
RATES = (10, 100, 1000)


def field(deb, name):
    return subprocess.run(["dpkg-deb", "-f", deb, name], check=True, capture_output=True, text=True).stdout.strip()


def sizes(deb, directory):
    """Bytes of the package and of the files in it; Installed-Size rounds each file up to a KiB."""
    subprocess.run(["dpkg-deb", "-x", deb, directory], check=True)
    inside = sum(os.path.getsize(os.path.join(folder, name)) for folder, _, names in os.walk(directory) for name in names
                 if not os.path.islink(os.path.join(folder, name)))
    print(f"{field(deb, 'Package'):<28} {field(deb, 'Architecture'):<6} package {os.path.getsize(deb) / 1000:8.0f} kB   "
          f"files {inside / 1000:8.0f} kB   Installed-Size {field(deb, 'Installed-Size')} KiB", flush=True)


def lay_out(installed, build):
    """The programs of a package, side by side as in a build tree."""
    os.makedirs(os.path.join(build, "bin"))
    for program in ("usr/bin/holdfast", "usr/libexec/holdfast/plugin-host"):
        shutil.copy2(os.path.join(installed, program), os.path.join(build, "bin"))
    shutil.copytree(glob.glob(os.path.join(installed, "usr/lib/*/holdfast/plugins"))[0], os.path.join(build, "bin/plugins"))


class Footprint:
    def __init__(self, directory):
        from certificates import Authority
        self.directory = directory
        self.authority = Authority(directory)
        self.server_pair = self.authority.server()

    def _config(self, port, durability, entry):
        return {"agent": {"id": "gw-17"},
                "broker": {"servers": [f"mqtts://localhost:{port}"], "tls": {"ca_file": self.authority.cert}},
                "buffer": {"durability": durability}, "input": [entry]}

    def measure(self, name, entry, durability="offline", away=False):
        from agent import Agent
        from broker import Broker, free_port
        broker = None
        if not away:
            broker = Broker(tempfile.mkdtemp(dir=self.directory), self.authority, self.server_pair, plain=True)
            broker.start()
        agent = Agent(tempfile.mkdtemp(dir=self.directory), self._config(broker.port if broker else free_port(), durability, entry))
        agent.start()
        try:
            if broker:
                agent.wait_status(lambda s: s["forward"]["acked_readings"] > 0, "a reading acknowledged")
            else:
                agent.wait_status(lambda s: s["buffer"]["committed_readings"] > 0, "a reading on the disk")
            self._figures(name, agent)
        finally:
            agent.terminate()
            if broker:
                broker.stop()

    @staticmethod
    def _figures(name, agent):
        from processes import cpu_seconds, descendants, pss_kib
        pids = [agent.process.pid, *descendants(agent.process.pid)]

        def look():
            return sum(map(cpu_seconds, pids)), agent.status()["buffer"]["written_bytes"], time.monotonic()
        before = look()
        time.sleep(SECONDS)  # the span over which is measured
        after = look()
        span = after[2] - before[2]
        daemon, hosts = pss_kib(pids[0]), sum(map(pss_kib, pids[1:]))
        print(f"{name:<44} PSS {daemon / 1024:5.1f} + {hosts / 1024:4.1f} MiB   CPU {(after[0] - before[0]) / span * 100:6.2f} %   "
              f"written {(after[1] - before[1]) / span * 86400 / 1e6:9.1f} MB/day", flush=True)

    def all(self):
        self.measure("idle: system input, 10 s", {"name": "host", "plugin": "system", "interval": "10s"})
        for rate in RATES:
            entry = {"name": "sim", "plugin": "simulator", "options": {"rate": rate}}
            self.measure(f"{rate} readings/s, offline", entry)
            self.measure(f"{rate} readings/s, strict", entry, durability="strict")
            self.measure(f"{rate} readings/s, broker away", entry, away=True)


def main():
    own = subprocess.run(["dpkg", "--print-architecture"], check=True, capture_output=True, text=True).stdout.strip()
    with tempfile.TemporaryDirectory(prefix="holdfast-footprint-") as directory:
        installed = None
        for deb in sys.argv[1:]:
            place = tempfile.mkdtemp(dir=directory)
            sizes(deb, place)
            if field(deb, "Package") == "holdfast" and field(deb, "Architecture") == own:
                installed = place
        if installed:
            os.environ["HOLDFAST_BUILD"] = os.path.join(directory, "build")
            lay_out(installed, os.environ["HOLDFAST_BUILD"])
            Footprint(directory).all()


if __name__ == "__main__":
    main()
