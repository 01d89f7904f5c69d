"""What a listener on the wire sees."""
import os
import shutil
import subprocess
import unittest

from case import EndToEnd, needs
from waiting import wait_until


class Capture(EndToEnd):
    def start_capture(self, port):
        """Begins to record the port's traffic on loopback; skips the test where that is not permitted."""
        if not shutil.which("tshark"):
            raise unittest.SkipTest("tshark is not installed")
        path = os.path.join(self.make_directory("capture"), "traffic.pcapng")
        capture = subprocess.Popen(["tshark", "-q", "-i", "lo", "-f", f"tcp port {port}", "-w", path],
                                   stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        self.addCleanup(capture.stderr.close)
        self.addCleanup(lambda: capture.poll() is None and (capture.kill(), capture.wait(10)))

        def recording():
            if capture.poll() is not None:
                raise unittest.SkipTest("capturing on loopback is not permitted: " + capture.stderr.read().strip()[-200:])
            return os.path.exists(path) and os.path.getsize(path) > 0
        wait_until(recording, "tshark to record")
        return capture, path

    def record(self, tls):
        broker = self.make_broker(tls=tls)
        capture, path = self.start_capture(broker.port)
        scheme = "mqtts" if tls else "mqtt"
        agent = self.make_agent(self.config([f"{scheme}://localhost:{broker.port}"], self.simulator(rate=50)))
        before = os.path.getsize(path)
        agent.wait_status(lambda s: s["forward"]["acked_readings"] >= 50, "readings acknowledged")
        agent.terminate()
        wait_until(lambda: os.path.getsize(path) > before + 1000, "the traffic in the file")
        capture.terminate()
        capture.wait(20)
        with open(path, "rb") as file:
            return path, file.read()

    @needs(timeout=90)
    def test_the_wire_shows_tls_and_neither_topic_nor_payload(self):
        path, traffic = self.record(tls=True)
        shown = subprocess.run(["tshark", "-r", path, "-Y", "tls.app_data", "-T", "fields", "-e", "tls.record.version"],
                               capture_output=True, text=True, timeout=60, check=False)
        # The port is not 8883: tell tshark nothing, its heuristics find TLS by itself.
        self.assertGreater(len(shown.stdout.split()), 5, shown.stderr)
        for secret in (b"holdfast/", b"gw-17", b"readings", b"plant-3", b"online"):
            self.assertNotIn(secret, traffic)

    @needs(timeout=90)
    def test_the_same_search_finds_them_in_plain_traffic(self):
        # Without this the test above could not fail.
        _, traffic = self.record(tls=False)
        for told in (b"holdfast/gw-17/sim", b'"readings"', b"plant-3", b"online"):
            self.assertIn(told, traffic)
