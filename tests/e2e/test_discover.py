"""`holdfast discover` finds what a machine has, and what it prints is a configuration."""
import json
import os
import re
import shutil
import subprocess

from agent import BUILD, HOLDFAST
from case import FIXTURES, EndToEnd

PLUGINS = os.path.join(BUILD, "bin", "plugins")
BOARD = {
    "sys/class/net/eth0/type": "1", "sys/class/net/eth0/operstate": "up",
    "sys/class/net/can0/type": "280", "sys/class/net/can0/operstate": "down",
    "sys/block/mmcblk0/device/name": "SC32G", "sys/block/loop0/size": "0",
    "sys/class/hwmon/hwmon0/name": "cpu_thermal", "sys/class/hwmon/hwmon10/name": "rpi_volt",
    "sys/class/hwmon/hwmon2/name": "ina219",
    "sys/class/thermal/thermal_zone0/type": "cpu-thermal", "sys/class/thermal/cooling_device0/type": "fan",
    "sys/bus/w1/devices/28-000005e2fdc3/name": "28-000005e2fdc3", "sys/bus/w1/devices/26-0000017c1d4f/name": "x",
    "sys/bus/w1/devices/w1_bus_master1/name": "w1_bus_master1",
    "sys/bus/iio/devices/iio:device0/name": "bme280", "sys/bus/iio/devices/trigger0/name": "sysfstrig0",
    "dev/gpiochip0": "", "dev/gpiochip1": "",
    "sys/bus/i2c/devices/i2c-1/name": "bcm2835 (i2c@7e804000)", "sys/bus/i2c/devices/1-0076/name": "bme280",
    "sys/bus/i2c/devices/i2c-PRP0001:00/name": "no bus",
    "sys/class/tty/ttyAMA0/device/name": "", "sys/class/tty/ttyAMA0/type": "32",
    "sys/class/tty/ttyS0/device/name": "", "sys/class/tty/ttyS0/type": "0", "sys/class/tty/tty1/dev": "4:1",
}
# The kernel shows a 1-Wire thermometer as a chip, too.
BOARD["sys/class/hwmon/hwmon3/name"] = "w1_slave_temp"
# What the boards' files have, beside the machine itself.
BOARDS = {
    "raspberry-pi-4": {"host", "board"}, "x86-box": {"host", "board"}, "x86-desktop": {"host", "board"},
    "odroid-xu3": {"host", "board"}, "raspberry-pi-w1": {"host", "thermometers"}, "beaglebone-w1": {"host", "thermometers"},
    "beaglebone-adc": {"host", "iio"}, "raspberry-pi-iio": {"host", "iio"}, "edison-adc": {"host", "iio"},
    "beaglebone-black": {"host"},
}
READS = {"host": "system", "board": "hwmon", "thermometers": "w1", "iio": "iio"}


class Discover(EndToEnd):
    def make_root(self, files):
        root = self.make_directory("root")
        for name, content in files.items():
            path = os.path.join(root, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "wb") as file:
                file.write(content if isinstance(content, bytes) else content.encode() + b"\n")
        return root

    def make_plugins(self, *names):
        directory = self.make_directory("plugins")
        for name in names:
            os.symlink(os.path.join(PLUGINS, f"{name}.so"), os.path.join(directory, f"{name}.so"))
        return directory

    def discover(self, root, plugins):
        done = subprocess.run([HOLDFAST, "discover", "--sensor-root", root, "--plugin-dir", plugins], capture_output=True,
                              text=True, timeout=30, check=False)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return done.stdout

    @staticmethod
    def collected(text):
        return set(re.findall(r'"(\w+)"', re.search(r"^#? ?collect = \[(.*)\]", text, re.M)[1]))

    @staticmethod
    def sample_of_system():
        return subprocess.run([HOLDFAST, "plugins", "system"], capture_output=True, text=True, timeout=30, check=True).stdout

    def assert_valid(self, text, plugins, inputs):
        agent = self.make_agent(text, started=False)
        agent.plugin_dir = plugins
        done = agent.command("check")
        self.assertEqual(done.returncode, 0, done.stderr + text)
        self.assertRegex(done.stdout, rf"\b{inputs} inputs?,")

    def test_everything_on_a_board_is_named_and_read_by_what_is_installed(self):
        plugins = self.make_plugins("system", "hwmon", "w1", "iio", "gpio", "i2c")
        text = self.discover(self.make_root(BOARD), plugins)
        self.assert_valid(text, plugins, len(READS))
        for name, plugin in READS.items():
            self.assertIn(f'\n[[input]]\nname = "{name}"\nplugin = "{plugin}"\n', text)
        for found in ("network: eth0 (up)", "disks: mmcblk0", "hwmon2: ina219", "thermal_zone0: cpu-thermal",
                      "28-000005e2fdc3", "26-0000017c1d4f", "iio:device0: bme280", "gpiochip1",
                      "bus 1: bcm2835 (i2c@7e804000)", "1-0076 (bme280)", "/dev/ttyAMA0", "can0 (down)"):
            self.assertIn(f"# found: {found}\n", text)
        self.assertEqual(self.collected(text) | {"temperature"}, self.collected(self.sample_of_system()),
                         "what is read as usual, but the temperatures, which the board's input has")
        for absent in ("w1_slave_temp", "ttyS0", "tty1", "loop0", "cooling_device0", "trigger0", "PRP0001"):
            self.assertNotIn(absent, text)
        self.assertLess(text.index("hwmon2:"), text.index("hwmon10:"))

    def test_boards_are_read_by_what_is_printed_for_them(self):
        self.assertEqual(set(BOARDS), {entry.name for entry in os.scandir(FIXTURES) if entry.is_dir()
                                       and not entry.name.endswith(".later")}, "a board is missing here")
        for board, inputs in BOARDS.items():
            with self.subTest(board):
                root = os.path.join(self.make_directory(board), "root")
                # Each machine has a /proc; the folders of many boards have none.
                shutil.copytree(os.path.join(FIXTURES, "x86-box", "proc"), os.path.join(root, "proc"))
                shutil.copytree(os.path.join(FIXTURES, board), root, symlinks=True, dirs_exist_ok=True)
                plugins = PLUGINS
                agent = self.make_agent(self.discover(root, plugins), started=False)
                agent.sensor_root = root
                checked = agent.command("check")
                self.assertEqual(checked.returncode, 0, checked.stderr)
                tried = agent.command("test", "--json")
                self.assertEqual(tried.returncode, 0, tried.stderr)
                values = {message["input"]: message["readings"][0]["values"]
                          for message in map(json.loads, tried.stdout.splitlines())}
                self.assertEqual(set(values), inputs)
                for name, read in values.items():
                    self.assertTrue(read, name)
                if "board" in values:
                    self.assertFalse([channel for channel in values["host"] if channel.startswith("temperature.")])

    def test_what_only_a_person_knows_is_a_comment_that_is_valid_without_its_mark(self):
        text = self.discover(self.make_root(BOARD), self.make_plugins("system", "gpio", "i2c"))
        for line in ('# plugin = "gpio"', '# lines = { door = "gpiochip0:17 ', '# plugin = "i2c"', '# bus = "1"'):
            self.assertIn(f"\n{line}", text)

    def test_plugins_that_are_not_installed_are_commented_out(self):
        plugins = self.make_plugins("system")
        text = self.discover(self.make_root(BOARD), plugins)
        self.assert_valid(text, plugins, 1)
        self.assertNotIn("collect", text, "without hwmon the machine's own temperatures are read by system")
        self.assertIn('# the plugin hwmon is not installed\n# [[input]]\n# name = "board"\n', text)

    def test_what_is_configured_already_is_a_comment(self):
        plugins = self.make_plugins("system", "hwmon")
        root = self.make_root(BOARD)
        agent = self.make_agent(self.config(None, {"name": "machine", "plugin": "system"}), started=False)
        agent.plugin_dir, agent.sensor_root = plugins, root
        done = agent.command("discover")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertIn('# the input machine is configured already\n# [[input]]\n# name = "host"\n', done.stdout)
        self.assertIn('\n[[input]]\nname = "board"\n', done.stdout)

    def test_bare_machine_gives_its_own_readings_alone(self):
        plugins = self.make_plugins("system", "hwmon", "w1")
        text = self.discover(self.make_root({}), plugins)
        self.assert_valid(text, plugins, 1)
        self.assertNotIn("hwmon", text)

    def test_hostile_names_stay_within_their_comment(self):
        plugins = self.make_plugins("system", "hwmon")
        names = [b'x\r[[input]]\rname = "evil"\n', b"\xff\xfe\n", b"\x00\x1b[31m\n", b"y" * 100_000, b""]
        files = {f"sys/class/hwmon/hwmon{i}/name": name for i, name in enumerate(names)}
        self.assert_valid(self.discover(self.make_root(files), plugins), plugins, 2)

    def test_this_machine_gives_a_valid_configuration(self):
        plugins = PLUGINS
        text = self.discover("/", plugins)
        self.assertIn('plugin = "system"', text)
        agent = self.make_agent(text, started=False)
        self.assertEqual(agent.command("check").returncode, 0)
