"""What package holdfast-dev brings is enough to write a plugin with: the examples, built outside the tree as their readers would."""
import os
import re
import shutil
import subprocess
import unittest

from agent import BUILD, HOLDFAST
from case import SANITIZED, EndToEnd, needs

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
FIXTURE = os.path.join(SOURCE, "tests", "plugins", "fixtures", "raspberry-pi-4")


def run(*command, **arguments):
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=240, check=False,
                          **arguments)
    if done.returncode != 0:
        raise AssertionError(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


@unittest.skipIf(SANITIZED, "the kit is built without sanitizers")
class PluginKit(EndToEnd):
    def setUp(self):
        super().setUp()
        self.stage = os.path.join(self.directory, "stage")
        run("cmake", "--install", BUILD, "--component", "dev", "--prefix", self.stage)
        installed = [root for root, _, files in os.walk(self.stage) if "load.c" in files]
        self.assertEqual(len(installed), 1)
        self.examples = os.path.join(self.directory, "examples")
        shutil.copytree(installed[0], self.examples)

    def make_root(self):
        """A board with what both examples read."""
        root = os.path.join(self.directory, "root")
        shutil.copytree(FIXTURE, root)
        processor = os.path.join(root, "sys/devices/system/cpu/cpu0/cpufreq")
        os.makedirs(processor)
        with open(os.path.join(processor, "scaling_cur_freq"), "w", encoding="utf-8") as file:
            file.write("1800000\n")
        return root

    def assert_usable(self, directory):
        for name, channel in (("load", "load"), ("cpufreq", "frequency")):
            with self.subTest(name):
                place = ("--plugin-dir", directory)
                self.assertIn(name, [line.split()[0] for line in run(HOLDFAST, "plugins", *place).splitlines()])
                described = run(HOLDFAST, "plugins", *place, name)
                self.assertIn("[[input]]", described)
                self.assertIn("It takes no options." if name == "load" else "cpu  (integer, default 0)", described)
                root = self.make_root()
                tried = run(HOLDFAST, "plugin-test", os.path.join(directory, f"{name}.so"), "--sensor-root", root)
                self.assertIn("ok       sampling under the sensor root", tried)
                sample = os.path.join(self.directory, "sample.toml")
                with open(sample, "w", encoding="utf-8") as file:
                    file.write(described[described.index("[[input]]"):])
                self.assertIn(channel, run(HOLDFAST, "test", *place, "--config", sample, "--sensor-root", root))
                shutil.rmtree(root)

    @needs(timeout=300)
    def test_examples_build_with_make_and_work(self):
        strict = "-O2 -Wall -Wextra -Werror -Wpedantic"
        run("make", "-C", self.examples, f"CFLAGS={strict}", f"CXXFLAGS={strict}",
            f"PKG_CONFIG=pkg-config --define-variable=prefix={self.stage}",
            env={**os.environ, "PKG_CONFIG_PATH": self.find("holdfast-plugin.pc")})
        self.assert_usable(self.examples)

    @needs(timeout=300)
    def test_examples_build_with_cmake_and_work(self):
        build = os.path.join(self.directory, "build")
        run("cmake", "-S", self.examples, "-B", build, f"-DCMAKE_PREFIX_PATH={self.stage}",
            "-DCMAKE_BUILD_TYPE=RelWithDebInfo")
        run("cmake", "--build", build)
        run("cmake", "--install", build)
        self.assert_usable(self.find("cpufreq.so"))

    def find(self, name):
        return next(root for root, _, files in os.walk(self.stage) if name in files)

    def test_documents_show_the_examples_as_they_are(self):
        with open(os.path.join(SOURCE, "docs", "plugin-abi.md"), encoding="utf-8") as file:
            document = file.read()
        for language, name in (("c", "load.c"), ("cpp", "cpufreq.cpp")):
            shown = re.search(rf"```{language}\n(.*?)```", document, re.DOTALL)[1]
            with open(os.path.join(self.examples, name), encoding="utf-8") as file:
                self.assertEqual(shown, file.read())
