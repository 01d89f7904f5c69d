"""The plugins' own tests that need the kernel's gpio-sim or i2c-stub, and are skipped where there is none."""
import os
import re

from case import InVirtualMachine
from shared_machine import BUILD, SOURCE

PROGRAM = os.path.join(BUILD, "tests", "test_plugins")


class PluginProgram(InVirtualMachine):
    def run_test(self, name):
        done = self.machine.command(f"{PROGRAM} --gtest_filter={name}", 600)
        self.assertEqual(done.code, 0, done.out + done.err)
        self.assertIn("[  PASSED  ] 1 test.", done.out)
        self.assertNotIn("SKIPPED", done.out)


def add_tests():
    for file in ("gpio_sim_test.cpp", "i2c_stub_test.cpp"):
        with open(os.path.join(SOURCE, "tests", "plugins", file), encoding="utf-8") as source:
            names = re.findall(r"^TEST_F\((\w+), (\w+)\)", source.read(), re.MULTILINE)
        for suite, name in names:
            setattr(PluginProgram, f"test_{suite}_{name}", lambda self, full=f"{suite}.{name}": self.run_test(full))


add_tests()
