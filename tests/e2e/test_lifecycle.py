"""Start, stop and reload, as systemd and people do them."""
import os
import signal

from case import EndToEnd, needs
from service_manager import ServiceManager
from waiting import wait_until


class Stop(EndToEnd):
    def stop_and_count(self, agent):
        """SIGTERM; checks exit code and time; returns what the buffer then holds."""
        code, seconds = agent.terminate()
        self.assertEqual(code, 0)
        self.assertLess(seconds, 5)
        stat = agent.buffer_stat()
        self.assertEqual(stat["committed_readings"], stat["readings"])
        return stat["readings"]

    def test_sigterm_offline_leaves_everything_on_disk(self):
        broker = self.make_broker(started=False)
        config = self.config(broker, self.simulator(rate=200))
        config["buffer"]["commit_interval"] = "10m"
        config["batch"]["max_delay"] = "10m"
        agent = self.make_agent(config)
        taken_in = agent.wait_status(lambda s: s["inputs"][0]["readings"] >= 250, "readings")["inputs"][0]["readings"]
        self.assertGreaterEqual(self.stop_and_count(agent), taken_in)
        broker.start()
        subscriber = self.make_subscriber(broker)
        agent.configure(self.config(broker))
        agent.start()
        self.assert_no_hole(self.wait_readings(subscriber, taken_in).run())

    def test_sigterm_online_loses_nothing(self):
        broker = self.make_broker()
        subscriber = self.make_subscriber(broker)
        agent = self.make_agent(self.config(broker, self.simulator(rate=500)))
        agent.wait_status(lambda s: s["forward"]["acked_readings"] >= 500, "readings acknowledged")
        held = self.stop_and_count(agent)
        self.assertTrue(broker.logged(r"Received DISCONNECT from gw-17"), broker.log())
        agent.configure(self.config(broker))
        agent.start()
        agent.wait_status(lambda s: s["buffer"]["readings"] == 0 and s["forward"]["acked_readings"] >= held, "the rest sent")
        wait_until(lambda: len(self.tally(subscriber).run()) >= 500, "readings")
        self.assert_no_hole(self.tally(subscriber).run())

    def test_sigterm_is_quick_when_the_broker_does_not_answer(self):
        broker = self.make_broker()
        agent = self.make_agent(self.config(broker, self.simulator(rate=100)))
        agent.wait_connected()
        os.kill(broker.pid, signal.SIGSTOP)
        try:
            held = agent.wait_status(lambda s: s["buffer"]["readings"] > 0, "readings without an answer")["buffer"]["readings"]
            self.assertGreaterEqual(self.stop_and_count(agent), held)
        finally:
            os.kill(broker.pid, signal.SIGCONT)

    def test_sigint_stops_as_sigterm_does(self):
        agent = self.make_agent(self.config(None, self.simulator()))
        agent.wait_status(lambda s: s["buffer"]["readings"] > 0, "a reading")
        agent.process.send_signal(signal.SIGINT)
        self.assertEqual(agent.process.wait(10), 0)


class Reload(EndToEnd):
    def test_sighup_starts_what_is_new_and_leaves_the_rest_alone(self):
        broker = self.make_broker()
        subscriber = self.make_subscriber(broker)
        agent = self.make_agent(self.config(broker, self.simulator("old", 100), self.simulator("changed", 1)))
        agent.wait_status(lambda s: all(entry["readings"] > 0 for entry in s["inputs"]), "readings of both")
        old, changed = agent.input("old")["pid"], agent.input("changed")["pid"]
        agent.configure(self.config(broker, self.simulator("old", 100), self.simulator("changed", 50), self.simulator("new", 100)))
        agent.process.send_signal(signal.SIGHUP)
        status = agent.wait_status(lambda s: len(s["inputs"]) == 3 and all(entry["readings"] > 5 for entry in s["inputs"]),
                                   "readings of all three")
        pids = {entry["name"]: entry["pid"] for entry in status["inputs"]}
        self.assertEqual(pids["old"], old)
        self.assertNotEqual(pids["changed"], changed)
        self.assert_no_hole(self.wait_readings(subscriber, 200, "old").run())
        self.wait_readings(subscriber, 10, "new")

    def test_sighup_stops_what_is_gone(self):
        agent = self.make_agent(self.config(None, self.simulator("a"), self.simulator("b")))
        agent.wait_status(lambda s: len(s["inputs"]) == 2, "two inputs")
        gone = agent.input("b")["pid"]
        agent.configure(self.config(None, self.simulator("a")))
        agent.process.send_signal(signal.SIGHUP)
        agent.wait_status(lambda s: [entry["name"] for entry in s["inputs"]] == ["a"], "one input")
        wait_until(lambda: not os.path.exists(f"/proc/{gone}"), "its host to end")

    def test_sighup_with_a_wrong_configuration_keeps_the_old_one(self):
        agent = self.make_agent(self.config(None, self.simulator()))
        agent.wait_status(lambda s: s["buffer"]["readings"] > 0, "a reading")
        agent.configure('[agent]\nlog_level = "loud"\n')
        agent.process.send_signal(signal.SIGHUP)
        wait_until(lambda: "loud" in agent.log(), "the problem in the log")
        before = agent.status()
        self.assertEqual(before["inputs"][0]["restarts"], 0)
        agent.wait_status(lambda s: s["buffer"]["readings"] > before["buffer"]["readings"], "further readings")

    def test_sighup_with_an_option_that_its_plugin_refuses_keeps_the_old_one(self):
        agent = self.make_agent(self.config(None, self.simulator()))
        agent.wait_status(lambda s: s["buffer"]["readings"] > 0, "a reading")
        agent.configure(self.config(None, self.simulator(channels=5000)))
        agent.process.send_signal(signal.SIGHUP)
        wait_until(lambda: "channels: must be from 1 to 4094" in agent.log(), "the problem in the log")
        before = agent.status()
        self.assertEqual((before["inputs"][0]["state"], before["inputs"][0]["restarts"]), ("running", 0))
        agent.wait_status(lambda s: s["buffer"]["readings"] > before["buffer"]["readings"], "further readings")

    def test_sighup_takes_other_inputs_when_one_has_been_wrong_since_the_start(self):
        """At the start a wrong option costs its own input alone; a reload asks the plugins of new and changed ones only."""
        wrong = self.simulator("wrong", channels=5000)
        agent = self.make_agent(self.config(None, wrong))
        agent.wait_status(lambda s: s["inputs"][0]["state"] == "failed", "the input to fail")
        agent.configure(self.config(None, wrong, self.simulator("new")))
        agent.process.send_signal(signal.SIGHUP)
        agent.wait_status(lambda s: s["buffer"]["readings"] > 0, "readings of the new one")


class Service(EndToEnd):
    def make_service(self, config, **environment):
        manager = ServiceManager(self.directory)
        self.addCleanup(manager.stop)
        return manager, self.make_agent(config, environment={"NOTIFY_SOCKET": manager.path, **environment})

    def test_service_manager_is_told_of_start_reload_and_stop(self):
        manager, agent = self.make_service(self.config(None, self.simulator()))
        wait_until(lambda: "READY=1" in manager.lines(), "READY=1")
        wait_until(lambda: manager.lines("STATUS="), "a STATUS= line")
        agent.wait_status(lambda s: True, "the control socket")
        agent.process.send_signal(signal.SIGHUP)
        wait_until(lambda: manager.lines("RELOADING=1") and len(manager.lines("READY=1")) >= 2, "RELOADING=1 and READY=1 again")
        self.assertTrue(manager.lines("MONOTONIC_USEC="), "Type=notify-reload wants the time with it")
        agent.terminate()
        wait_until(lambda: "STOPPING=1" in manager.lines(), "STOPPING=1")
        self.assertLess(manager.lines().index("READY=1"), manager.lines().index("STOPPING=1"))

    def test_watchdog_is_fed_while_all_threads_go_on(self):
        manager, agent = self.make_service(self.config(None, self.simulator()), WATCHDOG_USEC="2000000")
        wait_until(lambda: len(manager.lines("WATCHDOG=1")) >= 3, "WATCHDOG=1 three times")
        self.assertIsNone(agent.process.poll())

    @needs(timeout=90)
    def test_agent_is_ready_without_broker_or_name_service(self):
        config = self.config(["mqtts://no-such-broker.invalid:8883"], self.simulator())
        manager, agent = self.make_service(config, WATCHDOG_USEC="4000000")
        wait_until(lambda: "READY=1" in manager.lines(), "READY=1", timeout=10)
        wait_until(lambda: len(manager.lines("WATCHDOG=1")) >= 3, "WATCHDOG=1 three times")
        agent.wait_status(lambda s: s["buffer"]["readings"] > 0, "readings")
