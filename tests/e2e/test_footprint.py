"""What the agent costs a small gateway."""
import glob
import os
import subprocess
import unittest

from agent import BUILD
from case import SANITIZED, EndToEnd
from processes import pss_kib


@unittest.skipIf(SANITIZED, "sanitizers multiply memory and size")
class Footprint(EndToEnd):
    def test_daemon_and_idle_system_host_take_less_than_10_mib(self):
        broker = self.make_broker()
        agent = self.make_agent(self.config(broker, {"name": "host", "plugin": "system", "interval": "10s"}))
        status = agent.wait_status(lambda s: s["forward"]["acked_readings"] >= 1, "a reading acknowledged")
        daemon, host = pss_kib(agent.process.pid), pss_kib(status["inputs"][0]["pid"])
        print(f"PSS: daemon {daemon} KiB, system host {host} KiB", flush=True)
        self.assertLess(daemon + host, 10 * 1024)

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
