"""The base of all end-to-end tests: a directory of its own, and brokers, subscribers and agents that end with the test."""
import os
import shutil
import signal
import sys
import tempfile
import unittest

from agent import HOLDFAST, Agent, to_toml
from broker import Broker, Subscriber
from certificates import Authority
from messages import Tally
from waiting import wait_until

AGENT_ID = "gw-17"
SANITIZED = bool(os.environ.get("HOLDFAST_SANITIZE"))
LONG = bool(os.environ.get("HOLDFAST_LONG"))
FIXTURES = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "plugins", "fixtures")


def needs(timeout=60, processors=1):
    """What the runner has to give a test: seconds, and how much of the machine."""
    def mark(method):
        method.needs = (timeout, processors)
        return method
    return mark


def by_chance(method):
    """Chance decides what the test tries: when it fails, it gets no second try."""
    method.labels = "e2e,random"
    return method


class EndToEnd(unittest.TestCase):
    def setUp(self):
        self.assertTrue(os.access(HOLDFAST, os.X_OK), f"no program {HOLDFAST}: set HOLDFAST_BUILD to the build directory")
        self.directory = tempfile.mkdtemp(prefix="holdfast-e2e-")
        self.addCleanup(shutil.rmtree, self.directory, ignore_errors=True)
        self.authority = Authority(self.directory)
        self.server_pair = self.authority.server()
        self.agents = []
        self.brokers = []

    def make_broker(self, *extra, tls=True, started=True, recipe=None):
        broker = Broker(self.make_directory("broker"), self.authority, self.server_pair, tls, extra, recipe=recipe)
        self.brokers.append(broker)
        self.addCleanup(broker.stop)
        return broker.start() if started else broker

    def make_subscriber(self, broker, filters=("#",), **arguments):
        subscriber = Subscriber(broker.port, self.authority.cert, filters, **arguments)
        self.addCleanup(subscriber.stop)
        return subscriber

    def make_plain_subscriber(self, port):
        """Comes back when the broker does; over TLS its library does not survive every way in which a connection ends."""
        subscriber = Subscriber(port, None)
        self.addCleanup(subscriber.stop)
        return subscriber

    def end_inputs(self, agent, config):
        """Takes the inputs out of the configuration and waits until all is delivered; the status then."""
        agent.configure({**config, "input": []})
        agent.process.send_signal(signal.SIGHUP)
        status = agent.wait_status(lambda s: not s["inputs"] and s["buffer"]["readings"] == 0
                                   and s["broker"]["state"] == "connected", "all delivered", timeout=120)
        self.assertEqual(status["buffer"]["dropped_readings"], 0)
        self.assertEqual(status["buffer"]["refused_readings"], 0)
        return status

    def start_before(self, agent, broker):
        """Starts the broker and a subscriber that is there before the agent, which is running, can connect."""
        os.kill(agent.process.pid, signal.SIGSTOP)
        try:
            broker.start()
            return self.make_subscriber(broker)
        finally:
            os.kill(agent.process.pid, signal.SIGCONT)

    def make_agent(self, config, started=True, environment=None, directory=None):
        agent = Agent(directory or self.make_directory("agent"), config)
        self.agents.append(agent)
        self.addCleanup(agent.cleanup)
        return agent.start(environment) if started else agent

    def make_documented_agent(self, broker, simulator, max_readings):
        """With the [broker] of a document, which is text."""
        rest = self.config(None, simulator)
        del rest["broker"]
        rest["batch"]["max_readings"] = max_readings
        return self.make_agent(to_toml(rest) + broker)

    def make_directory(self, prefix):
        return tempfile.mkdtemp(prefix=prefix + "-", dir=self.directory)

    def config(self, broker, *inputs, **broker_keys):
        """A configuration that reacts fast enough for a test; `broker` may be a broker, a list of URLs, or None."""
        urls = broker if isinstance(broker, list) else [f"mqtts://localhost:{broker.port}"] if broker else []
        return {
            "agent": {"id": AGENT_ID, "tags": {"site": "plant-3"}},
            "broker": {"servers": urls, "backoff_initial": "50ms", "backoff_max": "500ms", **broker_keys,
                       "tls": {"ca_file": self.authority.cert}},
            "buffer": {"commit_interval": "100ms"},
            "batch": {"max_delay": "100ms"},
            "input": list(inputs),
        }

    @staticmethod
    def simulator(name="sim", rate=50, count=0, channels=1, **keys):
        return {"name": name, "plugin": "simulator", **keys,
                "options": {"rate": rate, "count": count, "channels": channels}}

    @staticmethod
    def topic(name="sim"):
        return f"holdfast/{AGENT_ID}/{name}"

    def tally(self, subscriber, name="sim"):
        return Tally(subscriber.messages(self.topic(name)))

    def wait_readings(self, subscriber, count, name="sim", timeout=30):
        """Waits until so many different numbers of one run have come; returns the tally."""
        def enough():
            tally = self.tally(subscriber, name)
            return tally if tally.numbers and len(tally.run()) >= count else None
        return wait_until(enough, f"{count} readings of {name} at the subscriber", timeout, 0.2)

    def assert_no_hole(self, numbers, least=1):
        self.assertGreaterEqual(len(numbers), least)
        missing = sorted(set(range(max(numbers) + 1)) - numbers)
        self.assertFalse(missing, f"{len(missing)} of {max(numbers) + 1} readings are missing: {missing[:20]}")

    def dump(self):
        """What a person needs to see when the test failed."""
        for kind, things in (("agent", self.agents), ("mosquitto", self.brokers)):
            for thing in things:
                lines = thing.log().splitlines()
                print(f"--- log of {kind} (last 60 of {len(lines)} lines)", *lines[-60:], sep="\n", file=sys.stderr)
