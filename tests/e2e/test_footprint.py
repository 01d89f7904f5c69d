"""What the agent costs a small gateway."""
import glob
import os
import shutil
import subprocess
import unittest

from agent import BUILD
from case import FIXTURES, SANITIZED, EndToEnd, needs
from processes import pss_kib

# Sets of files that do not overlap: one machine with a bit of everything.
BOARDS = ("raspberry-pi-4", "raspberry-pi-w1", "raspberry-pi-iio")
FAKE_DEVICES = os.path.join(BUILD, "tests", "libfake_devices.so")
OPTIONS = {
    "exec": {"command": ["sh", "-c", "echo 1; exec sleep 600"], "mode": "stream", "format": "value"},
    "gpio": {"lines": {"door": "gpiochip0:0 edges", "pump": "gpiochip0:1"}},
    "i2c": {"chip": "registers", "bus": "1", "address": "0x20", "registers": {"level": "0x10"}},
    "simulator": {"rate": 0.2},
}
# How many inputs of each plugin make twenty.
TWENTY = {"exec": 2, "file": 3, "gpio": 2, "hwmon": 3, "i2c": 3, "iio": 2, "simulator": 1, "system": 2, "w1": 2}


@unittest.skipIf(SANITIZED, "sanitizers multiply memory and size")
class Footprint(EndToEnd):
    def test_daemon_and_idle_system_host_take_less_than_10_mib(self):
        broker = self.make_broker()
        agent = self.make_agent(self.config(broker, {"name": "host", "plugin": "system", "interval": "10s"}))
        status = agent.wait_status(lambda s: s["forward"]["acked_readings"] >= 1, "a reading acknowledged")
        daemon, host = pss_kib(agent.process.pid), pss_kib(status["inputs"][0]["pid"])
        print(f"PSS: daemon {daemon} KiB, system host {host} KiB", flush=True)
        self.assertLess(daemon + host, 10 * 1024)

    def make_root(self):
        root = os.path.join(self.make_directory("root"), "root")
        for board in BOARDS:
            shutil.copytree(os.path.join(FIXTURES, board), root, symlinks=True, dirs_exist_ok=True)
        return root

    def input(self, plugin, number=0):
        options = dict(OPTIONS.get(plugin, {}))
        if plugin == "file":
            path = os.path.join(self.directory, "meter.json")
            with open(path, "w", encoding="ascii") as file:
                file.write('{"flow": 1.5}\n')
            options["path"] = path
        return {"name": f"{plugin}-{number}", "plugin": plugin, "interval": "1s", "options": options}

    def run_inputs(self, broker, inputs):
        """The agent, and its status when each input gave two readings, or all that it will give."""
        agent = self.make_agent(self.config(broker, *inputs), started=False)
        agent.sensor_root = self.make_root()
        agent.start({"LD_PRELOAD": FAKE_DEVICES})
        status = agent.wait_status(lambda s: all(entry["readings"] >= (1 if entry["plugin"] == "exec" else 2)
                                                 for entry in s["inputs"]), "readings of all", timeout=60)
        self.assertEqual([entry for entry in status["inputs"] if entry["restarts"] or entry["state"] != "running"], [])
        return agent, status

    @needs(timeout=300)
    def test_idle_host_of_each_plugin_takes_less_than_1_mib(self):
        plugins = sorted(os.path.basename(path)[:-3] for path in glob.glob(os.path.join(BUILD, "bin", "plugins", "*.so")))
        self.assertEqual(plugins, sorted(TWENTY), "a plugin is missing here")
        sizes = {}
        for plugin in plugins:
            agent, status = self.run_inputs(None, [self.input(plugin)])
            sizes[plugin] = pss_kib(status["inputs"][0]["pid"])
            agent.kill()
        print(f"PSS of a host alone: {sizes} KiB", flush=True)
        self.assertEqual({plugin: size for plugin, size in sizes.items() if size >= 1024}, {})

    @needs(timeout=180)
    def test_twenty_inputs_take_less_than_24_mib(self):
        inputs = [self.input(plugin, number) for plugin, count in TWENTY.items() for number in range(count)]
        self.assertEqual(len(inputs), 20)
        agent, status = self.run_inputs(self.make_broker(), inputs)
        status = agent.wait_status(lambda s: s["forward"]["acked_readings"] >= 40, "readings acknowledged")
        daemon = pss_kib(agent.process.pid)
        hosts = {entry["name"]: pss_kib(entry["pid"]) for entry in status["inputs"]}
        print(f"PSS: daemon {daemon} KiB, hosts {sum(hosts.values())} KiB: {hosts}", flush=True)
        self.assertLess(daemon + sum(hosts.values()), 24 * 1024)

    def test_stripped_programs_and_plugins_take_less_than_2_mib(self):
        plugins = sorted(glob.glob(os.path.join(BUILD, "bin", "plugins", "*.so")))
        bundled = [path for path in plugins if os.path.basename(path) in ("exec.so", "simulator.so", "system.so")]
        self.assertEqual(len(bundled), 3)
        total = 0
        for path in [os.path.join(BUILD, "bin", name) for name in ("holdfast", "plugin-host")] + bundled:
            stripped = os.path.join(self.directory, os.path.basename(path))
            subprocess.run(["strip", "-o", stripped, path], check=True, timeout=60)
            size = os.path.getsize(stripped)
            print(f"{os.path.basename(path)}: {size} bytes stripped", flush=True)
            total += size
        self.assertLess(total, 2 << 20)
