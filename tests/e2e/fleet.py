"""One agent for each quality of service and protocol version, each behind a proxy of its own, with one broker and one
subscriber that reaches the broker directly."""
import itertools
import json
from dataclasses import dataclass

from agent import Agent
from broker import free_port
from case import EndToEnd
from messages import Tally
from tcp_proxy import TcpProxy
from waiting import wait_until

WINDOW = 20
KINDS = list(itertools.product((0, 1, 2), ("3.1.1", "5")))


def arrivals(messages):
    """By id, the positions at which it came."""
    found = {}
    for position, message in enumerate(messages):
        found.setdefault(json.loads(message.payload)["id"], []).append(position)
    return found


def repeats(messages):
    """The positions of those whose id had come before."""
    return [again for positions in arrivals(messages).values() for again in positions[1:]]


@dataclass
class Member:
    name: str
    qos: int
    config: dict
    proxy: TcpProxy
    agent: Agent

    def __str__(self):
        return self.name


class Fleet(EndToEnd):
    def setUp(self):
        super().setUp()
        plain = free_port()
        self.broker = self.make_broker(f"listener {plain} 127.0.0.1")
        self.subscriber = self.make_plain_subscriber(plain)
        self.members = [self.make_member(qos, protocol) for qos, protocol in KINDS]
        for member in self.members:
            member.agent.wait_status(lambda s: s["forward"]["acked_readings"] > 0, f"{member} delivers")

    def make_member(self, qos, protocol):
        proxy = TcpProxy(self.broker.port)
        self.addCleanup(proxy.stop)
        proxy.delay(0.02, 0.01)  # long enough that something is in flight at any moment
        name = f"qos{qos}-v{protocol}"
        config = self.config(proxy, self.simulator(rate=500), qos=qos, protocol=protocol, max_in_flight=WINDOW)
        config["agent"]["id"] = name
        config["broker"].update(backoff_initial="10ms", backoff_max="100ms")
        config["batch"] = {"max_readings": 5, "max_delay": "20ms"}
        return Member(name, qos, config, proxy, self.make_agent(config))

    def messages(self, member):
        return self.subscriber.messages(f"holdfast/{member}/sim")

    def wait_all_arrived(self):
        """What the broker has acknowledged is with the subscriber when a message that came after it is."""
        before = len(self.subscriber.messages("end"))
        self.subscriber.publish("end", b"")
        wait_until(lambda: len(self.subscriber.messages("end")) > before, "the message behind the others")

    def finish(self):
        """Ends the inputs and lets everything be delivered; returns for each agent how many readings it took in."""
        taken_in = {member.name: self.end_inputs(member.agent, member.config)["forward"]["acked_readings"]
                    for member in self.members}
        self.wait_all_arrived()
        for member in self.members:
            self.assertNotIn("no acknowledgement", member.agent.log(), f"{member} had something in flight that nobody answered")
        return taken_in

    def results(self, taken_in):
        """Each member with its messages, once it has said how many came again."""
        for member in self.members:
            messages = self.messages(member)
            print(f"{member}: {taken_in[member.name]} readings in {len(messages)} messages, {len(repeats(messages))} again",
                  flush=True)
            yield member, messages

    def check_all_there(self, member, taken_in):
        tally = Tally(self.messages(member))  # fails when an id comes back with other bytes
        self.assertEqual(tally.run(), set(range(taken_in)), member.name)
        self.assertEqual(tally.gaps, [])
