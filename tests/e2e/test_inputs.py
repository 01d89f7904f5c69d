"""A plugin that crashes or hangs costs its own input and nothing else."""
import json
import os
import pathlib
import signal

from case import EndToEnd, needs
from processes import descendants, is_alive
from waiting import wait_until


def exec_input(script, name="exec", mode="poll", interval="200ms", **options):
    return {"name": name, "plugin": "exec", "interval": interval,
            "options": {"command": ["/bin/sh", "-c", script], "mode": mode, "format": "value", **options}}


class Inputs(EndToEnd):
    def setUp(self):
        super().setUp()
        self.broker = self.make_broker()
        self.subscriber = self.make_subscriber(self.broker)

    def assert_unharmed(self, agent, name="good"):
        """The other input is as if nothing had happened: same host, every reading."""
        before = agent.input(name)["readings"]
        tally = self.wait_readings(self.subscriber, before + 50, name)
        self.assert_no_hole(tally.run())
        entry = agent.input(name)
        self.assertEqual((entry["restarts"], entry["errors"], entry["state"]), (0, 0, "running"))

    def test_killed_host_restarts_and_others_lose_nothing(self):
        agent = self.make_agent(self.config(self.broker, self.simulator("good", 100), self.simulator("bad", 100)))
        agent.wait_status(lambda s: all(entry["readings"] > 50 for entry in s["inputs"]), "readings of both")
        victim = agent.input("bad")["pid"]
        os.kill(victim, signal.SIGKILL)
        status = agent.wait_status(lambda s: s["inputs"][1]["restarts"] == 1 and s["inputs"][1]["state"] == "running",
                                   "the host running again")
        self.assertNotIn(status["inputs"][1]["pid"], (0, victim))
        wait_until(lambda: len(self.tally(self.subscriber, "bad").numbers) == 2, "readings of the second run")
        for run in self.tally(self.subscriber, "bad").numbers.values():
            self.assert_no_hole(run)
        self.assertFalse(is_alive(victim))
        self.assertFalse(os.path.exists(f"/proc/{victim}"), "the killed host is left a zombie")
        self.assert_unharmed(agent)

    @needs(timeout=90)
    def test_hung_host_is_killed_and_restarts(self):
        agent = self.make_agent(self.config(self.broker, self.simulator("good", 100),
                                            self.simulator("bad", 100, interval="1s")))
        agent.wait_status(lambda s: all(entry["readings"] > 50 for entry in s["inputs"]), "readings of both")
        victim = agent.input("bad")["pid"]
        os.kill(victim, signal.SIGSTOP)
        self.addCleanup(lambda: is_alive(victim) and os.kill(victim, signal.SIGKILL))
        agent.wait_status(lambda s: s["inputs"][1]["restarts"] == 1 and s["inputs"][1]["pid"] not in (0, victim),
                          "a new host", timeout=45)
        self.assertFalse(is_alive(victim))
        wait_until(lambda: len(self.tally(self.subscriber, "bad").numbers) == 2, "readings of the second run")
        self.assert_unharmed(agent)

    def test_hung_exec_child_is_killed_with_its_group_and_comes_back(self):
        marker = os.path.join(self.directory, "marker")
        pids = os.path.join(self.directory, "pids")
        hang_once = f"if [ ! -e {marker} ]; then : > {marker}; sleep 600 & echo $$ $! > {pids}; wait; fi; echo 42"
        agent = self.make_agent(self.config(self.broker, self.simulator("good", 100), exec_input(hang_once, timeout="2s")))
        status = agent.wait_status(lambda s: s["inputs"][1]["readings"] >= 3, "readings after the hang")
        self.assertGreaterEqual(status["inputs"][1]["errors"], 1)
        with open(pids, encoding="utf-8") as file:
            family = [int(pid) for pid in file.read().split()]
        self.assertEqual(len(family), 2)
        wait_until(lambda: not any(map(is_alive, family)), "the end of the hung group", timeout=2)
        wait_until(lambda: self.subscriber.messages(self.topic("exec")), "its readings at the subscriber")
        self.assert_unharmed(agent)

    def test_ended_stream_command_starts_again(self):
        agent = self.make_agent(self.config(self.broker, self.simulator("good", 100),
                                            exec_input("echo 1; echo 2", mode="stream")))
        status = agent.wait_status(lambda s: s["inputs"][1]["restarts"] >= 1 and s["inputs"][1]["readings"] >= 4,
                                   "readings of a second start")
        self.assertEqual(status["inputs"][1]["plugin"], "exec")
        self.assert_unharmed(agent)

    def test_failing_command_is_counted_and_told_once(self):
        agent = self.make_agent(self.config(self.broker, self.simulator("good", 100),
                                            exec_input("echo cannot read sensor >&2; exit 3", interval="50ms")))
        status = agent.wait_status(lambda s: s["inputs"][1]["errors"] >= 3, "three errors")
        self.assertTrue(status["inputs"][1]["last_error"])
        self.assertEqual(status["inputs"][1]["readings"], 0)
        self.assert_unharmed(agent)

    def test_lines_with_time_and_tags_reach_the_broker(self):
        line = r'{\"ts\": 1795371137123, \"temperature\": 21.5, \"door\": true, \"state\": \"zu\", \"n\": 3}'
        agent = self.make_agent(self.config(self.broker, exec_input(f'echo "{line}"', format="json")))
        reading = wait_until(lambda: self.tally(self.subscriber, "exec").readings, "a reading")[0]
        self.assertEqual(reading, {"ts": 1795371137123,
                                   "values": {"temperature": 21.5, "door": True, "state": "zu", "n": 3}})
        self.assertEqual(agent.input("exec")["errors"], 0)

    def test_not_a_number_is_sent_as_null_and_counted(self):
        agent = self.make_agent(self.config(self.broker, exec_input("echo nan")))
        reading = wait_until(lambda: self.tally(self.subscriber, "exec").readings, "a reading")[0]
        self.assertEqual(reading["values"], {"value": None})
        agent.wait_status(lambda s: s["inputs"][0]["non_finite"] >= 1, "it counted")

    def test_this_machines_own_readings_arrive(self):
        system = {"name": "host", "plugin": "system", "interval": "200ms"}
        self.make_agent(self.config(self.broker, system))
        readings = wait_until(lambda: len(r := self.tally(self.subscriber, "host").readings) >= 3 and r, "three readings")
        names = {name for reading in readings for name in reading["values"]}
        for start in ("cpu.", "memory.", "load", "uptime"):
            self.assertTrue(any(name.startswith(start) for name in names), f"no channel {start}* in {sorted(names)}")

    def test_followed_file_goes_on_where_it_was_after_a_restart(self):
        log = os.path.join(self.directory, "meter.log")
        position = os.path.join(self.directory, "meter.position")
        follow = {"name": "meter", "plugin": "file", "interval": "200ms",
                  "options": {"path": log, "mode": "follow", "format": "value", "start": "beginning",
                              "position_file": position}}

        def append(*numbers):
            with open(log, "a", encoding="utf-8") as file:
                file.writelines(f"{number}\n" for number in numbers)

        def wait_for(count):
            def enough():
                payloads = self.tally(self.subscriber, "meter").payloads.values()  # one that comes again counts once
                numbers = [reading["values"]["value"] for payload in payloads for reading in json.loads(payload)["readings"]]
                return sorted(numbers) if len(numbers) >= count else None
            self.assertEqual(wait_until(enough, f"{count} lines at the subscriber"), list(range(count)))

        append(0, 1)
        agent = self.make_agent(self.config(self.broker, follow))
        append(2)
        wait_for(3)
        self.assertEqual(agent.terminate()[0], 0)
        append(3)
        os.rename(log, log + ".1")
        append(4)
        agent.start()
        wait_for(5)
        wait_until(lambda: pathlib.Path(position).read_text(encoding="utf-8").endswith(".\n"), "the position settled")
        os.kill(agent.input("meter")["pid"], signal.SIGKILL)
        append(5)
        agent.wait_status(lambda s: s["inputs"][0]["restarts"] == 1 and s["inputs"][0]["readings"] >= 3, "a line after the kill")
        wait_for(6)

    def test_no_process_is_left_behind(self):
        agent = self.make_agent(self.config(self.broker, self.simulator("good", 100),
                                            exec_input("echo 1; sleep 600", "stream", mode="stream")))
        agent.wait_status(lambda s: all(entry["readings"] > 0 for entry in s["inputs"]), "readings of both")
        family = descendants(agent.process.pid)
        self.assertGreaterEqual(len(family), 4)
        code, _ = agent.terminate()
        self.assertEqual(code, 0)
        self.assertEqual([pid for pid in family if is_alive(pid)], [])
