"""The disk is full for real."""
import signal

from case import EndToEnd, needs
from file_system import NoMount, SmallFileSystem
from messages import Tally
from waiting import wait_until

SIZE = 64 << 20
ROOM = 20 << 20    # of it some is left free, and some is set apart for the write-ahead log
COUNT = 2_500_000  # readings of 5 bytes: more than the rest and the memory
LATER = 200_000
AFTER = 20_000


class DiskFull(EndToEnd):
    def setUp(self):
        super().setUp()
        try:
            self.disk = SmallFileSystem(self.make_directory("disk"), SIZE)
        except NoMount as error:
            self.skipTest(str(error))
        self.addCleanup(self.disk.unmount)

    def make_config(self, broker, *inputs):
        config = self.config(broker, *inputs)
        config["buffer"]["memory"] = "1MiB"
        return config

    @staticmethod
    def reload(agent, config):
        agent.configure(config)
        agent.process.send_signal(signal.SIGHUP)

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

    @needs(timeout=180, processors=2)
    def test_agent_lives_on_drains_recovers_and_counts_what_it_lost(self):
        broker = self.make_broker(started=False)
        agent = self.make_agent(self.make_config(broker), directory=self.disk.path)
        agent.wait_status(lambda s: True, "an answer")
        self.disk.fill(leave=ROOM)
        inputs = [self.simulator(rate=0, count=COUNT)]
        self.reload(agent, self.make_config(broker, *inputs))
        status = self.wait_all_settled(agent, "sim", COUNT, timeout=90)
        self.assertGreater(status["buffer"]["dropped_readings"], 0)
        self.assertGreater(status["buffer"]["committed_readings"], 100_000, "the room that there was is not used")
        self.assertRegex(status["buffer"]["last_error"] + agent.log(), r"disk .*is full")

        self.disk.fill()
        inputs.append(self.simulator("later", rate=0, count=LATER))
        self.reload(agent, self.make_config(broker, *inputs))
        self.wait_all_settled(agent, "later", LATER, timeout=90)
        subscriber = self.start_before(agent, broker)
        agent.wait_status(lambda s: s["forward"]["acked_readings"] > 50_000, "a backlog that drains")
        agent.wait_status(lambda s: s["buffer"]["readings"] == 0, "an empty buffer", timeout=60)
        self.assertLess(self.disk.free_bytes(), ROOM, "the disk was not full all the time")

        self.recover(agent, broker, inputs)
        self.check_what_came(agent, subscriber)
        self.assertEqual(agent.terminate()[0], 0)

    def recover(self, agent, broker, inputs):
        self.disk.free()
        broker.stop()
        agent.wait_status(lambda s: s["broker"]["state"] != "connected", "the broker away")
        dropped = agent.status()["buffer"]["dropped_readings"]
        inputs.append(self.simulator("after", rate=0, count=AFTER))
        self.reload(agent, self.make_config(broker, *inputs))
        self.wait_all_settled(agent, "after", AFTER)
        status = agent.wait_status(lambda s: s["buffer"]["committed_readings"] >= AFTER and not s["buffer"]["last_error"],
                                   "readings on disk again", timeout=90)
        self.assertEqual(status["buffer"]["dropped_readings"], dropped, "dropped although there is room")
        broker.start()
        agent.wait_status(lambda s: s["buffer"]["readings"] == 0, "an empty buffer", timeout=60)

    def check_what_came(self, agent, subscriber):
        taken_in = COUNT + LATER + AFTER
        status = agent.status()
        dropped = status["buffer"]["dropped_readings"]
        self.assertEqual(status["forward"]["acked_readings"] + dropped, taken_in)
        subscriber.publish("end", b"")
        wait_until(lambda: subscriber.messages("end"), "the message behind the others", timeout=60)
        tally = Tally([message for name in ("sim", "later", "after") for message in subscriber.messages(self.topic(name))])
        self.assertEqual(sum(map(len, tally.numbers.values())), taken_in - dropped)
        self.assertEqual(sum(gap["readings"] for gap in tally.gaps), dropped)
        self.assertLessEqual({gap["reason"] for gap in tally.gaps}, {"disk_full", "max_size"})
