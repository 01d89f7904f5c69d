"""What `holdfast discover` finds in the virtual machine, and a plugin that was built from the kit outside the tree."""
import os
import shutil
import subprocess

from case import TIMEOUT, InVirtualMachine
from gpio_chip import GpioChip
from shared_machine import BUILD, HOLDFAST


class Discover(InVirtualMachine):
    def test_all_that_is_there_is_found_and_read(self):
        chip = GpioChip(self)
        path = f"/srv/{self.id()}.toml"
        self.machine.run(f"{HOLDFAST} discover >{path}", TIMEOUT)
        text = self.machine.read(path)
        for found in (chip.name, "lm75", "lm80", "thermal_zone0: fake-board", "28-00000000b001", "28-00000000b002",
                      "iio:device0: board", "SMBus stub driver", "1-0049 (lm75, in use by the driver lm75)"):
            self.assertRegex(text, f"(?m)^# found: .*{found.replace('(', '[(]').replace(')', '[)]')}")
        self.assertIn("configuration is valid", self.machine.run(f"{HOLDFAST} check --config {path}", TIMEOUT))
        table = self.machine.run(f"{HOLDFAST} test --config {path}", TIMEOUT)
        for channel in ("lm75.temp1", "lm80.in0", "thermal.fake-board", "temperature.28-00000000b00[12]",
                        "board.accel_x"):
            self.assertRegex(table, rf"(?m)^  {channel} ")


class PluginKit(InVirtualMachine):
    def build(self):
        """As someone does who has the package holdfast-dev alone."""
        stage = os.path.join(self.machine.directory, "kit")
        shutil.rmtree(stage, ignore_errors=True)
        self.addCleanup(shutil.rmtree, stage, ignore_errors=True)
        done = subprocess.run(["cmake", "--install", BUILD, "--component", "dev", "--prefix", stage], capture_output=True,
                              text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        places = {name: root for root, _, files in os.walk(stage) for name in files}
        done = subprocess.run(["make", "-C", places["load.c"], f"PKG_CONFIG=pkg-config --define-variable=prefix={stage}"],
                              env={**os.environ, "PKG_CONFIG_PATH": places["holdfast-plugin.pc"]}, capture_output=True, text=True,
                              check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return os.path.join(places["load.c"], "load.so")

    def test_a_plugin_built_outside_the_tree_is_listed_documented_tested_and_read(self):
        self.machine.run("mkdir -p /opt/kit")
        with open(self.build(), "rb") as file:
            self.machine.agent.write("/opt/kit/load.so", file.read())
        self.machine.run("chmod 755 /opt/kit/load.so")
        place = "--plugin-dir /opt/kit"
        self.assertRegex(self.machine.run(f"{HOLDFAST} plugins {place}", TIMEOUT), r"(?m)^load\b")
        described = self.machine.run(f"{HOLDFAST} plugins {place} load", TIMEOUT)
        self.assertIn("It takes no options.", described)
        self.machine.run(f"{HOLDFAST} plugin-test /opt/kit/load.so", TIMEOUT)
        self.machine.write("/srv/kit.toml", described[described.index("[[input]]"):])
        self.assertRegex(self.machine.run(f"{HOLDFAST} test {place} --config /srv/kit.toml", TIMEOUT), r"load +\d")
