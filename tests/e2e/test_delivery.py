"""The agent's messages reach a subscriber over TLS: every protocol version, quality of service and way to log in."""
import json
import os
import subprocess

from broker import Subscriber, free_port
from case import EndToEnd
from fallback_broker import FallbackBroker
from messages import BATCH, STATUS
from waiting import wait_until


class Delivery(EndToEnd):
    def deliver(self, broker, subscriber, change=lambda config: None, count=20):
        """Has an agent send `count` readings; returns the agent and what came."""
        config = self.config(broker, self.simulator(rate=0, count=count))
        change(config)
        agent = self.make_agent(config)
        tally = self.wait_readings(subscriber, count)
        self.assertEqual(tally.run(), set(range(count)))
        return agent, tally

    def test_readings_arrive_over_tls_in_the_shape_of_the_contract(self):
        broker = self.make_broker()
        subscriber = self.make_subscriber(broker)
        inputs = [self.simulator(rate=0, count=250, channels=2, tags={"room": "b2"})]
        self.make_agent(self.config(broker, *inputs))
        tally = self.wait_readings(subscriber, 250)
        messages = subscriber.messages(self.topic())
        self.assertGreaterEqual(len(messages), 3, "max_readings is 100")
        for message in messages:
            self.assertTrue(BATCH.fullmatch(message.payload))
            self.assertFalse(message.retained)
            body = json.loads(message.payload)
            # Whether the clock of this machine is synchronised is not up to the test.
            self.assertEqual([key for key in body if key != "clock"], ["agent", "input", "id", "tags", "readings"])
            self.assertEqual((body["agent"], body["input"]), ("gw-17", "sim"))
            self.assertEqual(body["tags"], {"site": "plant-3", "room": "b2"})
            self.assertLessEqual(len(body["readings"]), 100)
            for reading in body["readings"]:
                self.assertEqual(set(reading["values"]), {"value.0", "value.1", "n", "run"})
        self.assertEqual(len(tally.payloads), len(messages), "an id came twice")
        self.assertEqual(len(tally.epochs), 1)

    def test_messages_of_one_run_have_growing_sequence_numbers(self):
        broker = self.make_broker()
        subscriber = self.make_subscriber(broker)
        _, tally = self.deliver(broker, subscriber, count=500)
        numbers = [int(identifier.split("-")[1]) for identifier in tally.payloads]
        self.assertEqual(numbers, sorted(numbers))

    def test_client_certificate_opens_a_broker_that_demands_one(self):
        broker = self.make_broker("require_certificate true")
        client = self.authority.client()
        subscriber = self.make_subscriber(broker, pair=client)
        self.deliver(broker, subscriber, lambda c: c["broker"]["tls"].update(cert_file=client.cert, key_file=client.key))

    def test_encrypted_client_key_is_opened_with_its_password_file(self):
        broker = self.make_broker("require_certificate true")
        client, password_file = self.authority.client_with_encrypted_key()
        subscriber = self.make_subscriber(broker, pair=self.authority.client())
        self.deliver(broker, subscriber, lambda c: c["broker"]["tls"].update(
            cert_file=client.cert, key_file=client.key, key_password_file=password_file))

    def test_without_a_client_certificate_the_reason_is_told(self):
        broker = self.make_broker("require_certificate true")
        subscriber = self.make_subscriber(broker, pair=self.authority.client())
        agent = self.make_agent(self.config(broker, self.simulator()))
        status = agent.wait_status(lambda s: s["broker"]["last_error"], "an error about the broker")
        self.assertRegex(status["broker"]["last_error"], r"(?i)certificate")
        self.assertEqual(subscriber.messages(), [])

    def test_protocol_5_is_spoken_by_default(self):
        broker = self.make_broker()
        self.deliver(broker, self.make_subscriber(broker))
        self.assertTrue(broker.logged(r"as gw-17 \(p5,"), broker.log())

    def test_protocol_3_1_1_is_spoken_when_configured(self):
        broker = self.make_broker()
        self.deliver(broker, self.make_subscriber(broker), lambda c: c["broker"].update(protocol="3.1.1"))
        self.assertTrue(broker.logged(r"as gw-17 \(p2,"), broker.log())

    def test_protocol_falls_back_to_3_1_1_when_the_broker_refuses_5(self):
        broker = self.make_broker(tls=False)
        old_broker = FallbackBroker(self.server_pair, broker.port)
        self.addCleanup(old_broker.stop)
        subscriber = self.make_subscriber(old_broker)
        self.deliver(old_broker, subscriber)
        self.assertGreaterEqual(old_broker.refused, 1, "the agent never tried version 5")
        self.assertTrue(broker.logged(r"as gw-17 \(p2,"), broker.log())

    def deliver_with_qos(self, qos):
        broker = self.make_broker()
        subscriber = self.make_subscriber(broker)
        agent, _ = self.deliver(broker, subscriber, lambda c: c["broker"].update(qos=qos))
        self.assertEqual({message.qos for message in subscriber.messages(self.topic())}, {qos})
        self.assertTrue(broker.logged(rf"Received PUBLISH from gw-17 \(d0, q{qos}, r0, m\d+, 'holdfast/gw-17/sim'"))
        agent.wait_status(lambda s: s["forward"]["acked_readings"] == 20 and s["buffer"]["readings"] == 0,
                          "all acknowledged and let go")

    def test_qos_0(self):
        self.deliver_with_qos(0)

    def test_qos_1(self):
        self.deliver_with_qos(1)

    def test_qos_2(self):
        self.deliver_with_qos(2)

    def broker_with_password(self):
        passwords = os.path.join(self.directory, "passwords")
        subprocess.run(["mosquitto_passwd", "-b", "-c", passwords, "gw-17", "correct horse"], check=True, timeout=30)
        return self.make_broker("allow_anonymous false", f"password_file {passwords}")

    def credentials(self, password):
        path = os.path.join(self.directory, "password")
        with open(path, "w", encoding="utf-8") as file:
            file.write(password)
        return {"username": "gw-17", "password_file": path}

    def test_user_and_password_open_a_broker_that_demands_them(self):
        broker = self.broker_with_password()
        subscriber = self.make_subscriber(broker, credentials=("gw-17", "correct horse"))
        self.deliver(broker, subscriber, lambda c: c["broker"].update(self.credentials("correct horse\n")))

    def test_wrong_password_is_a_refusal_that_a_person_has_to_mend(self):
        broker = self.broker_with_password()
        subscriber = self.make_subscriber(broker, credentials=("gw-17", "correct horse"))
        agent = self.make_agent(self.config(broker, self.simulator(), **self.credentials("battery staple")))
        status = agent.wait_status(lambda s: s["broker"]["state"] == "refused", "refused by the broker")
        self.assertRegex(status["broker"]["last_error"], r"(?i)not authori[sz]ed|user ?name or password|credentials")
        self.assertNotIn("battery staple", agent.log())
        self.assertEqual(subscriber.messages(), [])
        self.assertEqual(status["forward"]["acked_readings"], 0)

    def test_websockets_over_tls(self):
        # mosquitto 2.0.11 starts with a websockets listener only when there is another one.
        plain = free_port()
        broker = self.make_broker("protocol websockets", f"listener {plain} 127.0.0.1")
        subscriber = Subscriber(plain, None)
        self.addCleanup(subscriber.stop)
        self.deliver(broker, subscriber, lambda c: c["broker"].update(servers=[f"wss://localhost:{broker.port}/mqtt"]))

    def test_second_server_is_used_while_the_first_is_away(self):
        broker = self.make_broker()
        gone = self.make_broker(started=False)
        subscriber = self.make_subscriber(broker)
        urls = [f"mqtts://localhost:{gone.port}", f"mqtts://localhost:{broker.port}"]
        agent, _ = self.deliver(broker, subscriber, lambda c: c["broker"].update(servers=urls))
        self.assertEqual(agent.status()["broker"]["server"], urls[1])

    def test_topic_is_made_of_the_inputs_tags(self):
        broker = self.make_broker()
        subscriber = self.make_subscriber(broker)
        config = self.config(broker, self.simulator("a", tags={"room": "b2"}), self.simulator("b", tags={"site": "own"}),
                             topic="{tag:site}/{tag:room}/{input}")
        config["agent"]["tags"]["room"] = "hall"
        self.make_agent(config)
        wait_until(lambda: subscriber.messages("plant-3/b2/a") and subscriber.messages("own/hall/b"),
                   lambda: f"messages on both topics; topics: { {m.topic for m in subscriber.messages()} }")

    def test_what_arrived_together_leaves_at_once_without_delay(self):
        broker = self.make_broker()
        subscriber = self.make_subscriber(broker)
        self.deliver(broker, subscriber, lambda c: c["batch"].update(max_delay="0s"))


class StatusMessage(EndToEnd):
    def last_status(self, broker):
        """What a newcomer gets: the retained status message."""
        subscriber = self.make_subscriber(broker, ["holdfast/gw-17/status"])
        message = wait_until(lambda: subscriber.messages()[-1:], "a retained status message")[0]
        self.assertTrue(message.retained)
        self.assertTrue(STATUS.fullmatch(message.payload), message.payload)
        return json.loads(message.payload)

    def test_status_is_retained_online_and_offline_after_a_clean_stop(self):
        broker = self.make_broker()
        agent = self.make_agent(self.config(broker, self.simulator()))
        agent.wait_status(lambda s: s["forward"]["acked_readings"] > 0, "readings acknowledged")
        self.assertEqual(self.last_status(broker)["state"], "online")
        code, _ = agent.terminate()
        self.assertEqual(code, 0)
        self.assertEqual(self.last_status(broker)["state"], "offline")
        self.assertTrue(broker.logged(r"Received DISCONNECT from gw-17"), broker.log())

    def test_will_says_offline_after_the_agent_was_killed(self):
        broker = self.make_broker()
        agent = self.make_agent(self.config(broker, self.simulator()))
        agent.wait_connected()
        wait_until(lambda: self.last_status(broker)["state"] == "online", "online status")
        agent.kill()
        wait_until(lambda: self.last_status(broker)["state"] == "offline", "the will")
        self.assertFalse(broker.logged(r"Received DISCONNECT from gw-17"), broker.log())

    def test_empty_status_topic_turns_it_off(self):
        broker = self.make_broker()
        subscriber = self.make_subscriber(broker)
        self.make_agent(self.config(broker, self.simulator(rate=0, count=5), status_topic=""))
        self.wait_readings(subscriber, 5)
        self.assertEqual({message.topic for message in subscriber.messages()}, {self.topic()})
