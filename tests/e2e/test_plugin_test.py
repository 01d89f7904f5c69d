"""`holdfast plugin-test`: sound plugins pass, and each broken rule is found by the check that is for it."""
import os
import re
import subprocess
import unittest

from agent import BUILD, HOLDFAST
from case import SANITIZED, EndToEnd, needs

PLUGINS = os.path.join(BUILD, "bin", "plugins")
BAD_PLUGINS = os.path.join(BUILD, "tests", "plugins")


def plugin_test(file, *arguments):
    done = subprocess.run([HOLDFAST, "plugin-test", file, *arguments], capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, timeout=300, check=False)
    verdicts = {}
    for line in done.stdout.splitlines():
        match = re.fullmatch(r"(ok|FAILED|skipped) +([^:]+): (.*)", line)
        if match:
            verdicts[match[2]] = (match[1], match[3])
    return done, verdicts


class PluginTest(EndToEnd):
    def write_config(self, plugin, memory_limit="32MiB", **options):
        path = os.path.join(self.directory, "plugin.toml")
        lines = ["[[input]]", 'name = "it"', f'plugin = "{plugin}"', f'memory_limit = "{memory_limit}"',
                 "[input.options]", *(f"{key} = {value}" for key, value in options.items())]
        with open(path, "w", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n")
        return path

    def assert_passes(self, done, verdicts):
        self.assertEqual((done.returncode, done.stderr), (0, ""), done.stdout)
        self.assertFalse([what for what, (verdict, _) in verdicts.items() if verdict == "FAILED"], done.stdout)
        self.assertRegex(done.stdout.splitlines()[-1], r"^\d+ ok, 0 failed, \d+ skipped$")

    @unittest.skipIf(SANITIZED, "sanitizers keep memory that was given back")
    @needs(timeout=240)
    def test_shipped_plugins_pass(self):
        for name in ("simulator", "system"):
            with self.subTest(name):
                done, verdicts = plugin_test(os.path.join(PLUGINS, f"{name}.so"))
                self.assert_passes(done, verdicts)
                self.assertEqual(verdicts["sampling on this machine"][0], "ok", done.stdout)
                for what in ("descriptor", "name", "options", "memory is given back", "descriptors are closed",
                             "no threads", "no children", "return values", "channels and readings",
                             "two inputs at once", "an empty sensor root", "unusual options"):
                    self.assertEqual(verdicts[what][0], "ok", what)

    @needs(timeout=120)
    def test_required_options_come_from_a_configuration(self):
        exec_file = os.path.join(PLUGINS, "exec.so")
        done, verdicts = plugin_test(exec_file)
        self.assert_passes(done, verdicts)
        self.assertEqual(verdicts["opening and sampling"], ("skipped", "required: command; give an [[input]] with "
                                                                       "--config FILE"))
        meter = os.path.join(self.directory, "meter.json")
        with open(meter, "w", encoding="ascii") as file:
            file.write('{"power": 7}')
        for name, options in (("exec", {"command": '["/bin/echo", "7"]', "format": '"value"'}), ("file", {"path": f'"{meter}"'})):
            done, verdicts = plugin_test(os.path.join(PLUGINS, f"{name}.so"), "--config", self.write_config(name, **options))
            self.assert_passes(done, verdicts)
            self.assertEqual(verdicts["sampling on this machine"][0], "ok", done.stdout)

    @needs(timeout=120)
    def test_each_broken_rule_is_found(self):
        rules = {
            "thread": ("no threads", "it runs in "),
            "child": ("no children", " left after its last close"),
            "positive": ("return values", "sample returned 5, which is neither 0 nor a negative errno"),
            "unknown_code": ("return values", "sample returned -100000"),
            "undeclared": ("channels and readings", "it emitted to a channel that it has not declared"),
            "watch": ("channels and readings", "it has a descriptor watched, but no ready()"),
            "leak_descriptor": ("descriptors are closed", " more are open in the end"),
            "crash_in_close": ("open, sample and close over and over", "killed by SIGABRT in sloppy_close (sloppy.so+0x"),
            "crash_in_check": ("unusual options", "check: killed by SIGABRT in sloppy_check (sloppy.so+0x"),
            "hard_to_please": ("unusual options", "check refuses what open takes: divisor: is not to my taste"),
            "divide": ("unusual options", "divisor = 0: killed by SIGABRT in sloppy_open (sloppy.so+0x"),
        }
        if not SANITIZED:
            rules["leak"] = ("memory is given back", "it leaks 32 bytes a round of open, sample and close")
        for deed, (what, why) in rules.items():
            with self.subTest(deed):
                done, verdicts = plugin_test(os.path.join(BAD_PLUGINS, "sloppy.so"), "--config",
                                             self.write_config("sloppy", deed=f'"{deed}"'))
                self.assertEqual(done.returncode, 1, done.stdout)
                self.assertEqual(verdicts[what][0], "FAILED", done.stdout)
                self.assertIn(why, verdicts[what][1])

    @unittest.skipIf(SANITIZED, "sanitizers need memory of their own")
    @needs(timeout=120)
    def test_plugin_has_the_memory_that_its_configuration_gives_it(self):
        for limit, verdict in (("32MiB", ("skipped", "open: -ENOMEM: Cannot allocate memory")),
                               ("96MiB", ("ok", "4 readings on 1 channels"))):
            config = self.write_config("sloppy", memory_limit=limit, deed='"eat"')
            done, verdicts = plugin_test(os.path.join(BAD_PLUGINS, "sloppy.so"), "--config", config)
            self.assertEqual(verdicts["sampling on this machine"], verdict, done.stdout)

    @needs(timeout=120)
    def test_plugin_that_hangs_is_ended_and_named(self):
        done, verdicts = plugin_test(os.path.join(BAD_PLUGINS, "sloppy.so"), "--config",
                                     self.write_config("sloppy", deed='"hang"'))
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertEqual(verdicts["sampling on this machine"], ("FAILED", "a call into it did not return within 10 s"))

    def test_plugin_without_its_device_is_skipped_but_not_under_a_sensor_root(self):
        arguments = (os.path.join(BAD_PLUGINS, "sloppy.so"), "--config", self.write_config("sloppy", deed='"absent"'))
        done, verdicts = plugin_test(*arguments)
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertEqual(verdicts["sampling on this machine"], ("skipped", "sample: -ENODEV: No such device"))
        done, verdicts = plugin_test(*arguments, "--sensor-root", self.make_directory("root"))
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertEqual(verdicts["sampling under the sensor root"][0], "FAILED")

    def test_wrong_descriptions_are_found(self):
        done, verdicts = plugin_test(os.path.join(BAD_PLUGINS, "misdescribed.so"))
        self.assertEqual(done.returncode, 1)
        self.assertEqual(verdicts["name"], ("FAILED", 'it is "another", the file\'s is "misdescribed"'))
        for fault in ("Count: its key is not in lower snake case", "number: its default is none: ",
                      "wait: its default is none: ", "shape: its default is none: ", "silent: it has no help",
                      "twice: it is declared twice"):
            self.assertIn(fault, verdicts["options"][1])

    def test_what_is_no_plugin_fails(self):
        for name, why in (("wrong_abi", "it was built for ABI 2, this agent has ABI 1: rebuild it"),
                          ("no_symbol", "it does not export holdfast_plugin_entry")):
            done, verdicts = plugin_test(os.path.join(BAD_PLUGINS, f"{name}.so"))
            self.assertEqual(done.returncode, 1)
            self.assertEqual(verdicts["descriptor"][0], "FAILED")
            self.assertIn(why, verdicts["descriptor"][1])

    def test_wrong_usage_ends_with_2(self):
        for arguments in ((), ("a.so", "b.so"), ("simulator",)):
            done = subprocess.run([HOLDFAST, "plugin-test", *arguments], capture_output=True, text=True, check=False)
            self.assertEqual(done.returncode, 2)
        self.assertEqual(plugin_test("/nonexistent/x.so")[0].returncode, 1)
