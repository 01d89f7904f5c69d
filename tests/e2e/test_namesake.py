"""Another client under our client id: `check --online` finds it, and leaves the broker as it was."""
import threading

import paho.mqtt.client as paho

from case import AGENT_ID, EndToEnd, needs
from fallback_broker import CLOSE, FallbackBroker
from listener import Listener
from paho_client import make_client


# mosquitto 2.0.21 says why it closes the connection, 2.0.11 does not.
TAKEN_BACK = "FAILED +client id: (the broker closed the connection .* 3 times: perhaps another client|another client is connected)"


class Namesake:
    """A client that comes back at once whenever it is thrown off."""

    def __init__(self, test, broker, protocol=paho.MQTTv5, **arguments):
        self._connected = threading.Event()
        self.session_present = None
        self._client = make_client(client_id=AGENT_ID, protocol=protocol, **arguments)
        self._client.tls_set(test.authority.cert)
        self._client.reconnect_delay_set(0.2, 0.2)
        self._client.on_connect = self._note
        self._client.connect("localhost", broker.port)
        self._client.loop_start()
        test.addCleanup(self.stop)
        test.assertTrue(self._connected.wait(20), "the other client is connected")

    def _note(self, _client, _data, flags, *_):
        self.session_present = flags["session present"]
        self._connected.set()

    def stop(self):
        self._client.disconnect()
        self._client.loop_stop()


class TellingBroker(Listener):
    """Speaks MQTT 5, and says why it leaves the client with the agent's id: mosquitto 2.0.11 only closes."""

    def __init__(self, reason=0x8E):
        self._reason = reason
        super().__init__()

    def _serve(self, connection):
        with connection:
            connect = connection.recv(4096)
            if not connect:
                return
            connection.sendall(b"\x20\x03\x00\x00\x00")
            if bytes([0, len(AGENT_ID)]) + AGENT_ID.encode() in connect:
                connection.sendall(bytes([0xE0, 0x01, self._reason]))
            while connection.recv(4096):
                pass


class NamesakeCheck(EndToEnd):
    def setUp(self):
        super().setUp()
        self.broker = self.make_broker()

    def check(self, agent, code, words):
        done = agent.command("check", "--online")
        self.assertIn(done.returncode, code if isinstance(code, tuple) else (code,), done.stdout + done.stderr)
        self.assertRegex(done.stdout, words)

    def leaves_a_session(self, **arguments):
        """Whether there is one for the id; it stays unless another start is clean."""
        client = Namesake(self, self.broker, paho.MQTTv311, **arguments)
        client.stop()
        return bool(client.session_present)

    @needs(timeout=90)
    def test_without_an_agent_the_id_is_tried(self):
        newer = self.make_agent(self.config(self.broker), started=False)
        older = self.make_agent(self.config(self.broker, protocol="3.1.1"), started=False)
        other = Namesake(self, self.broker)
        for agent in (newer, older):
            self.check(agent, 1, TAKEN_BACK)
        other.stop()

        self.assertFalse(self.leaves_a_session(clean_session=False))
        self.check(newer, 0, "warning +client id: nobody else took .* but the broker had a session of it")
        self.assertTrue(self.leaves_a_session(clean_session=False), "the session that was there is there")
        self.leaves_a_session(clean_session=True)
        for agent in (newer, newer, older):
            self.check(agent, 0, "ok +client id: nobody else took")
        self.assertFalse(self.leaves_a_session(clean_session=False), "a session that was begun was ended")

    @needs(timeout=90)
    def test_old_broker_that_just_closes_at_version_5_is_asked_by_the_version_it_speaks(self):
        self.broker = FallbackBroker(self.server_pair, self.make_broker(tls=False).port, CLOSE)
        self.addCleanup(self.broker.stop)
        agent = self.make_agent(self.config(self.broker), started=False)
        other = Namesake(self, self.broker, paho.MQTTv311)
        self.check(agent, 1, "FAILED +client id: the broker closed the connection .* 3 times: perhaps another client")
        other.stop()
        self.leaves_a_session(clean_session=True)
        self.check(agent, 0, "ok +client id: nobody else took")
        self.assertFalse(self.leaves_a_session(clean_session=False), "a session that was begun was ended")

    @needs(timeout=60)
    def test_broker_that_leaves_for_another_reason_is_quoted_and_accuses_nobody(self):
        broker = TellingBroker(0x97)
        self.addCleanup(broker.stop)
        agent = self.make_agent(self.config([f"mqtt://127.0.0.1:{broker.port}"], protocol="5"), started=False)
        self.check(agent, 0, "warning +client id: the broker closed the connection as .*: .*quota")

    @needs(timeout=90)
    def test_agent_that_runs_is_asked_and_not_disturbed(self):
        agent = self.make_agent(self.config(self.broker))
        agent.wait_connected()
        self.check(agent, 0, r"ok +client id: the running agent uses it \(connected, 0 reconnects\)")
        self.assertEqual(agent.status()["broker"]["reconnects"], 0)
        other = Namesake(self, self.broker)
        agent.wait_status(lambda s: s["broker"]["reconnects"] > 3, "thrown off again and again")
        other.stop()
        agent.wait_connected()
        self.check(agent, (0, 1), r"(warning +client id: the running agent's last \d+ connections ended|FAILED +client id: .*another client)")

    def test_broker_that_tells_of_the_other_client_is_believed(self):
        broker = TellingBroker()
        self.addCleanup(broker.stop)
        agent = self.make_agent(self.config([f"mqtt://127.0.0.1:{broker.port}"], protocol="5"), started=False)
        self.check(agent, 1, f'FAILED +client id: another client is connected as "{AGENT_ID}" and took it back')
        agent.start()
        agent.wait_status(lambda s: s["broker"]["takeovers"] > 0, "the broker told it")
        self.check(agent, 1, r"FAILED +client id: another client has taken the running agent's place \d+ times, last at 20")
        self.assertIn("taken over", agent.command("status").stdout)
