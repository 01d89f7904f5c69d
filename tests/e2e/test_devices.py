"""An input whose device is missing waits for it, and is tried as soon as the device is there."""
import os

from agent import BUILD
from case import EndToEnd, needs

# The kernel repeats a device's event when root writes to it.
UEVENT = "/sys/devices/virtual/mem/null/uevent"
# An input that has failed is tried every five minutes: who comes back within this was told of its device.
SOON = 60


class Devices(EndToEnd):
    def start_without(self, path):
        """An agent with an input that was given up, as the FIFO that it listens to is not there."""
        agent = self.make_agent(self.config(None, {"name": "meter", "plugin": "listener", "options": {"path": path}}),
                                started=False)
        agent.plugin_dir = os.path.join(BUILD, "tests", "plugins")
        agent.sensor_root = self.make_directory("root")
        os.mkdir(os.path.join(agent.sensor_root, "dev"))
        agent.start()
        status = agent.wait_status(lambda s: s["inputs"][0]["state"] == "failed", "given up", timeout=SOON)
        self.assertIn("No such file", status["inputs"][0]["last_error"])
        return agent

    def assert_comes_back(self, agent, path):
        agent.wait_status(lambda s: s["inputs"][0]["state"] == "running" and s["inputs"][0]["pid"], "running", SOON)
        with open(path, "w", encoding="ascii") as fifo:
            fifo.write("a line\n")
        agent.wait_status(lambda s: s["inputs"][0]["readings"] == 1, "its reading")

    @needs(timeout=240)
    def test_a_device_node_that_appears_brings_its_input_back(self):
        path = os.path.join(self.make_directory("nodes"), "meter")
        agent = self.start_without(path)
        os.mkfifo(path)
        open(os.path.join(agent.sensor_root, "dev", "meter"), "w", encoding="ascii").close()
        self.assert_comes_back(agent, path)

    @needs(timeout=240)
    def test_a_device_that_the_kernel_reports_brings_its_input_back(self):
        if not os.access(UEVENT, os.W_OK):
            self.skipTest(f"cannot write {UEVENT}")
        path = os.path.join(self.make_directory("nodes"), "meter")
        agent = self.start_without(path)
        os.mkfifo(path)
        with open(UEVENT, "w", encoding="ascii") as uevent:
            uevent.write("add")
        self.assert_comes_back(agent, path)
