"""Every kind of bad plugin in one agent, beside a simulator that must not notice."""
import json
import os
import re
import signal
import unittest

from agent import BUILD
from case import LONG, SANITIZED, EndToEnd, needs
from processes import cpu_seconds, pss_kib
from waiting import wait_until

SECONDS = 600 if LONG else 30
WARM_UP = 20

# The deed, and what state and last error say of it. A host that ends is started again until it is given up.
ENDED = {"backing_off", "failed", "running"}  # at the moment of an attempt it runs
DEEDS = {
    "throw_in_open": (ENDED, "could not open: threw an exception: no luck"),
    "segfault_in_open": (ENDED, r"killed by SIGSEGV in segfault \(rogue\.so\+0x[0-9a-f]+\)"),
    "segfault": (ENDED, r"killed by SIGSEGV in segfault \(rogue\.so\+0x[0-9a-f]+\)"),
    "overflow_stack": (ENDED, r"killed by SIGSEGV in recurse \(rogue\.so\+0x[0-9a-f]+\)"),
    "abort": (ENDED, r"killed by SIGABRT in sample_badly \(rogue\.so\+0x[0-9a-f]+\)"),
    "exit": (ENDED, "exited with code 3"),
    "exit_at_once": (ENDED, "exited with code 0"),
    "hang": (ENDED, "missed its deadline: the plugin was stuck for 4 s"),
    "spin": (ENDED, "missed its deadline: the plugin was stuck for 4 s"),
    "leak": (ENDED, "killed by SIGSEGV in leak .*: the plugin used up its memory limit of 32768 KiB"),
    "forge": (ENDED, "its host sent a damaged frame"),
    "absent": (ENDED, "could not open: No such device"),
    "lost": (ENDED, "No such device"),
    "refuse": ({"failed"}, "could not open: option deed: must not be refuse"),
    "throw": ({"running"}, "threw an exception: out of luck"),
    "throw_int": ({"running"}, "threw an exception of an unknown type"),
    "fail": ({"running"}, "Input/output error"),
    "not_utf8": ({"running"}, "emitted a string that is not UTF-8"),
    "enormous": ({"running"}, "emitted a string of more than 64 KiB"),
    "undeclared": ({"running"}, "emitted to a channel that it has not declared"),
    "wrong_type": ({"running"}, "emitted a value of another type than its channel's"),
    "change_type": ({"running"}, "declared a channel again with another type"),
    "add_channels": ({"running"}, "declared more than 4096 channels"),
    "nan": ({"running"}, ""),
    "print": ({"running"}, ""),
    "chatter": ({"running"}, ""),
    "flood": ({"running"}, ""),
}
# These are good when the agent starts, or it would not start; then their files are replaced.
REPLACED = {
    "wrong_abi": ({"failed"}, "it was built for ABI 2, this agent has ABI 1: rebuild it"),
    "no_symbol": ({"failed"}, "it does not export holdfast_plugin_entry"),
}


class BadPlugins(EndToEnd):
    def make_plugin_directory(self):
        directory = self.make_directory("plugins")
        built = os.path.join(BUILD, "tests", "plugins")
        os.symlink(os.path.join(BUILD, "bin", "plugins", "simulator.so"), os.path.join(directory, "simulator.so"))
        os.symlink(os.path.join(built, "rogue.so"), os.path.join(directory, "rogue.so"))
        os.symlink(os.path.join(built, "counter.so"), os.path.join(directory, "counter.so"))
        for name in REPLACED:
            os.symlink(os.path.join(built, "counter.so"), os.path.join(directory, f"late_{name}.so"))
        return directory

    def replace_plugins(self, agent):
        status = agent.wait_status(lambda s: all(self.of(s, f"late_{name}")["readings"] for name in REPLACED),
                                   "readings of those that are replaced")
        for name in REPLACED:
            link = os.path.join(agent.plugin_dir, f"late_{name}.so")
            os.unlink(link)
            os.symlink(os.path.join(BUILD, "tests", "plugins", f"{name}.so"), link)
            os.kill(self.of(status, f"late_{name}")["pid"], signal.SIGKILL)

    @staticmethod
    def of(status, name):
        return next(entry for entry in status["inputs"] if entry["name"] == name)

    def good_inputs(self):
        """The simulator's times are those that it means; the counter's are of the moment in which it is called."""
        return [self.simulator("good", 1, priority="high"),
                {"name": "beat", "plugin": "counter", "interval": "1s", "priority": "high", "options": {"shape": "flat"}}]

    def bad_config(self, broker):
        inputs = self.good_inputs()
        inputs += [{"name": deed, "plugin": "rogue", "interval": "100ms", "deadline": "2s", "priority": "low",
                    "options": {"deed": deed}} for deed in DEEDS]
        inputs += [{"name": f"late_{name}", "plugin": f"late_{name}", "options": {"shape": "flat"}} for name in REPLACED]
        config = self.config(broker, *inputs)
        config["buffer"] |= {"max_size": "4MiB", "memory": "1MiB"}
        return config

    def say_what_is_wrong(self, status):
        wrong = []
        for name, (states, error) in {**DEEDS, **{f"late_{name}": told for name, told in REPLACED.items()}}.items():
            entry = self.of(status, name)
            if entry["state"] not in states or not re.search(error, entry["last_error"] or ""):
                wrong.append({key: entry[key] for key in ("name", "state", "errors", "restarts", "last_error")})
        return wrong

    def jitter_ms(self, subscriber, name, first):
        """How far the readings' times are from one a second, from the earliest to the latest."""
        times = {reading["values"]["n"]: reading["ts"] for reading in self.tally(subscriber, name).readings}
        self.assert_no_hole(set(times), SECONDS)
        late = [time - 1000 * number for number, time in times.items() if number >= first]
        return max(late) - min(late)

    @unittest.skipIf(SANITIZED, "sanitizers need memory of their own")
    @needs(timeout=2 * SECONDS + 240, processors=2)
    def test_simulator_beside_them_misses_nothing_and_each_says_what_is_wrong(self):
        broker = self.make_broker()
        subscriber = self.make_subscriber(broker, [self.topic("good"), self.topic("beat")])
        # The same good ones, alone in an agent of their own: what the machine does to both is nobody's fault.
        peer_broker = self.make_broker()
        peer_subscriber = self.make_subscriber(peer_broker, [self.topic("good"), self.topic("beat")])
        agent = self.make_agent(self.bad_config(broker), started=False)
        agent.plugin_dir = self.make_plugin_directory()
        agent.start()
        peer = self.make_agent(self.config(peer_broker, *self.good_inputs()), started=False)
        peer.plugin_dir = agent.plugin_dir
        peer.start()
        self.replace_plugins(agent)

        first = len(self.wait_readings(subscriber, WARM_UP, "good", timeout=4 * WARM_UP).run())
        pss, cpu = pss_kib(agent.process.pid, "Pss_Anon"), cpu_seconds(agent.process.pid)
        self.wait_readings(subscriber, first + SECONDS, "good", timeout=2 * SECONDS + 60)
        grown = pss_kib(agent.process.pid, "Pss_Anon") - pss
        share = (cpu_seconds(agent.process.pid) - cpu) / SECONDS
        self.wait_readings(peer_subscriber, first + SECONDS, "good", timeout=60)

        self.assert_no_hole(self.tally(subscriber, "good").run(), first + SECONDS)
        jitter = {name: self.jitter_ms(subscriber, name, first) for name in ("good", "beat")}
        noise = {name: self.jitter_ms(peer_subscriber, name, first) for name in ("good", "beat")}
        print(f"jitter {jitter} ms, in the other agent {noise} ms; daemon grown by {grown} KiB, "
              f"{share:.2f} of a processor", flush=True)
        for name, most in jitter.items():
            self.assertLess(most, 100 + 2 * noise[name], name)
        self.assertLess(grown, 1024)
        for name in ("good", "beat"):
            entry = agent.input(name)
            self.assertEqual((entry["state"], entry["restarts"], entry["errors"]), ("running", 0, 0))
        wait_until(lambda: not self.say_what_is_wrong(agent.status()),
                   lambda: json.dumps(self.say_what_is_wrong(agent.status()), indent=1), timeout=60)
        status = agent.status()
        self.assertGreater(self.of(status, "flood")["readings"], 1000 * SECONDS)
        self.assertEqual(self.of(status, "flood")["restarts"], 0)
        self.assertGreater(self.of(status, "nan")["non_finite"], SECONDS)
        self.assertRegex(agent.log(), r"killed by SIGSEGV in segfault \(rogue\.so\+0x")
        wait_until(lambda: "noise on descriptor 1" in agent.log(), "what it printed in the agent's log")
