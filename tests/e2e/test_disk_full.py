"""The disk is full for real."""
import os
import signal

from case import EndToEnd, needs
from file_system import NoMount, SmallFileSystem
from messages import Tally
from waiting import wait_until

COUNT = 600_000  # readings of 14 bytes: more than the room that is left and the memory
MORE = 20_000


class DiskFull(EndToEnd):
    def setUp(self):
        super().setUp()
        try:
            self.disk = SmallFileSystem(self.make_directory("disk"), 32 << 20)
        except NoMount as error:
            self.skipTest(str(error))
        self.addCleanup(self.disk.unmount)

    def make_config(self, broker, *inputs):
        config = self.config(broker, *inputs)
        config["buffer"]["memory"] = "1MiB"
        return config

    def wait_all_settled(self, agent, name, count, **arguments):
        """All taken in, and each reading of it held, acknowledged or dropped."""
        def settled(status):
            entry = next((entry for entry in status["inputs"] if entry["name"] == name), None)
            return entry and entry["readings"] == count and entry["state"] == "stopped"
        status = agent.wait_status(settled, f"all of {name} taken in", **arguments)
        self.assertEqual(self.accounted(status), sum(entry["readings"] for entry in status["inputs"]))
        return status

    @staticmethod
    def accounted(status):
        return status["buffer"]["readings"] + status["forward"]["acked_readings"] + status["buffer"]["dropped_readings"]

    @needs(timeout=150, processors=2)
    def test_agent_lives_on_drains_recovers_and_counts_what_it_lost(self):
        broker = self.make_broker(started=False)
        config = self.make_config(broker, self.simulator(rate=0, count=COUNT))
        agent = self.make_agent(config, started=False, directory=self.disk.path)
        self.disk.fill(leave=3 << 20)
        agent.start()
        status = self.wait_all_settled(agent, "sim", COUNT, timeout=90)
        self.assertGreater(status["buffer"]["dropped_readings"], 0)
        self.assertGreater(status["buffer"]["committed_readings"], 50_000, "the room that there was is not used")
        self.assertTrue(status["buffer"]["last_error"], "the status does not say why readings are dropped")

        broker.start()
        subscriber = self.make_subscriber(broker)
        agent.wait_status(lambda s: s["forward"]["acked_readings"] > 50_000, "a backlog that drains while the disk is full")
        self.assertGreater(os.path.getsize(os.path.join(self.disk.path, "filler")), 0)
        agent.wait_status(lambda s: s["buffer"]["readings"] == 0, "an empty buffer", timeout=60)

        self.disk.free()
        agent.wait_status(lambda s: not s["buffer"]["last_error"], "the error gone")
        dropped = agent.status()["buffer"]["dropped_readings"]
        broker.stop()
        agent.wait_status(lambda s: s["broker"]["state"] != "connected", "the broker away")
        agent.configure(self.make_config(broker, self.simulator(rate=0, count=COUNT),
                                         self.simulator("more", rate=0, count=MORE)))
        agent.process.send_signal(signal.SIGHUP)
        self.wait_all_settled(agent, "more", MORE)
        status = agent.wait_status(lambda s: s["buffer"]["committed_readings"] >= MORE, "readings on disk again")
        self.assertEqual(status["buffer"]["dropped_readings"], dropped, "dropped although there is room")

        broker.start()
        agent.wait_status(lambda s: s["buffer"]["readings"] == 0, "an empty buffer", timeout=60)
        self.check_what_came(agent, subscriber)
        self.assertEqual(agent.terminate()[0], 0)

    def check_what_came(self, agent, subscriber):
        status = agent.status()
        dropped = status["buffer"]["dropped_readings"]
        self.assertEqual(status["forward"]["acked_readings"] + dropped, COUNT + MORE)
        subscriber.publish("end", b"")
        wait_until(lambda: subscriber.messages("end"), "the message behind the others", timeout=60)
        tally = Tally(subscriber.messages(self.topic()) + subscriber.messages(self.topic("more")))
        self.assertEqual(len(tally.readings), COUNT + MORE - dropped)
        self.assertEqual(sum(map(len, tally.numbers.values())), COUNT + MORE - dropped)
        self.assertEqual(sum(gap["readings"] for gap in tally.gaps), dropped)
        self.assertLessEqual({gap["reason"] for gap in tally.gaps}, {"disk_full", "max_size"})
