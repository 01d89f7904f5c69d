"""The commands people type: what they print, and with which exit code they end."""
import json
import os
import subprocess
import tempfile

from agent import HOLDFAST
from case import EndToEnd

COMMANDS = ("run", "check", "test", "status", "discover", "plugins", "plugin-test", "buffer", "listen", "version")


def holdfast(*arguments):
    return subprocess.run([HOLDFAST, *arguments], capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=30,
                          check=False)


class Usage(EndToEnd):
    def test_help_is_there_for_every_command(self):
        general = holdfast("--help")
        self.assertEqual(general.returncode, 0)
        for command in COMMANDS:
            self.assertIn(command, general.stdout)
            with self.subTest(command):
                done = holdfast(command, "--help")
                self.assertEqual((done.returncode, done.stderr), (0, ""))
                self.assertIn(f"holdfast {command}", done.stdout)
                for option in ("--config", "--state-dir", "--runtime-dir", "--plugin-dir", "--sensor-root", "--help"):
                    self.assertIn(option, done.stdout)

    def test_wrong_usage_ends_with_2(self):
        for arguments in ((), ("fly",), ("status", "--no-such-option"), ("run", "--config"), ("buffer",),
                          ("buffer", "drink"), ("listen", "--count", "many"), ("version", "now"),
                          ("check", "--plugin-dir", "/a", "--plugin-dir", "/b")):
            with self.subTest(arguments):
                done = holdfast(*arguments)
                self.assertEqual(done.returncode, 2, done.stdout + done.stderr)
                self.assertEqual(done.stdout, "")
                self.assertTrue(done.stderr)

    def test_version_names_the_libraries(self):
        done = holdfast("version")
        self.assertEqual(done.returncode, 0)
        self.assertRegex(done.stdout, r"^holdfast \d+\.\d+\.\d+")
        for library in ("OpenSSL", "SQLite", "Paho"):
            self.assertRegex(done.stdout, rf"(?i){library}\D+\d+\.\d+")


class Check(EndToEnd):
    def check(self, config, *arguments):
        agent = self.make_agent(config, started=False)
        return agent, agent.command("check", *arguments)

    def test_valid_configuration_ends_with_0(self):
        _, done = self.check(self.config(["mqtts://broker.invalid:8883"], self.simulator()))
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_every_problem_is_a_line_with_its_place(self):
        text = '[agent]\nid = "gw"\nlog_level = "loud"\n\n[broker]\nservres = []\nqos = 7\n\n[buffer]\nmax_size = "1 elephant"\n'
        agent, done = self.check(text)
        self.assertEqual((done.returncode, done.stdout), (78, ""))
        lines = done.stderr.splitlines()
        self.assertEqual(len(lines), 4, done.stderr)
        for line, place in zip(lines, ("3:", "6:1", "7:", "10:")):
            self.assertRegex(line, rf"^{agent.config_file}:{place}\d*:?\d*: error: ")
        self.assertIn("servers", lines[1], "the nearest known key is named")
        run = agent.command("run")
        self.assertEqual((run.returncode, run.stderr), (78, done.stderr), "run says the same")
        start = agent.command("check", "--start")
        self.assertEqual((start.returncode, start.stderr), (78, done.stderr), "and so does what looks for that alone")

    def test_syntax_error_has_its_place(self):
        agent, done = self.check('[agent]\nid = \n')
        self.assertEqual(done.returncode, 78)
        self.assertRegex(done.stderr, rf"^{agent.config_file}:2:\d+: error: ")

    def test_wrong_option_of_a_plugin_is_found(self):
        agent, done = self.check(self.config(None, self.simulator(rate="fast")))
        self.assertEqual(done.returncode, 78)
        self.assertRegex(done.stderr, rf"^{agent.config_file}:\d+:\d+: error: .*rate")

    def test_option_that_only_its_plugin_knows_to_be_wrong_is_found(self):
        wrong = {"name": "door", "plugin": "gpio",
                 "options": {"lines": {"open": "gpiochip0:17 egdes", "bell": "gpiochip0:18", "gate": "gpiochip0:x debounce=5"}}}
        agent, done = self.check(self.config(None, self.simulator(), wrong))
        self.assertEqual((done.returncode, done.stdout), (78, ""))
        self.assertRegex(done.stderr, rf"^{agent.config_file}:\d+:\d+: error: lines\.open: .*edges.*\n"
                                      rf"{agent.config_file}:\d+:\d+: error: lines\.gate: .*\n$")
        tried = agent.command("test")
        self.assertEqual((tried.returncode, tried.stderr), (78, done.stderr), "test says the same")
        self.assertEqual(agent.command("check", "--start").returncode, 0, "the service starts, and shows it as failed")
        self.assertEqual(agent.command("test", "sim").returncode, 0, "but not of another input")
        self.assertEqual(agent.command("test", "smi").returncode, 2, "and a name that there is not is that")

    def test_options_of_each_plugin_are_looked_at_without_its_device(self):
        for plugin, options, word in (
                ("i2c", {"chip": "sht3x", "address": "0x99"}, "address"), ("w1", {"retries": 11}, "retries"),
                ("iio", {"trigger": "t0"}, "trigger"), ("hwmon", {"chips": [""]}, "chips"), ("exec", {"command": [""]}, "command"),
                ("file", {"path": "here.json"}, "path"),
                ("gpio", {"lines": {"a": "gpiochip0:4", "b": "gpiochip0:4"}}, "lines.b"),
                ("gpio", {"lines": {"a": "gpiochip0:4 counter", "a.count": "gpiochip0:5"}}, "lines.a(.count)?"),
                ("i2c", {"chip": "registers", "address": "0x44", "registers": {"bus_errors": "0x10"}}, "registers.bus_errors"),
                ("i2c", {"chip": "sht3x", "address": "44"}, "address"), ("system", {"collect": ["cpuu"]}, "collect"),
                ("simulator", {"channels": 0}, "channels")):
            with self.subTest(plugin):
                agent, done = self.check(self.config(None, {"name": "x", "plugin": plugin, "options": options}))
                self.assertEqual(done.returncode, 78, done.stdout)
                self.assertRegex(done.stderr, rf"^{agent.config_file}:\d+:\d+: error: {word}: [^\n]+\n$")
                self.assertNotIn("Invalid argument", done.stderr)

    def test_unknown_plugin_is_found(self):
        _, done = self.check(self.config(None, {"name": "x", "plugin": "simulatr"}))
        self.assertEqual(done.returncode, 78)
        self.assertIn("simulator", done.stderr)

    def test_missing_file_ends_with_78(self):
        for command in ("check", "run"):
            done = holdfast(command, "--config", "/no/such/file.toml")
            self.assertEqual(done.returncode, 78)
            self.assertIn("/no/such/file.toml", done.stderr)

    def test_later_files_merge_over_earlier_ones(self):
        agent = self.make_agent('[agent]\nid = "one"\nlog_level = "loud"\n', started=False)
        second = os.path.join(self.directory, "second.toml")
        with open(second, "w", encoding="utf-8") as file:
            file.write('[agent]\nlog_level = "debug"\n')
        self.assertEqual(holdfast("check", "--config", agent.config_file, "--config", second).returncode, 0)

    def test_online_says_of_each_step_that_it_worked(self):
        broker = self.make_broker()
        _, done = self.check(self.config(broker, self.simulator()), "--online")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn(f"mqtts://localhost:{broker.port}", done.stdout)

        for line in (r"^clock: (not )?synchronised", r" ok +resolve: localhost is .*127\.0\.0\.1",
                     rf" ok +tcp: connected to 127\.0\.0\.1:{broker.port}", r" ok +tls: TLSv1\.3, TLS_\w+",
                     rf" ok +certificate: for localhost, 127\.0\.0\.1, and its chain leads to a CA in {self.authority.cert}",
                     r" (ok|warning) +expiry: the certificate of the server ends in \d\d days",
                     r" ok +connect: the broker accepts the agent by MQTT 5",
                     r" ok +limits: up to QoS 2, 20 in flight, keeps retained messages",
                     r" ok +client id: nobody else took \"gw-17\" within \d s"):
            self.assertRegex(done.stdout, "(?m)" + line)

    def test_publish_shows_whether_the_broker_lets_a_message_through(self):
        with tempfile.NamedTemporaryFile("w", suffix=".acl") as acl:
            acl.write("topic write allowed/#\n")
            acl.flush()
            os.chmod(acl.name, 0o644)
            broker = self.make_broker(f"acl_file {acl.name}")
            subscriber = self.make_subscriber(broker)
            for topic, code in (("allowed/{agent}/{input}", 0), ("forbidden/{input}", 1)):
                with self.subTest(topic):
                    _, done = self.check(self.config(broker, self.simulator(), topic=topic, status_topic=""), "--publish")
                    self.assertEqual(done.returncode, code, done.stdout + done.stderr)
                    self.assertRegex(done.stdout, r"ok +publish" if code == 0 else r"FAILED +publish: .*not authorised")
            self.assertFalse(subscriber.messages("forbidden/check"))

    def test_online_says_what_did_not_work(self):
        other = self.authority.server("other-name", names="DNS:other.example.com")
        self.server_pair, good = other, self.server_pair
        wrong = self.make_broker()
        self.server_pair = good
        cases = {"mqtts://no-such-broker.invalid:8883": r"(?i)no-such-broker\.invalid",
                 f"mqtts://localhost:{self.make_broker(started=False).port}": r"(?i)refused",
                 f"mqtts://localhost:{wrong.port}": r"(?i)name|certificate"}
        for url, words in cases.items():
            with self.subTest(url):
                _, done = self.check(self.config([url], self.simulator()), "--online")
                self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
                self.assertRegex(done.stdout + done.stderr, words)


class Looking(EndToEnd):
    def test_plugins_lists_those_there_are(self):
        done = holdfast("plugins")
        self.assertEqual(done.returncode, 0)
        listed = [line.split()[0] for line in done.stdout.splitlines()]
        self.assertEqual(listed, sorted(listed))
        self.assertLessEqual({"exec", "file", "simulator", "system"}, set(listed))

    def test_plugins_explains_one(self):
        done = holdfast("plugins", "simulator")
        self.assertEqual(done.returncode, 0)
        for word in ("rate", "count", "channels", "shape", "sine", "[[input]]"):
            self.assertIn(word, done.stdout)

    def test_sample_that_plugins_prints_is_a_valid_configuration(self):
        for name in ("simulator", "system"):
            sample = holdfast("plugins", name).stdout
            agent = self.make_agent(sample[sample.index("[[input]]"):].replace("# ", ""), started=False)
            done = agent.command("check")
            self.assertEqual(done.returncode, 0, done.stderr)

    def test_plugins_of_unknown_name_fails(self):
        done = holdfast("plugins", "telepathy")
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("telepathy", done.stderr)

    def test_test_prints_a_reading_of_each_input(self):
        agent = self.make_agent(self.config(["mqtts://no-such-broker.invalid:8883"], self.simulator("a", channels=2),
                                            self.simulator("b")), started=False)
        done = agent.command("test")
        self.assertEqual(done.returncode, 0, done.stderr)
        for word in ("a", "value.0", "value.1", "b", "run"):
            self.assertIn(word, done.stdout)
        self.assertRegex(done.stdout, r"(?m)^a \(simulator\)\n  CHANNEL +VALUE +UNIT +AGE\n")
        self.assertRegex(done.stdout, r"(?m)^  n +0 +\d+\.\d{3} s$")
        only = agent.command("test", "b")
        self.assertEqual(only.returncode, 0)
        self.assertNotIn("value.0", only.stdout)
        self.assertEqual(agent.command("test", "c").returncode, 2)

    def test_test_leaves_no_trace(self):
        directory = self.make_directory("file")
        followed, position = os.path.join(directory, "log"), os.path.join(directory, "position")
        with open(followed, "w", encoding="ascii") as file:
            file.write("1\n2\n")
        agent = self.make_agent(self.config(None, {"name": "it", "plugin": "file", "options": {
            "path": followed, "mode": "follow", "format": "value", "start": "beginning", "position_file": position}}),
                                started=False)
        for _ in range(2):
            done = agent.command("test", "--json")
            self.assertEqual(json.loads(done.stdout)["readings"][0]["values"], {"value": 1}, done.stderr)
            self.assertEqual(os.listdir(directory), ["log"])

    def test_test_waits_for_the_reading_that_follows_an_error(self):
        command = ["/bin/sh", "-c", "echo nonsense; sleep 0.5; echo 7; exec sleep 60"]
        late = {"name": "late", "plugin": "exec", "options": {"command": command, "mode": "stream", "format": "value"}}
        done = self.make_agent(self.config(None, late), started=False).command("test")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertRegex(done.stdout, r"(?m)^  value +7 ")

    def test_test_fails_when_an_input_has_nothing_to_give(self):
        broken = {"name": "broken", "plugin": "exec", "options": {"command": ["/bin/false"], "format": "value"}}
        done = self.make_agent(self.config(None, broken), started=False).command("test")
        self.assertEqual(done.returncode, 1)
        self.assertIn("broken", done.stdout + done.stderr)

    def test_status_has_the_contracts_members(self):
        agent = self.make_agent(self.config(None, self.simulator()))
        status = agent.wait_status(lambda s: s["buffer"]["readings"] > 0, "a reading")
        self.assertEqual(status["agent"], "gw-17")
        self.assertLessEqual({"agent", "version", "uptime_s", "broker", "buffer", "forward", "inputs"}, set(status))
        self.assertLessEqual({"state", "server", "since", "last_error", "reconnects"}, set(status["broker"]))
        self.assertLessEqual({"batches", "readings", "bytes", "oldest_ts", "in_memory_readings", "committed_readings",
                              "dropped_readings", "refused_readings"}, set(status["buffer"]))
        self.assertLessEqual({"published_readings", "acked_readings", "acked_messages", "in_flight"}, set(status["forward"]))
        self.assertLessEqual({"name", "plugin", "state", "pid", "readings", "errors", "missed", "restarts",
                              "last_error", "last_reading_ts"}, set(status["inputs"][0]))
        self.assertEqual(status["buffer"]["readings"],
                         status["buffer"]["in_memory_readings"] + status["buffer"]["committed_readings"])
        text = agent.command("status")
        self.assertEqual(text.returncode, 0)
        for word in ("gw-17", "sim", "running"):
            self.assertIn(word, text.stdout)

    def test_status_without_an_agent_fails(self):
        done = self.make_agent(self.config(None), started=False).command("status")
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertTrue(done.stderr)

    def test_buffer_stat_works_with_the_agent_running_or_not(self):
        agent = self.make_agent(self.config(None, self.simulator(rate=0, count=500)))
        running = agent.wait_status(lambda s: s["buffer"]["committed_readings"] == 500, "everything on disk")["buffer"]
        asked = agent.buffer_stat()
        self.assertEqual(set(asked), set(running))
        self.assertEqual(asked["readings"], 500)
        agent.terminate()
        stopped = agent.buffer_stat()
        for key in ("readings", "batches", "committed_readings", "oldest_ts"):
            self.assertEqual(stopped[key], asked[key])
        self.assertIn("500", agent.command("buffer", "stat").stdout)

    def test_second_agent_on_the_same_state_is_refused(self):
        agent = self.make_agent(self.config(None, self.simulator(rate=100)))
        agent.wait_status(lambda s: s["buffer"]["readings"] > 0, "a reading")
        second = agent.command("run", timeout=20)
        self.assertEqual(second.returncode, 1)
        self.assertTrue(second.stderr)
        before = agent.status()["buffer"]["readings"]
        agent.wait_status(lambda s: s["buffer"]["readings"] > before, "the first still at work")
