"""`holdfast buffer`: what it says of the buffer and does with it, and that looking changes nothing."""
import contextlib
import json
import os
import shutil
import signal
import sqlite3

from case import AGENT_ID, EndToEnd

PAGE = 4096


class BufferCommands(EndToEnd):
    def stopped(self, count=500):
        """An agent that took in so many readings and ended."""
        agent = self.make_agent(self.config(None, self.simulator(rate=0, count=count)))
        agent.wait_status(lambda s: s["buffer"]["committed_readings"] == count, "everything on disk")
        agent.terminate()
        return agent

    def killed(self, count=5000):
        agent = self.make_agent(self.config(None, self.simulator(rate=0, count=count)))
        agent.wait_status(lambda s: s["buffer"]["committed_readings"] == count, "everything on disk")
        agent.kill()
        return agent

    def database(self, agent):
        return os.path.join(agent.state_dir, "buffer.db")

    def damage(self, agent, page):
        with open(self.database(agent), "r+b") as file:
            file.seek((page - 1) * PAGE)
            file.write(bytes(PAGE))

    def unchanged(self, agent, *arguments, code=0):
        """Runs a command that has to leave the state directory as it is."""
        before = {name: self.content(agent, name) for name in os.listdir(agent.state_dir)}
        done = agent.command("buffer", *arguments)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        self.assertEqual({name: self.content(agent, name) for name in os.listdir(agent.state_dir)}, before)
        return done

    @staticmethod
    def content(agent, name):
        with open(os.path.join(agent.state_dir, name), "rb") as file:
            return file.read()

    @staticmethod
    def numbers(lines):
        return [reading["values"]["n"] for line in lines for reading in json.loads(line).get("readings", [])]

    def test_stat_of_a_killed_or_damaged_buffer_changes_nothing(self):
        agent = self.killed()
        self.assertEqual(json.loads(self.unchanged(agent, "stat", "--json").stdout)["readings"], 5000)
        self.damage(agent, 1)
        stat = json.loads(self.unchanged(agent, "stat", "--json").stdout)
        self.assertEqual(stat["readings"], 5000)
        self.damage(agent, 3)
        self.assertIn("damaged", json.loads(self.unchanged(agent, "stat", "--json").stdout)["last_error"])
        self.assertIn("meta", self.unchanged(agent, "refused", "list").stderr)

    def test_export_prints_the_messages_that_would_be_sent(self):
        agent = self.killed()
        lines = self.unchanged(agent, "export").stdout.splitlines()
        messages = [json.loads(line) for line in lines]
        self.assertEqual(self.numbers(lines), list(range(5000)))
        self.assertEqual({message["agent"] for message in messages}, {AGENT_ID})
        self.assertEqual(len({message["id"] for message in messages}), len(messages))
        self.assertEqual(messages[0]["tags"], {"site": "plant-3"})
        copy = os.path.join(agent.state_dir, "copy.db")
        for end in ("", "-wal"):
            shutil.copy(self.database(agent) + end, copy + end)
        self.assertEqual(self.unchanged(agent, "export", copy).stdout.splitlines(), lines)

    def test_check_tells_a_sound_buffer_from_a_damaged_one(self):
        for agent in (self.stopped(), self.killed()):
            done = self.unchanged(agent, "check")
            self.assertIn("sound", done.stdout)
            self.assertEqual(done.stderr, "")
            self.damage(agent, 3)
            done = self.unchanged(agent, "check", code=1)
            self.assertIn("damaged", done.stdout)
            self.assertIn("meta", done.stderr)

    def test_salvage_takes_over_each_reading_once_and_keeps_the_ids(self):
        agent = self.stopped()
        ids = [json.loads(line)["id"] for line in agent.command("buffer", "export").stdout.splitlines()]
        saved = os.path.join(agent.state_dir, "saved.db")
        shutil.copy(self.database(agent), saved)
        done = agent.command("buffer", "salvage", saved)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("saved 0 readings", done.stdout)
        self.assertIn("500 were in the buffer already", done.stdout)
        os.remove(self.database(agent))
        done = agent.command("buffer", "salvage", saved)
        self.assertIn("saved 500 readings", done.stdout)
        lines = agent.command("buffer", "export").stdout.splitlines()
        self.assertEqual(self.numbers(lines), list(range(500)))
        self.assertFalse(set(ids) & {json.loads(line)["id"] for line in lines}, "another epoch: other ids")
        self.assertEqual(agent.command("buffer", "salvage", self.database(agent)).returncode, 1)
        # The same epoch, and the rows are gone.
        shutil.copy(saved, self.database(agent))
        with contextlib.closing(sqlite3.connect(self.database(agent))) as database:
            database.execute("DELETE FROM batches_normal")
            database.execute("UPDATE meta SET value=0 WHERE key IN ('batches.normal', 'readings.normal')")
            database.execute("DELETE FROM meta WHERE key='guard'")
            database.commit()
        agent.command("buffer", "salvage", saved)
        lines = agent.command("buffer", "export").stdout.splitlines()
        self.assertEqual([json.loads(line)["id"] for line in lines], ids)

    def test_purge_asks_and_then_empties_the_buffer(self):
        agent = self.stopped()
        done = self.unchanged(agent, "purge", code=2)
        self.assertIn("--yes", done.stderr)
        done = agent.command("buffer", "purge", "--yes")
        self.assertEqual((done.returncode, done.stdout), (0, "500 readings deleted\n"), done.stderr)
        done = agent.command("buffer", "stat")
        self.assertEqual(done.returncode, 1)
        self.assertIn("no buffer", done.stderr)

    def test_a_running_agent_keeps_its_buffer_to_itself(self):
        agent = self.make_agent(self.config(None, self.simulator(rate=0, count=500)))
        agent.wait_status(lambda s: s["buffer"]["committed_readings"] == 500, "everything on disk")
        for arguments in (("check",), ("salvage", "x.db")):
            done = agent.command("buffer", *arguments)
            self.assertEqual(done.returncode, 1)
            self.assertIn("the agent is running", done.stderr)
        self.assertEqual(agent.status()["buffer"]["readings"], 500)

    def test_an_agent_that_is_not_seen_keeps_its_buffer_all_the_same(self):
        agent = self.make_agent(self.config(None, self.simulator(rate=0, count=500)))
        agent.wait_status(lambda s: s["buffer"]["committed_readings"] == 500, "everything on disk")
        control = os.path.join(agent.runtime_dir, "control.sock")
        os.rename(control, control + ".away")
        done = agent.command("buffer", "purge", "--yes")
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertIn("an agent that runs holds it", done.stderr)
        os.rename(control + ".away", control)
        os.kill(agent.process.pid, signal.SIGSTOP)
        self.addCleanup(os.kill, agent.process.pid, signal.SIGCONT)
        done = agent.command("buffer", "purge", "--yes")
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertIn("does not answer", done.stderr)
        os.kill(agent.process.pid, signal.SIGCONT)
        self.assertEqual(agent.status()["buffer"]["readings"], 500)

    def test_a_running_agent_exports_what_is_on_disk_and_what_is_in_memory(self):
        config = self.config(None, self.simulator(rate=0, count=20_000))
        agent = self.make_agent(config)
        agent.wait_status(lambda s: s["buffer"]["committed_readings"] == 20_000, "everything on disk")
        done = agent.command("buffer", "export")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.numbers(done.stdout.splitlines()), list(range(20_000)))
        # What the broker never acknowledges stays in flight, and in memory.
        broker = self.make_broker()
        os.kill(broker.pid, signal.SIGSTOP)
        self.addCleanup(os.kill, broker.pid, signal.SIGCONT)
        config["buffer"].update(commit_interval="1h")
        config["input"].append(self.simulator("memory", rate=0, count=300))
        agent.configure(config)
        agent.process.send_signal(signal.SIGHUP)
        agent.wait_status(lambda s: s["buffer"]["readings"] == 20_300, "more readings")
        lines = agent.command("buffer", "export").stdout.splitlines()
        self.assertEqual(len(self.numbers(lines)), 20_300)
        self.assertEqual(len({json.loads(line)["id"] for line in lines}), len(lines))
        self.assertEqual(agent.status()["buffer"]["readings"], 20_300)

    def test_a_running_agent_forgets_what_it_holds_when_told_so(self):
        agent = self.make_agent(self.config(None, self.simulator(rate=0, count=400_000)))
        agent.wait_status(lambda s: s["buffer"]["committed_readings"] == 400_000, "everything on disk")
        done = agent.command("buffer", "purge")
        self.assertEqual((done.returncode, agent.status()["buffer"]["readings"]), (2, 400_000))
        done = agent.command("buffer", "purge", "--yes")
        self.assertEqual((done.returncode, done.stdout), (0, "400000 readings deleted\n"), done.stderr)
        status = agent.status()
        self.assertEqual((status["buffer"]["readings"], status["buffer"]["dropped_readings"]), (0, 400_000))
        self.assertEqual(agent.command("buffer", "export").stdout, "")
        agent.wait_status(lambda s: s["buffer"]["bytes"] < 300_000, "the file shrunk")

    def test_wrong_usage_says_what_there_is(self):
        agent = self.make_agent(self.config(None), started=False)
        for arguments in ((), ("drink",), ("salvage",), ("stat", "x"), ("export", "a", "b")):
            done = agent.command("buffer", *arguments)
            self.assertEqual(done.returncode, 2)
            self.assertIn("usage: holdfast buffer stat", done.stderr)

    def test_the_agent_starts_without_a_usable_directory_and_salvages_while_it_runs(self):
        agent = self.stopped(5000)
        self.damage(agent, 9)
        agent.start()
        # Each start brings 5,000 more.
        agent.wait_status(lambda s: s["buffer"]["committed_readings"] == 10000, "what was salvaged, and the new ones")
        self.assertIn("none is lost", agent.log())
        agent.terminate()
        shutil.move(agent.state_dir, agent.state_dir + ".away")
        with open(agent.state_dir, "w", encoding="utf-8"):
            pass
        agent.start()
        status = agent.wait_status(lambda s: s["buffer"]["in_memory_readings"] > 0, "readings in memory")
        self.assertIn("cannot make the directory", status["buffer"]["last_error"])
        os.remove(agent.state_dir)
        shutil.move(agent.state_dir + ".away", agent.state_dir)
        agent.wait_status(lambda s: s["buffer"]["committed_readings"] == 15000 and not s["buffer"]["last_error"],
                          "the disk is used again")
