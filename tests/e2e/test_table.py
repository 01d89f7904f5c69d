"""Each reading is once in a consumer's table, by the SQL of docs/mqtt.md, whatever dies on the way at QoS 1."""
import os
import sqlite3
import subprocess
import sys

from case import LONG, EndToEnd, needs
from waiting import wait_until

COUNT = 100_000 if LONG else 10_000  # readings
PROGRAM = os.path.join(os.path.dirname(os.path.abspath(__file__)), "table_consumer.py")


class Table(EndToEnd):
    def start_consumer(self, broker):
        consumer = subprocess.Popen([sys.executable, PROGRAM, str(broker.port), self.path], stdin=subprocess.DEVNULL,
                                    stdout=subprocess.PIPE, text=True)
        self.addCleanup(consumer.stdout.close)
        self.addCleanup(consumer.wait, 20)
        self.addCleanup(consumer.kill)
        self.assertEqual(consumer.stdout.readline(), "subscribed\n")
        return consumer

    def ask(self, question):
        database = sqlite3.connect(self.path, timeout=20)
        try:
            return database.execute(question).fetchone()[0]
        finally:
            database.close()

    def wait_rows(self, part):
        """Until so much of the backlog is in the table."""
        wait_until(lambda: self.ask("SELECT count(*) FROM reading WHERE channel = 'n'") >= part * COUNT,
                   f"{part:.0%} of the readings in the table", timeout=120)

    @needs(timeout=600 if LONG else 120)
    def test_each_reading_is_once_in_the_table_whatever_is_killed(self):
        self.path = os.path.join(self.directory, "readings.db")
        broker = self.make_broker(tls=False)
        consumer = self.start_consumer(broker)
        config = self.config(None, self.simulator(rate=0, count=COUNT))
        config["batch"]["max_readings"] = 5
        config["buffer"]["drain_rate"] = 1250  # so that the backlog lasts while the table grows
        agent = self.make_agent(config)
        agent.wait_status(lambda s: s["buffer"]["committed_readings"] == COUNT, "everything committed")
        agent.kill()
        config.update(broker={"servers": [f"mqtt://127.0.0.1:{broker.port}"], "qos": 1, "backoff_initial": "50ms"}, input=[])
        agent.configure(config)
        agent.start()
        for part in (0.1, 0.2, 0.3):
            left = (1 - part) * COUNT
            agent.wait_status(lambda s: 0 < s["buffer"]["readings"] <= left, f"{part:.0%} of the backlog sent", timeout=120)
            agent.kill()
            agent.start()
        self.wait_rows(0.5)
        broker.stop()
        broker.start()
        self.wait_rows(0.7)
        consumer.kill()
        self.start_consumer(broker)
        self.wait_rows(1)
        agent.wait_status(lambda s: s["buffer"]["readings"] == 0, "an empty buffer")
        self.assertEqual(self.ask("SELECT count(*) FROM reading WHERE channel = 'n'"), COUNT)
        self.assertEqual(self.ask("SELECT count(DISTINCT value) FROM reading WHERE channel = 'n'"), COUNT)
        batches = "FROM arrival WHERE payload ->> 'readings' IS NOT NULL"
        again = self.ask(f"SELECT count(*) - count(DISTINCT payload ->> 'id') {batches}")
        self.assertGreater(again, 0, "nothing came twice: the test has not tested anything")
        self.assertEqual(self.ask(f"SELECT count(DISTINCT payload) - count(DISTINCT payload ->> 'id') {batches}"), 0)
