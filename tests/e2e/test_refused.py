"""What the broker does not take: set aside, listed and sent again when somebody says so; split when it is too large."""
import json
import os
import signal

from case import EndToEnd, needs
from waiting import wait_until

LIMIT = 2000


class RefusedMessages(EndToEnd):
    def listed(self, agent):
        done = agent.command("buffer", "refused", "list", "--json")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return [json.loads(line) for line in done.stdout.splitlines()]

    def settle(self, agent, *arguments):
        done = agent.command("buffer", "refused", *arguments)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return done.stdout

    @staticmethod
    def script(*lines):
        return {"name": "lines", "plugin": "exec", "options": {
            "mode": "stream", "format": "json",
            "command": ["/bin/sh", "-c", "".join(f"echo '{line}'; " for line in lines) + "exec sleep 1000"]}}

    @needs(timeout=120)
    def test_batches_are_split_and_a_giant_is_set_aside_while_others_flow(self):
        broker = self.make_broker(f"max_packet_size {LIMIT}", started=False)
        giant = json.dumps({"big": "x" * 2 * LIMIT})
        config = self.config(broker, self.simulator(rate=0, count=1000, channels=5),
                             self.script('{"v":1}', giant, '{"v":2}'))
        agent = self.make_agent(config)
        agent.wait_status(lambda s: s["buffer"]["committed_readings"] == 1003, "everything on disk")
        subscriber = self.start_before(agent, broker)
        tally = self.wait_readings(subscriber, 1000)
        self.assertEqual(len(tally.readings), 1000, "a reading came twice")
        self.assertGreater(len(tally.payloads), 100)
        status = agent.wait_status(lambda s: s["buffer"]["readings"] == s["buffer"]["refused_readings"], "all else is sent")
        self.assertEqual((status["buffer"]["refused_messages"], status["buffer"]["refused_readings"]), (1, 1))
        self.assertEqual(status["buffer"]["dropped_readings"], 0)
        self.assertGreater(status["forward"]["split_messages"], 0)
        self.assertEqual(status["broker"]["reconnects"], 0)
        values = [reading["values"] for reading in self.tally(subscriber, "lines").readings]
        self.assertEqual(values, [{"v": 1}, {"v": 2}])

        aside = self.listed(agent)
        self.assertEqual([(entry["input"], entry["readings"], entry["code"]) for entry in aside], [("lines", 1, 0x95)])
        self.assertIn(str(LIMIT), aside[0]["reason"])
        agent.terminate()
        self.assertEqual(self.listed(agent), aside, "the same without an agent")
        self.assertEqual(agent.buffer_stat()["refused_readings"], 1)

        # New batches are made so that they fit.
        agent.configure(self.config(broker, self.simulator("new", rate=0, count=1000, channels=5)))
        agent.start()
        agent.wait_connected()
        self.wait_readings(subscriber, 1000, "new")
        self.assertEqual(self.listed(agent), aside, "it is not tried again by itself")
        agent.terminate()
        self.assertIn("1 messages with 1 readings are dropped", self.settle(agent, "drop", aside[0]["id"]))
        agent.start()
        gaps = wait_until(lambda: self.tally(subscriber, "lines").gaps, "a gap record tells of the loss")
        self.assertEqual([(gap["readings"], gap["reason"]) for gap in gaps], [(1, "refused")])

    @needs(timeout=120)
    def test_what_the_access_rules_deny_is_set_aside_and_delivered_once_they_are_mended(self):
        rules = os.path.join(self.directory, "acl")
        allowed = ["topic read #", "topic write holdfast/+/status", "topic write holdfast/+/open"]
        self.write(rules, allowed)
        broker = self.make_broker(f"acl_file {rules}")
        subscriber = self.make_subscriber(broker)
        config = self.config(broker, self.simulator("closed", rate=0, count=300), self.simulator("open", rate=0, count=300))
        agent = self.make_agent(config)
        self.wait_readings(subscriber, 300, "open")
        status = agent.wait_status(lambda s: s["buffer"]["refused_readings"] == 300, "the others are set aside")
        self.assertEqual(status["buffer"]["dropped_readings"], 0)
        aside = self.listed(agent)
        self.assertEqual({(entry["input"], entry["code"]) for entry in aside}, {("closed", 0x87)})
        self.assertIn("not authorised", agent.command("buffer", "refused", "list").stdout)
        shown = agent.command("buffer", "refused", "show", aside[0]["id"])
        message = json.loads(shown.stdout.splitlines()[1])
        self.assertEqual(message["id"], aside[0]["id"])
        self.assertEqual(len(message["readings"]), aside[0]["readings"])
        unknown = agent.command("buffer", "refused", "show", aside[0]["id"] + "9")
        self.assertEqual(unknown.returncode, 1)
        self.assertIn("is set aside", unknown.stderr)
        for wrong in ("retry",), ("drop", "all"), ("drop", "all 1-\n"), ("drop", aside[0]["id"], "all"):
            self.assertEqual(agent.command("buffer", "refused", *wrong).returncode, 2, wrong)
        self.assertEqual(self.listed(agent), aside)

        agent.kill()
        self.assertEqual(self.listed(agent), aside)
        agent.configure({**config, "input": []})
        agent.start()
        agent.wait_connected()
        self.assertEqual(self.listed(agent), aside)
        self.assertEqual(subscriber.messages(self.topic("closed")), [])

        self.write(rules, [*allowed, "topic write holdfast/+/closed"])
        os.kill(broker.pid, signal.SIGHUP)
        wait_until(lambda: broker.logged("Reloading config"), "the broker reads its rules again")
        self.assertIn("1 messages", self.settle(agent, "retry", aside[0]["id"]))
        self.assertIn(f"{len(aside) - 1} messages", self.settle(agent, "retry", "--all"))
        tally = self.wait_readings(subscriber, 300, "closed")
        self.assertEqual(sorted(tally.payloads), sorted(entry["id"] for entry in aside))
        self.assertEqual(json.loads(tally.payloads[aside[0]["id"]]), message)
        agent.wait_status(lambda s: s["buffer"]["readings"] == 0 and s["buffer"]["refused_messages"] == 0, "all delivered")

    @staticmethod
    def write(path, lines):
        with open(path, "w", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n")
        os.chmod(path, 0o644)
