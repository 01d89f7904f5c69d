"""What is written to flash, when, and how much of it."""
import os
import signal

from case import LONG, EndToEnd, needs
from waiting import wait_until


class Flash(EndToEnd):
    @needs(timeout=700 if LONG else 90)
    def test_online_nothing_is_written_to_the_buffers_files_after_start(self):
        broker = self.make_broker()
        config = self.config(broker, self.simulator(rate=10))
        config["buffer"] = {}  # the defaults are what is promised
        agent = self.make_agent(config)
        agent.wait_status(lambda s: s["forward"]["acked_readings"] >= 10, "the first readings acknowledged")
        before, written = agent.buffer_files(), agent.status()["buffer"]["written_bytes"]
        self.assertIn("buffer.db", before)
        count = 6000 if LONG else 300
        status = agent.wait_status(lambda s: s["forward"]["acked_readings"] >= 10 + count, f"{count} more acknowledged",
                                   timeout=660 if LONG else 60)
        self.assertEqual(agent.buffer_files(), before)
        self.assertEqual(status["buffer"]["written_bytes"], written)

    def test_strict_durability_commits_before_it_publishes(self):
        broker = self.make_broker()
        subscriber = self.make_subscriber(broker)
        config = self.config(broker, self.simulator(rate=100))
        config["buffer"] = {"durability": "strict", "commit_interval": "50ms", "spill_after": "1h"}
        agent = self.make_agent(config)
        self.wait_readings(subscriber, 50)
        self.assertGreater(agent.status()["buffer"]["written_bytes"], 0)
        # The broker answers no more: nothing but the durability makes the agent write, and what it has is on disk soon.
        os.kill(broker.pid, signal.SIGSTOP)
        try:
            taken_in = agent.input("sim")["readings"]
            agent.wait_status(lambda s: s["buffer"]["committed_readings"] >= 200, "readings on disk while the link is up")
            agent.kill()
        finally:
            os.kill(broker.pid, signal.SIGCONT)
        agent.configure(self.config(broker))
        agent.start()
        self.assert_no_hole(self.wait_readings(subscriber, taken_in + 100).run())

    def test_offline_durability_spills_what_stays_unacknowledged(self):
        broker = self.make_broker()
        subscriber = self.make_subscriber(broker)
        config = self.config(broker, self.simulator(rate=100))
        config["buffer"] = {"spill_after": "500ms", "commit_interval": "100ms"}
        agent = self.make_agent(config)
        self.wait_readings(subscriber, 50)
        self.assertEqual(agent.status()["buffer"]["committed_readings"], 0)
        os.kill(broker.pid, signal.SIGSTOP)
        try:
            agent.wait_status(lambda s: s["broker"]["state"] == "connected" and s["buffer"]["committed_readings"] >= 100,
                              "readings on disk while the link is up")
        finally:
            os.kill(broker.pid, signal.SIGCONT)
        agent.wait_status(lambda s: s["buffer"]["committed_readings"] == 0, "the disk free again")

    @needs(timeout=150, processors=2)
    def test_full_buffer_drops_the_oldest_and_tells_how_many(self):
        count, max_size = 150_000, 1 << 20
        broker = self.make_broker(started=False)
        config = self.config(broker, self.simulator(rate=0, count=count))
        config["buffer"].update(max_size="1MiB", when_full="drop_oldest")
        agent = self.make_agent(config)
        largest = 0

        def all_taken_in(status):
            nonlocal largest
            largest = max(largest, agent.buffer_bytes())
            return status["inputs"][0]["state"] == "stopped" and status["inputs"][0]["readings"] == count
        agent.wait_status(all_taken_in, "all readings taken in", timeout=90)
        status = agent.wait_status(lambda s: s["buffer"]["in_memory_readings"] == 0, "everything on disk or dropped")
        dropped = status["buffer"]["dropped_readings"]
        self.assertLessEqual(max(largest, agent.buffer_bytes()), max_size)
        self.assertGreater(dropped, 0)
        self.assertGreater(agent.buffer_bytes(), max_size // 2, "dropped although there was room")
        self.assertEqual(status["buffer"]["readings"] + dropped, count)
        subscriber = self.start_before(agent, broker)
        agent.wait_status(lambda s: s["buffer"]["readings"] == 0, "an empty buffer", timeout=60)
        tally = wait_until(lambda: (t := self.tally(subscriber)).numbers and len(t.run()) == count - dropped and t,
                           "what was kept at the subscriber")
        self.assertEqual(min(tally.run()), dropped, "not the oldest were dropped")
        self.assertEqual(sum(gap["readings"] for gap in tally.gaps), dropped)
        self.assertEqual({gap["reason"] for gap in tally.gaps}, {"max_size"})
        for gap in tally.gaps:
            self.assertLessEqual(gap["from"], gap["to"])
        self.assertEqual(agent.status()["forward"]["acked_readings"], count - dropped)

    @needs(timeout=180, processors=2)
    def test_with_block_the_inputs_wait_and_nothing_is_lost(self):
        count = 600_000
        broker = self.make_broker(started=False)
        config = self.config(broker, self.simulator(rate=0, count=count))
        config["buffer"].update(max_size="1MiB", when_full="block")
        agent = self.make_agent(config)
        # What was on its way when the room ended waits in memory.
        status = agent.wait_status(lambda s: s["buffer"]["inputs_wait"], "inputs that wait", timeout=60)
        self.assertLess(status["inputs"][0]["readings"], count)
        self.assertLessEqual(agent.buffer_bytes(), 1 << 20)
        subscriber = self.start_before(agent, broker)
        tally = self.wait_readings(subscriber, count, timeout=120)
        self.assertEqual(tally.run(), set(range(count)))
        status = agent.wait_status(lambda s: s["buffer"]["readings"] == 0, "an empty buffer")
        self.assertEqual(status["buffer"]["dropped_readings"], 0)
        self.assertFalse(status["buffer"]["inputs_wait"])

    @needs(timeout=180, processors=2)
    def test_with_thin_the_oldest_become_coarser_and_each_reading_counts(self):
        count = 1_000_000
        broker = self.make_broker(started=False)
        config = self.config(broker, self.simulator(rate=0, count=count))
        config["buffer"].update(max_size="1MiB", when_full="thin")
        agent = self.make_agent(config)
        status = agent.wait_status(lambda s: s["inputs"][0]["state"] == "stopped" and s["buffer"]["in_memory_readings"] == 0,
                                   "all readings taken in", timeout=90)
        self.assertEqual(status["buffer"]["dropped_readings"], 0)
        self.assertEqual(status["buffer"]["readings"] + status["buffer"]["thinned_readings"], count)
        self.assertLessEqual(agent.buffer_bytes(), 1 << 20)
        subscriber = self.start_before(agent, broker)
        agent.wait_status(lambda s: s["buffer"]["readings"] == 0, "an empty buffer", timeout=60)
        held = status["buffer"]["readings"]
        tally = wait_until(lambda: len((t := self.tally(subscriber)).readings) == held and t, "what was kept")
        self.assertEqual(sum(reading["values"].get("n.count", 1) for reading in tally.readings), count)

    def test_damaged_buffer_is_set_aside_and_the_agent_goes_on(self):
        broker = self.make_broker()
        agent = self.make_agent(self.config(broker, self.simulator(rate=0, count=10)), started=False)
        with open(os.path.join(agent.state_dir, "buffer.db"), "wb") as file:
            file.write(os.urandom(65536))
        agent.start()
        agent.wait_status(lambda s: s["forward"]["acked_readings"] == 10, "readings acknowledged")
        self.assertGreater(len([name for name in os.listdir(agent.state_dir) if name.startswith("buffer.db")
                                and name not in ("buffer.db", "buffer.db-wal", "buffer.db-shm")]), 0,
                           "the damaged file is kept under another name")
        self.assertRegex(agent.log(), r"(?i)damaged|corrupt|not a database")
