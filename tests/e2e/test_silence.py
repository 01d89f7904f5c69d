"""Brokers that stay connected and say nothing, or not what counts: noticed within twice `keep_alive` or `ack_timeout`."""
import time

from case import LONG, EndToEnd, needs
from messages import Tally
from packet_relay import PUBACK, PacketRelay
from tcp_proxy import TcpProxy
from waiting import wait_until

LIMIT = 30 if LONG else 8  # seconds, for keep_alive and ack_timeout; the defaults are 30 s both


class Link:
    """An agent with a link that a fault is done to, and how long the agent needed to leave it."""

    def __init__(self, name, agent, config, harm, heal):
        self.name, self.agent, self.config = name, agent, config
        self.harm, self.heal = harm, heal
        self.harmed = self.noticed = None

    def look(self):
        status = self.agent.status()
        left = status and (status["broker"]["state"] != "connected" or status["broker"]["reconnects"] > 0)
        if left and not self.noticed:
            self.noticed = time.monotonic() - self.harmed
            print(f"{self.name}: noticed after {self.noticed:.1f} s", flush=True)
        return self.noticed


class Silence(EndToEnd):
    def setUp(self):
        super().setUp()
        self.broker = self.make_broker(tls=False)
        self.subscriber = self.make_plain_subscriber(self.broker.port)

    def link(self, name, way, harm, heal, *inputs):
        self.addCleanup(way.stop)
        config = self.config([f"mqtt://127.0.0.1:{way.port}"], *inputs, keep_alive=f"{LIMIT}s", ack_timeout=f"{LIMIT}s")
        config["agent"]["id"] = name
        return Link(name, self.make_agent(config), config, lambda: harm(way), lambda: heal(way))

    def proxied(self, name, stall, *inputs):
        return self.link(name, TcpProxy(self.broker.port), stall, TcpProxy.flow, *inputs)

    @needs(timeout=90 + 3 * LIMIT)
    def test_silent_brokers_are_left_in_time_and_nothing_is_lost(self):
        load = self.simulator(rate=50)
        silent = [
            self.proxied("idle", TcpProxy.stall),
            self.proxied("busy", TcpProxy.stall, load),
            self.proxied("deaf", lambda proxy: proxy.stall(up=False), load),
            self.proxied("mute", lambda proxy: proxy.stall(down=False), load),
            # Answers pings, but acknowledges nothing.
            self.link("unacknowledged", PacketRelay(self.broker.port), lambda relay: relay.swallow(PUBACK),
                      lambda relay: relay.swallow(), load),
        ]
        healthy = self.proxied("healthy", lambda proxy: None)
        for link in silent:
            link.agent.wait_status(lambda s: s["broker"]["state"] == "connected" and s["forward"]["in_flight"] == 0
                                   and (not link.config["input"] or s["forward"]["acked_readings"] > 0),
                                   f"{link.name} delivers")
        healthy.agent.wait_connected()
        began = time.monotonic()
        for link in silent:
            link.harmed = time.monotonic()
            link.harm()
        wait_until(lambda: all([link.look() for link in silent]),
                   lambda: f"left: { {link.name: link.noticed for link in silent} }", timeout=3 * LIMIT + 10, interval=0.1)
        for link in silent:
            self.assertLess(link.noticed, 2 * LIMIT, link.name)
            link.heal()
        wait_until(lambda: time.monotonic() > began + 2 * LIMIT, "the healthy one's chance to be left too", 3 * LIMIT)
        self.assertEqual(healthy.agent.status()["broker"]["reconnects"], 0)
        self.check_all_there([link for link in silent if link.config["input"]])

    def check_all_there(self, links):
        taken_in = {link.name: self.end_inputs(link.agent, link.config)["forward"]["acked_readings"] for link in links}
        self.subscriber.publish("end", b"")
        wait_until(lambda: self.subscriber.messages("end"), "the message behind the others")
        for link in links:
            tally = Tally(self.subscriber.messages(f"holdfast/{link.name}/sim"))
            self.assertEqual(tally.run(), set(range(taken_in[link.name])), link.name)
