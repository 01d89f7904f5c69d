"""The power fails while the agent works: its disk is rebuilt as that may have left it, many times, and the agent started on each.

The disk records what it is given, so that a missing flush shows, which killing the agent, or a whole virtual machine, does not show.
"""
import contextlib
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import unittest
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))
from agent import BUILD  # noqa: E402
from case import SANITIZED, EndToEnd, needs  # noqa: E402
from crash_state import AFTER, crash_states, look_at  # noqa: E402
from packet_relay import PUBACK  # noqa: E402
from promises import Life, Promises  # noqa: E402
from recorded_disk import BLOCK, FLUSH, ZEROS, NoDisk, RecordedDisk, have_own_mounts, ran, write_blocks  # noqa: E402
from waiting import wait_until  # noqa: E402

STATES = int(os.environ.get("HOLDFAST_CRASH_STATES", "200"))
DISK_SIZE = 64 << 20
RATE = 1000  # readings per second
LARGE = {"channels": 16, "shape": "random"}  # so large that a backlog has many pages to give back when it is sent
OLD_READINGS = 5000  # in a buffer that was there before
INDEX_OF_INPUTS = 4  # the page, from 0 on
COMMIT_INTERVAL = 0.05  # seconds
SPILL_AFTER = 0.1
# What a loaded machine may add to a commit interval: for the disk, and for the processes to get their turn.
ALLOWANCE = 1 if SANITIZED else 0.25
KINDS = ("failed starts", "corrupt buffers", "losses", "ids given twice")


@dataclass(frozen=True)
class Verdict:
    """On a state: what is wrong with it, by kind, and for how long before the power cut there is no reading."""
    problems: dict
    missing_seconds: float | None


def by_states(share):
    """The part of all states that a test gets. Chance decides which: when the test fails, it gets no second try."""
    def mark(method):
        method.states = max(4, round(share * STATES))
        method.labels = "e2e,power,random"
        return needs(timeout=120 + 4 * method.states, processors=2)(method)
    return mark


class CrashStates(EndToEnd):
    def setUp(self):
        super().setUp()
        seed = int(os.environ.get("HOLDFAST_SEED", random.getrandbits(32)))
        random.seed(seed)
        self.count = getattr(self, self._testMethodName).states
        print(f"{self.count} states, HOLDFAST_SEED={seed}", flush=True)
        try:
            have_own_mounts()
        except NoDisk as reason:
            self.skipTest(f"cannot make a disk of our own: {reason}")

    def make_image(self, state=None):
        """A file system with that state directory, or none."""
        directory = self.make_directory("image")
        content, image = os.path.join(directory, "content"), os.path.join(directory, "image")
        os.makedirs(content)
        if state:
            shutil.copytree(state, os.path.join(content, "state"))
        with open(image, "wb") as file:
            file.truncate(DISK_SIZE)
        subprocess.run(["mkfs.ext4", "-q", "-b", "4096", "-E", "lazy_itable_init=0,lazy_journal_init=0", "-d", content, image],
                       check=True, timeout=60)
        return image

    def record(self, image):
        """From now on the agent's state is on a disk that is recorded."""
        try:
            self.disk = RecordedDisk(self.make_directory("disk"), image)
            self.addCleanup(self.disk.close)
            self.disk.mount()
        except (NoDisk, OSError) as reason:
            self.skipTest(f"cannot make a disk of our own: {reason}")
        self.addCleanup(self.disk.unmount)
        self.promises = Promises(self.disk)
        self.agent = self.make_agent("", started=False)
        self.agent.state_dir = os.path.join(self.disk.path, "state")

    def begin_life(self, durability, port=None, environment=None):
        life = Life(f"life{len(self.promises.lives)}", self.disk.position)
        servers = [f"mqtt://127.0.0.1:{port}"] if port else []
        simulator = {"name": life.name, "plugin": "simulator", "options": {"rate": RATE, **LARGE}}
        config = self.config(servers, simulator, protocol="3.1.1")
        config["buffer"] = {"durability": durability, "commit_interval": f"{round(1000 * COMMIT_INTERVAL)}ms",
                            "spill_after": f"{round(1000 * SPILL_AFTER)}ms", "drain_rate": 2 * RATE,
                            # So small that the write-ahead log is written back again and again.
                            "max_size": "2MiB"}
        config["batch"] = {"max_delay": "20ms"}
        self.agent.configure(config)
        self.promises.lives.append(life)
        self.agent.start(environment)

    @property
    def life(self):
        return self.promises.lives[-1]

    def end_life(self, end):
        self.life.end(self.disk.position)
        end()

    def live_until(self, condition, what):
        def holds():
            if self.agent.process.poll() is not None:
                raise AssertionError(f"the agent ended by itself with {self.agent.process.returncode}")
            status = self.agent.status()
            if not status or not status["inputs"]:
                return False
            self.life.note(self.disk.position, status)
            return condition(status)
        wait_until(holds, what, timeout=100, interval=0.01)

    def live_on(self, readings):
        until = self.life.taken_in + readings
        self.live_until(lambda _: self.life.taken_in >= until, f"{readings} more readings")

    def live_through_outages(self, durability):
        """Backlogs grow and are sent, in part and whole, while readings come in; the agent is killed and stopped."""
        broker = self.make_broker(tls=False, started=False)
        witness = self.promises.make_witness(broker.port)
        self.addCleanup(witness.stop)

        sizes = []

        def has_shrunk():
            sizes.append(self.agent.buffer_files()["buffer.db"][0])
            return sizes[-1] < max(sizes) * 3 // 4

        self.begin_life(durability, witness.port)
        self.live_until(lambda s: s["buffer"]["committed_readings"] >= RATE, "a backlog")
        broker.start()
        self.live_until(lambda s: s["forward"]["acked_readings"] >= RATE // 2, "a part of the backlog acknowledged")
        broker.stop()
        self.live_on(RATE // 4)
        self.end_life(self.agent.kill)

        self.begin_life(durability, witness.port)
        self.live_on(RATE)
        broker.start()
        self.live_until(lambda _: has_shrunk(), "the backlog sent and the file smaller")
        witness.swallow(PUBACK)
        self.live_on(RATE // 2)
        witness.swallow()
        self.end_life(self.agent.terminate)
        broker.stop()

        self.begin_life(durability, witness.port)
        self.live_on(RATE // 4)
        self.end_life(self.agent.kill)

    def look_at_states(self, begin=0, sets=0):
        """Has the agent start on the states from that position on; the verdict on each. `sets`: as in judge()."""
        config = self.config(None, self.simulator(AFTER, rate=0, count=1))
        config["agent"]["log_level"] = "warning"
        config["buffer"]["commit_interval"] = config["batch"]["max_delay"] = "0s"

        def look(position, blocks):
            directory = self.make_directory("state")
            try:
                found = look_at(directory, self.disk.size, blocks, config, has_buffer=begin > 0)
            finally:
                shutil.rmtree(directory)
            return self.judge(position, found, sets)
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            looks = [pool.submit(look, *state) for state in crash_states(self.disk, begin, self.count)]
        verdicts = [done.result() for done in looks]
        flushes = self.disk.log.count(FLUSH)
        print(f"{len(verdicts)} states of {len(self.disk.log) - flushes} writes and {flushes} flushes: "
              + ", ".join(f"{sum(kind in verdict.problems for verdict in verdicts)} {kind}" for kind in KINDS), flush=True)
        return verdicts

    def judge(self, position, found, sets):
        """`sets`: so many damaged buffers may have been set aside."""
        known = self.promises.known(position, found.messages)
        aside = "" if len(found.set_aside) <= sets else f"set aside: {found.set_aside}; "
        texts = [found.failed_start, found.damage + aside + ("" if sets else found.complaints)]
        if not found.failed_start:
            texts.append("; ".join(self.promises.losses(position, known)))
            texts.append(" ".join(message["id"] for message in found.messages
                                  if message["input"] == AFTER and self.promises.was_sent(position, message)))
        problems = {kind: f"at {position}: {text}" for kind, text in zip(KINDS, texts) if text}
        return Verdict(problems, self.promises.missing_seconds(position, known))

    def assert_survives(self, verdicts):
        problems = [(kind, text) for verdict in verdicts for kind, text in verdict.problems.items()]
        self.assertFalse(problems[:10], f"{len(problems)} problems")

    def assert_window(self, verdicts, window):
        missing = sorted(verdict.missing_seconds for verdict in verdicts if verdict.missing_seconds is not None)
        self.assertGreater(len(missing), len(verdicts) // 2, "too few states are of a moment when readings came in")
        print(f"no reading before the power cut, seconds: median {missing[len(missing) // 2]:.3f}, most {missing[-1]:.3f}", flush=True)
        # Of all but a tenth, since a machine that is busy with other things may stall any of them.
        self.assertLess(missing[len(missing) * 9 // 10], window + ALLOWANCE)
        self.assertLess(missing[-1], window + 20 * ALLOWANCE)

    def check_durability(self, durability, window):
        self.record(self.make_image())
        self.live_through_outages(durability)
        verdicts = self.look_at_states(self.promises.lives[0].answered)
        self.assert_survives(verdicts)
        self.assert_window(verdicts, window)

    @by_states(share=0.3)
    def test_strict_loses_at_most_a_commit_interval(self):
        self.check_durability("strict", COMMIT_INTERVAL)

    @by_states(share=0.3)
    def test_offline_loses_at_most_spill_after_and_a_commit_interval(self):
        self.check_durability("offline", SPILL_AFTER + COMMIT_INTERVAL)

    @by_states(share=0.1)
    def test_first_start(self):
        self.record(self.make_image())
        self.begin_life("offline")
        self.live_on(RATE // 10)
        self.end_life(self.agent.kill)
        self.assert_survives(self.look_at_states())

    def old_state(self):
        """A state directory with OLD_READINGS in a buffer that was closed, and the path of that."""
        agent = self.make_agent(self.config(None, self.simulator("old", rate=0, count=OLD_READINGS)))
        agent.wait_status(lambda s: s["buffer"]["committed_readings"] == OLD_READINGS, "everything on disk")
        agent.terminate()
        return agent.state_dir, os.path.join(agent.state_dir, "buffer.db")

    def record_start_on(self, image, old="old", safe=OLD_READINGS):
        """The disk has a buffer with so many readings of an input."""
        self.record(image)
        self.promises.lives.append(Life(old, 0, safe))
        self.begin_life("offline")
        # Damage shows at the first commit.
        self.live_until(lambda s: s["buffer"]["committed_readings"] > safe and s["buffer"]["salvaging_readings"] == 0,
                        "all taken over, and more committed")
        self.live_on(RATE // 10)
        self.end_life(self.agent.kill)

    @by_states(share=0.1)
    def test_first_start_of_a_newer_version(self):
        state, buffer = self.old_state()
        with contextlib.closing(sqlite3.connect(buffer, isolation_level=None)) as database:
            for table in ("batches_low", "batches_normal", "batches_high"):
                database.execute(f"ALTER TABLE {table} DROP COLUMN message_seq")
                database.execute(f"ALTER TABLE {table} DROP COLUMN arrived_s")
            database.execute("ALTER TABLE boots DROP COLUMN wall_offset_us")
            database.execute("DROP TABLE refused")
            database.execute("DELETE FROM meta WHERE key IN ('guard', 'lived_s')")
            database.execute("PRAGMA user_version=1")
        self.record_start_on(self.make_image(state))
        self.assert_survives(self.look_at_states())

    @by_states(share=0.1)
    def test_start_on_a_damaged_buffer(self):
        state, buffer = self.old_state()
        with open(buffer, "r+b") as file:
            file.seek(INDEX_OF_INPUTS * BLOCK)
            file.write(ZEROS)
        self.record_start_on(self.make_image(state))
        self.assertIn("buffer.db.corrupt-1", os.listdir(self.agent.state_dir))
        self.assert_survives(self.look_at_states(sets=1))

    @by_states(share=0.1)
    def test_the_power_fails_again_at_the_next_start(self):
        self.record(self.make_image())
        self.begin_life("strict")
        self.live_on(RATE)
        self.end_life(self.agent.kill)
        position, blocks = next(crash_states(self.disk, self.life.answered, 1))
        image = os.path.join(self.make_directory("image"), "image")
        write_blocks(image, DISK_SIZE, blocks)
        self.record_start_on(image, self.life.name, self.life.safe_at(position))
        self.assert_survives(self.look_at_states())

    @unittest.skipIf(SANITIZED, "a preloaded library comes before the sanitizer")
    @by_states(share=0.1)
    def test_the_control_a_buffer_that_is_not_synced_does_not_survive(self):
        self.record(self.make_image())
        self.begin_life("strict", environment={"LD_PRELOAD": os.path.join(BUILD, "tests", "libno_sync.so")})
        self.live_on(RATE)
        ran("sync", "-f", self.disk.path)  # as the kernel does by itself every half minute
        self.live_on(RATE)
        self.end_life(self.agent.kill)
        verdicts = self.look_at_states(self.life.answered)
        self.assertGreater(sum(bool(verdict.problems) for verdict in verdicts), self.count // 2)
