"""The recipe for mosquitto in docs/brokers.md, as it is written there: only paths and the port are this machine's."""
from case import EndToEnd, needs
from recipes import adapted, recipe

MESSAGES = 1500  # more than mosquitto keeps for a consumer unless told otherwise


def section(marker):
    return recipe("brokers.md", "mosquitto", marker)


class MosquittoRecipe(EndToEnd):
    def setUp(self):
        super().setUp()
        acl = f"{self.directory}/acl"
        with open(acl, "w", encoding="utf-8") as file:
            file.write(section("# /etc/mosquitto/acl"))
        self.broker = self.make_broker(recipe=lambda port: adapted(section("# /etc/mosquitto/conf.d/holdfast.conf"), {
            "listener 8883": f"listener {port} 127.0.0.1", "/etc/mosquitto/ca.crt": self.authority.cert,
            "/etc/mosquitto/server.crt": self.server_pair.cert, "/etc/mosquitto/server.key": self.server_pair.key,
            "/etc/mosquitto/acl": acl}))

    def collector(self):
        """The same lasting session each time."""
        return self.make_subscriber(self.broker, ["holdfast/#"], pair=self.authority.client("collector"),
                                    client_id="collector")

    def start_agent(self, user, count):
        client = self.authority.client(user)
        broker = adapted(section("toml"), {
            "broker.example.com:8883": f"localhost:{self.broker.port}", "/etc/holdfast/ca.crt": self.authority.cert,
            "/etc/holdfast/client.crt": client.cert, "/etc/holdfast/client.key": client.key})
        return self.make_documented_agent(broker, self.simulator(rate=0, count=count), max_readings=1)

    @needs(timeout=90)
    def test_all_that_comes_while_the_consumer_is_away_outlives_a_restart(self):
        self.collector().stop()
        agent = self.start_agent("gw-17", MESSAGES)
        agent.wait_status(lambda s: s["forward"]["acked_messages"] == MESSAGES, "all acknowledged")
        agent.terminate()
        self.broker.stop()
        self.broker.start()
        tally = self.wait_readings(self.collector(), MESSAGES)
        self.assertEqual(tally.run(), set(range(MESSAGES)))
        self.assertEqual(tally.gaps, [])

    def test_gateway_may_write_below_its_own_topic_only(self):
        agent = self.start_agent("gw-18", 5)
        agent.wait_status(lambda s: s["buffer"]["refused_readings"] == 5, "readings on the topics of gw-17 refused")
