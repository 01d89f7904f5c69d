"""The whole process tree dies at random moments under load, as a power cut would end it; nothing that was promised is lost."""
import os
import random
import signal
import time

from broker import free_port
from case import SANITIZED, EndToEnd, by_chance, needs
from messages import Tally
from waiting import wait_until

ROUNDS = int(os.environ.get("HOLDFAST_KILLS", "50"))
ROUNDS_WITH_ONE_BUFFER = 50
RATE = 4000             # readings per second
COMMIT_INTERVAL = 0.1   # seconds
SPILL_AFTER = 0.15
# What a loaded machine may add to a commit interval: for the disk, and for the processes to get their turn.
ALLOWANCE = 1 if SANITIZED else 0.25


def milliseconds(seconds):
    return f"{round(1000 * seconds)}ms"


class Round:
    """One life of the agent, from its start to the kill. A `broker` that is given stops to answer half-way."""

    def __init__(self, agent, broker=None):
        self.safe = 0  # readings of this life that were on disk or acknowledged when last asked
        self.first_seen = None  # when there was a reading for the first time
        self.began = time.time()
        agent.start()
        seconds = random.uniform(0.15, 0.75)
        self._live_for(agent, seconds / 2)
        if broker:
            os.kill(broker.pid, signal.SIGSTOP)
        try:
            self._live_for(agent, seconds / 2)
            self.killed = time.time()
            agent.kill()
        finally:
            if broker:
                os.kill(broker.pid, signal.SIGCONT)

    def _live_for(self, agent, seconds):
        ends = time.monotonic() + seconds

        def over():
            if agent.process.poll() is not None:
                raise AssertionError(f"the agent ended by itself with {agent.process.returncode}")
            status = agent.status()
            if status and status["inputs"]:
                taken_in = status["inputs"][0]["readings"]
                self.safe = taken_in - status["buffer"]["in_memory_readings"]
                if taken_in and not self.first_seen:
                    self.first_seen = time.time()
            return time.monotonic() >= ends
        wait_until(over, "the moment of the kill", interval=0.01)


class Kills(EndToEnd):
    def kill_again_and_again(self, durability, rounds):
        """Rounds on one buffer, with the broker there, silent or away; then all is delivered. Returns the rounds' tails."""
        broker = self.make_broker()
        subscriber = self.make_subscriber(broker)
        agent = self.make_agent("", started=False)
        lives = []
        for number in range(rounds):
            connected = number % 2 == 0
            config = self.config(broker if connected else [f"mqtts://localhost:{free_port()}"], self.simulator(rate=RATE))
            config["buffer"] = {"durability": durability, "commit_interval": milliseconds(COMMIT_INTERVAL),
                                "spill_after": milliseconds(SPILL_AFTER)}
            config["batch"]["max_delay"] = "20ms"
            agent.configure(config)
            lives.append(Round(agent, broker if connected and random.random() < 0.5 else None))
        agent.configure(self.config(broker))
        agent.start()
        agent.wait_status(lambda s: s["buffer"]["readings"] == 0 and s["broker"]["state"] == "connected", "an empty buffer")
        tally = self.all_delivered(subscriber)
        self.assertEqual(tally.gaps, [])
        self.assertEqual(len(tally.epochs), 1)
        return [self.check(life, tally) for life in lives]

    def all_delivered(self, subscriber):
        """What the broker has acknowledged is with the subscriber when a message that came after it is."""
        subscriber.publish("end", b"")
        wait_until(lambda: subscriber.messages("end"), "the message behind the others")
        return Tally(subscriber.messages(self.topic()))

    def check(self, life, tally):
        """No hole, all that was safe is there; returns for how many seconds before the kill readings are missing."""
        times = {}
        for reading in tally.readings:
            if life.began <= reading["ts"] / 1000 <= life.killed:
                times[reading["values"]["n"]] = reading["ts"] / 1000
        numbers = set(times)
        missing = set(range(max(numbers, default=-1) + 1)) - numbers
        if missing:
            self.fail(f"a hole of {len(missing)} readings at {min(missing)} of {len(numbers)}")
        self.assertGreaterEqual(len(numbers), life.safe, "what was on disk or acknowledged is lost")
        last = times[max(numbers)] if numbers else life.first_seen
        return life.killed - last if last else None

    def check_durability(self, durability, window):
        seed = int(os.environ.get("HOLDFAST_SEED", random.getrandbits(32)))
        random.seed(seed)
        print(f"{ROUNDS} rounds, HOLDFAST_SEED={seed}", flush=True)
        tails = []
        for begun in range(0, ROUNDS, ROUNDS_WITH_ONE_BUFFER):
            found = self.kill_again_and_again(durability, min(ROUNDS_WITH_ONE_BUFFER, ROUNDS - begun))
            tails += [tail for tail in found if tail is not None]
            self.tearDownRound()
        self.assertGreater(len(tails), ROUNDS // 3, "too few rounds took anything in")
        tails.sort()
        print(f"lost before the kill, seconds: median {tails[len(tails) // 2]:.3f}, most {tails[-1]:.3f}", flush=True)
        # Of all rounds but a tenth, since a machine that is busy with other things may stall any of them.
        self.assertLess(tails[len(tails) * 9 // 10], window + ALLOWANCE)

    def tearDownRound(self):
        for agent in self.agents:
            agent.cleanup()
        for broker in self.brokers:
            broker.stop()

    @by_chance
    @needs(timeout=60 + 2 * ROUNDS, processors=2)
    def test_strict_loses_at_most_a_commit_interval(self):
        self.check_durability("strict", COMMIT_INTERVAL)

    @by_chance
    @needs(timeout=60 + 2 * ROUNDS, processors=2)
    def test_offline_loses_at_most_spill_after_and_a_commit_interval(self):
        self.check_durability("offline", SPILL_AFTER + COMMIT_INTERVAL)
