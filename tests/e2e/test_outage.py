"""Nothing is lost: the broker is away, the agent is killed, the broker stops answering."""
import os
import signal

from case import LONG, EndToEnd, needs
from processes import descendants, is_alive
from waiting import wait_until


class Outage(EndToEnd):
    @needs(timeout=90)
    def test_broker_away_and_back_loses_nothing(self):
        broker = self.make_broker()
        subscriber = self.make_subscriber(broker)
        agent = self.make_agent(self.config(broker, self.simulator(rate=100)))
        self.wait_readings(subscriber, 50)
        broker.stop()
        held = agent.wait_status(lambda s: s["buffer"]["readings"] >= 300 and s["buffer"]["committed_readings"] >= 200,
                                 "a backlog on disk")
        self.assertNotEqual(held["broker"]["state"], "connected")
        taken_in = held["inputs"][0]["readings"]
        broker.start()
        tally = self.wait_readings(subscriber, taken_in + 100)
        self.assert_no_hole(tally.run())
        status = agent.wait_status(lambda s: s["buffer"]["readings"] < 100, "a drained backlog")
        self.assertEqual(status["buffer"]["dropped_readings"], 0)
        self.assertGreaterEqual(status["broker"]["reconnects"], 1)

    @needs(timeout=90)
    def test_broker_killed_again_and_again_loses_nothing(self):
        broker = self.make_broker()
        subscriber = self.make_subscriber(broker)
        agent = self.make_agent(self.config(broker, self.simulator(rate=200, count=2000)))
        for least in (200, 500, 800):
            self.wait_readings(subscriber, least)
            broker.stop()
            broker.start()
        tally = self.wait_readings(subscriber, 2000)
        self.assertEqual(tally.run(), set(range(2000)))
        status = agent.wait_status(lambda s: s["buffer"]["readings"] == 0, "an empty buffer")
        self.assertEqual(status["forward"]["acked_readings"], 2000)

    @needs(timeout=600 if LONG else 150, processors=2)
    def test_what_is_committed_survives_a_kill(self):
        count = 300_000 if LONG else 30_000
        broker = self.make_broker(started=False)
        agent = self.make_agent(self.config(broker, self.simulator(rate=0, count=count)))
        agent.wait_status(lambda s: s["buffer"]["committed_readings"] == count, "everything committed", timeout=120)
        pids = agent.kill()
        wait_until(lambda: not any(map(is_alive, pids)), "the end of the daemon and its hosts", timeout=1)
        broker.start()
        subscriber = self.make_subscriber(broker)
        # The input is gone from the configuration: its backlog is sent all the same, under its own name and tags.
        agent.configure(self.config(broker))
        agent.start()
        tally = self.wait_readings(subscriber, count, timeout=300)
        self.assertEqual(tally.run(), set(range(count)))
        self.assertEqual(len(tally.epochs), 1)
        agent.wait_status(lambda s: s["buffer"]["readings"] == 0, "an empty buffer")

    @needs(timeout=90)
    def test_message_ids_are_never_used_again_after_a_kill(self):
        broker = self.make_broker()
        subscriber = self.make_subscriber(broker)
        agent = self.make_agent(self.config(broker, self.simulator(rate=100)))
        for _ in range(3):
            before = len(self.tally(subscriber).numbers)
            wait_until(lambda: len(self.tally(subscriber).numbers) > before, "readings of a new run")
            agent.kill()
            agent.start()
        # The tally fails when an id comes back with other content.
        wait_until(lambda: len(self.tally(subscriber).numbers) == 4, "readings of the last run")

    def test_hosts_and_their_children_end_within_a_second_of_the_daemon(self):
        stream = {"name": "stream", "plugin": "exec",
                  "options": {"command": ["/bin/sh", "-c", "echo 1; sleep 600 & wait"], "mode": "stream", "format": "value"}}
        agent = self.make_agent(self.config(None, self.simulator(), stream))
        agent.wait_status(lambda s: all(entry["readings"] > 0 for entry in s["inputs"]), "readings of both inputs")
        family = wait_until(lambda: (pids := descendants(agent.process.pid)) and len(pids) >= 4 and pids,
                            "two hosts, the shell and its child")
        agent.process.kill()
        agent.process.wait(10)
        wait_until(lambda: not any(map(is_alive, family)), lambda: f"the end of {family}", timeout=1)

    def test_readings_are_taken_in_without_network_and_sent_later(self):
        broker = self.make_broker(started=False)
        agent = self.make_agent(self.config(broker, self.simulator(rate=100)))
        agent.wait_status(lambda s: s["buffer"]["readings"] >= 100, "readings in the buffer")
        broker.start()
        subscriber = self.make_subscriber(broker)
        agent.wait_status(lambda s: s["forward"]["acked_readings"] >= 200, "the backlog acknowledged")
        self.assertEqual(agent.status()["buffer"]["dropped_readings"], 0)
        self.wait_readings(subscriber, 1)

    def test_readings_are_taken_in_while_the_brokers_name_is_unknown(self):
        agent = self.make_agent(self.config(["mqtts://no-such-broker.invalid:8883"], self.simulator(rate=100)))
        status = agent.wait_status(lambda s: s["buffer"]["readings"] >= 300 and s["broker"]["last_error"],
                                   "readings in the buffer and an error about the name")
        self.assertIn("no-such-broker.invalid", status["broker"]["last_error"])
        self.assertNotEqual(status["broker"]["state"], "connected")
        code, seconds = agent.terminate()
        self.assertEqual(code, 0)
        self.assertLess(seconds, 5)
        self.assertGreaterEqual(agent.buffer_stat()["committed_readings"], 300)

    def test_without_a_server_the_agent_buffers_and_says_so(self):
        agent = self.make_agent(self.config(None, self.simulator(rate=100)))
        agent.wait_status(lambda s: s["buffer"]["readings"] >= 100, "readings in the buffer")
        self.assertRegex(agent.command("status").stdout, r"(?i)no server")

    @needs(timeout=90)
    def test_broker_that_stops_answering_is_left_and_nothing_is_lost(self):
        broker = self.make_broker()
        subscriber = self.make_subscriber(broker)
        agent = self.make_agent(self.config(broker, self.simulator(rate=100), ack_timeout="1s", connect_timeout="2s"))
        self.wait_readings(subscriber, 50)
        os.kill(broker.pid, signal.SIGSTOP)
        self.addCleanup(lambda: broker.stop())
        try:
            held = agent.wait_status(lambda s: s["broker"]["state"] != "connected" and s["buffer"]["readings"] >= 200,
                                     "the link left and a backlog")
            self.assertTrue(held["broker"]["last_error"])
        finally:
            os.kill(broker.pid, signal.SIGCONT)
        tally = self.wait_readings(subscriber, held["inputs"][0]["readings"] + 50)
        self.assert_no_hole(tally.run())
