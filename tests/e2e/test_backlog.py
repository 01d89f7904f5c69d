"""A long backlog: it delays neither the start nor what is live, nor the end."""
import os
import signal
import time

from broker import free_port
from case import LONG, SANITIZED, EndToEnd, needs
from messages import Tally
from processes import bytes_read
from waiting import wait_until

BACKLOG = 1_000_000 if LONG else 200_000
IN_MEMORY = 100_000 if SANITIZED else 1_000_000


class Backlog(EndToEnd):
    def make_backlog(self, readings, **batch):
        """An agent, not running, that holds so many readings of `old`."""
        config = self.config([f"mqtts://localhost:{free_port()}"], self.simulator("old", rate=0, count=readings))
        config["batch"].update(batch)
        agent = self.make_agent(config)
        agent.wait_status(lambda s: s["buffer"]["committed_readings"] == readings, "a backlog", timeout=120)
        self.assertEqual(agent.terminate()[0], 0)
        return agent

    @needs(timeout=150, processors=2)
    def test_live_readings_pass_a_draining_backlog(self):
        broker = self.make_broker()
        live = self.make_subscriber(broker, [self.topic("live")], qos=0)
        # Small batches, so that the drain takes its time.
        agent = self.make_backlog(BACKLOG, max_readings=4)
        config = self.config(broker, self.simulator("live", rate=100))
        config["batch"]["max_delay"] = "50ms"
        agent.configure(config)
        agent.start()
        agent.wait_status(lambda s: s["buffer"]["committed_readings"] < 1000, "the backlog drained", timeout=120)
        drained = time.time()
        delays = sorted(message.arrived - reading["ts"] / 1000 for message in live.messages()
                        if message.arrived < drained for reading in Tally([message]).readings)
        self.assertGreater(len(delays), 50, "live readings did not come before the end of the backlog")
        p99 = delays[int(0.99 * len(delays))]
        print(f"{len(delays)} live readings: median {delays[len(delays) // 2]:.3f} s, p99 {p99:.3f} s", flush=True)
        self.assertLess(p99, 1)

    @needs(timeout=150, processors=2)
    def test_start_reads_as_little_of_a_long_backlog_as_of_a_short_one(self):
        read = []
        for readings in (1_000, 5 * BACKLOG):
            agent = self.make_backlog(readings)
            agent.configure(self.config([f"mqtts://localhost:{free_port()}"]))
            agent.start()
            agent.wait_status(lambda s: s["buffer"]["readings"] == readings and s["broker"]["last_error"],
                              "the whole backlog known, and an attempt to connect")
            read.append(bytes_read(agent.process.pid))
            agent.kill()
        size = agent.buffer_bytes()
        print(f"read at start: {read[0]} and {read[1]} bytes, buffer of {size}", flush=True)
        self.assertGreater(size, 3 << 20)
        self.assertLess(read[1] - read[0], 1 << 20)

    @needs(timeout=90, processors=2)
    def test_sigterm_saves_a_million_readings_in_memory_in_time(self):
        broker = self.make_broker()
        config = self.config(broker)
        config["buffer"] = {"memory": "256MiB", "spill_after": "10m", "commit_interval": "10m"}
        agent = self.make_agent(config)
        agent.wait_connected()
        os.kill(broker.pid, signal.SIGSTOP)  # acknowledges nothing any more
        try:
            config["input"] = [self.simulator(rate=0, count=IN_MEMORY)]
            agent.configure(config)
            agent.process.send_signal(signal.SIGHUP)
            agent.wait_status(lambda s: s["buffer"]["in_memory_readings"] == IN_MEMORY, "all in memory", timeout=60)
            code, seconds = agent.terminate()
        finally:
            os.kill(broker.pid, signal.SIGCONT)
        self.assertEqual(code, 0)
        self.assertLess(seconds, 5)
        self.assertEqual(agent.buffer_stat()["committed_readings"], IN_MEMORY)
