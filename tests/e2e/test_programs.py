"""Two small programs as anybody would write them with another MQTT library understand the agent, and it them."""
import json
import os
import subprocess
import sys

from agent import HOLDFAST
from case import EndToEnd
from waiting import wait_until

HERE = os.path.dirname(os.path.abspath(__file__))
TOPIC = "article/temperature"


class Programs(EndToEnd):
    def setUp(self):
        super().setUp()
        self.broker = self.make_broker()

    def start(self, *command):
        """Starts a program; returns it and the file its output goes to."""
        path = os.path.join(self.make_directory("program"), "output")
        with open(path, "wb") as output:
            process = subprocess.Popen(command, stdout=output, stderr=output, stdin=subprocess.DEVNULL)
        self.addCleanup(lambda: process.poll() is None and (process.kill(), process.wait(10)))
        return process, path

    def start_article(self, name, *arguments):
        return self.start(sys.executable, os.path.join(HERE, f"article_{name}.py"), "localhost", str(self.broker.port),
                          self.authority.cert, *arguments)

    def start_listen(self, agent, *arguments):
        granted = "Sending SUBACK to gw-17-listen-"
        before = self.broker.log().count(granted)
        listening, output = self.start(HOLDFAST, "listen", *agent.places(), *arguments)
        wait_until(lambda: self.broker.log().count(granted) > before, "the subscription of holdfast listen")
        return listening, output

    @staticmethod
    def lines(path):
        with open(path, encoding="utf-8") as file:
            return file.read().splitlines()

    def test_article_subscriber_prints_the_agents_readings(self):
        _, output = self.start_article("subscriber", self.topic())
        wait_until(lambda: self.broker.logged("Sending SUBACK to article-subscriber"), "its subscription")
        self.make_agent(self.config(self.broker, self.simulator(rate=0, count=150)))
        wait_until(lambda: len(self.lines(output)) >= 3, "its output")
        numbers = set()
        for line in self.lines(output)[1:]:
            topic, _, payload = line.partition(" ")
            self.assertEqual(topic, self.topic())
            numbers |= {reading["values"]["n"] for reading in json.loads(payload)["readings"]}
        self.assertLessEqual(numbers, set(range(150)))
        self.assertGreaterEqual(len(numbers), 100)

    def test_listen_prints_the_article_publishers_messages(self):
        agent = self.make_agent(self.config(self.broker), started=False)
        listening, output = self.start_listen(agent, TOPIC, "--count", "3")
        publishing, published = self.start_article("publisher", TOPIC, "3")
        self.assertEqual(listening.wait(20), 0)
        self.assertEqual(publishing.wait(20), 0)
        expected = [f'{TOPIC} {{"sensor": "temperature", "value": {20 + n}}}' for n in (1, 2, 3)]
        self.assertEqual(self.lines(output), expected)
        self.assertEqual(len(self.lines(published)), 3)

    def test_listen_prints_objects_with_json(self):
        agent = self.make_agent(self.config(self.broker), started=False)
        listening, output = self.start_listen(agent, "article/#", "--json", "--count", "1")
        self.start_article("publisher", TOPIC, "1")
        self.assertEqual(listening.wait(20), 0)
        message = json.loads(self.lines(output)[0])
        self.assertEqual(message["topic"], TOPIC)
        self.assertEqual(json.loads(message["payload"]), {"sensor": "temperature", "value": 21})

    def test_listen_takes_several_filters_with_the_quality_it_is_told(self):
        agent = self.make_agent(self.config(self.broker), started=False)
        for qos in (0, 1, 2):
            listening, output = self.start_listen(agent, "one/+", "two/#", "--json", "--count", "2", "--qos", str(qos))
            sender = self.make_subscriber(self.broker, ["nothing"])
            for topic in ("one/a", "two/b/c"):
                sender.publish(topic, "x", qos=2)
            self.assertEqual(listening.wait(20), 0)
            messages = [json.loads(line) for line in self.lines(output)]
            self.assertEqual({(m["topic"], m["qos"], m["payload"]) for m in messages},
                             {("one/a", qos, "x"), ("two/b/c", qos, "x")})

    def test_listen_is_there_again_when_the_broker_is(self):
        agent = self.make_agent(self.config(self.broker), started=False)
        listening, output = self.start_listen(agent, TOPIC, "--count", "1")
        self.broker.stop()
        wait_until(lambda: any("connection lost" in line for line in self.lines(output)), "the loss said")
        self.broker.start()
        wait_until(lambda: self.broker.log().count("Sending SUBACK to gw-17-listen-") == 2, "another subscription")
        self.start_article("publisher", TOPIC, "1")
        self.assertEqual(listening.wait(20), 0)
        self.assertIn('"value": 21', self.lines(output)[-1])

    def test_listen_names_a_filter_that_is_none(self):
        agent = self.make_agent(self.config(self.broker), started=False)
        for wrong in ("a/#/b", "a+", "", "#/"):
            done = agent.command("listen", wrong)
            self.assertEqual(done.returncode, 2)
            self.assertIn(f'"{wrong}" is no topic filter', done.stderr)

    def test_listen_prints_the_agents_own_topics_by_default(self):
        agent = self.make_agent(self.config(self.broker, self.simulator(rate=20)))
        agent.wait_connected()
        listening, output = self.start_listen(agent, "--count", "3")
        self.assertEqual(listening.wait(20), 0)
        topics = [line.split(" ")[0] for line in self.lines(output)]
        self.assertIn("holdfast/gw-17/sim", topics)
        self.assertIn("holdfast/gw-17/status", topics)
        self.assertEqual(agent.status()["broker"]["reconnects"], 0, "listening threw the agent off the broker")
