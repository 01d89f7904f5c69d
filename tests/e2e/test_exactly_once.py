"""QoS 2: a connection that ends between any two steps of the handshake makes nothing come twice, nor not at all."""
from case import LONG, EndToEnd, needs
from messages import Tally
from packet_relay import PUBCOMP, PUBLISH, PUBREC, PUBREL, PacketRelay
from waiting import wait_until

ROUNDS = 30 if LONG else 1
IN_FLIGHT = 2  # packets of the type that pass before the cut, so that others are on their way


class ExactlyOnce(EndToEnd):
    def cut_between_all_steps(self, protocol):
        broker = self.make_broker(tls=False)
        relay = PacketRelay(broker.port)
        self.addCleanup(relay.stop)
        subscriber = self.make_plain_subscriber(broker.port)
        config = self.config([f"mqtt://127.0.0.1:{relay.port}"], self.simulator(rate=1000), qos=2, protocol=protocol,
                             backoff_initial="10ms", backoff_max="20ms")
        config["batch"] = {"max_readings": 2, "max_delay": "10ms"}
        agent = self.make_agent(config)
        # The last step first: it needs the session of the very first connection.
        cuts = [cut for kind in (PUBCOMP, PUBREL, PUBREC, PUBLISH)
                for cut in ((relay.cut_before, kind), (relay.cut_after, kind))]
        for cut, kind in cuts * ROUNDS:
            self.wait_delivers(agent)
            before = relay.cuts
            cut(kind, IN_FLIGHT)
            wait_until(lambda: relay.cuts > before, f"the cut at packet type {kind}")
        self.wait_delivers(agent)
        status = self.end_inputs(agent, config)
        self.assertEqual(status["broker"]["reconnects"], len(cuts) * ROUNDS)
        subscriber.publish("end", b"")
        wait_until(lambda: subscriber.messages("end"), "the message behind the others")
        messages = subscriber.messages(self.topic())
        tally = Tally(messages)
        self.assertEqual(tally.run(), set(range(status["forward"]["acked_readings"])))
        self.assertEqual(len(messages), len(tally.payloads), "messages came twice")

    def wait_delivers(self, agent):
        """Over the present connection."""
        before = agent.wait_connected()["forward"]["acked_readings"]
        agent.wait_status(lambda s: s["forward"]["acked_readings"] > before, "readings acknowledged")

    @needs(timeout=90 + 20 * ROUNDS)
    def test_cuts_between_all_steps_by_mqtt_5(self):
        self.cut_between_all_steps("5")

    @needs(timeout=90 + 20 * ROUNDS)
    def test_cuts_between_all_steps_by_mqtt_3_1_1(self):
        self.cut_between_all_steps("3.1.1")
