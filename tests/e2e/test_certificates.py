"""A server that can't prove who it is gets not one byte of MQTT, and the log says why."""
import os
import time
import unittest

from case import SANITIZED, EndToEnd
from certificates import Authority
from clock_shift import ClockShift
from tls_sink import TlsSink
from waiting import wait_until


class Certificates(EndToEnd):
    def make_sink(self, pair):
        sink = TlsSink(pair)
        self.addCleanup(sink.stop)
        return sink

    def assert_refused(self, pair, words):
        """Nothing may reach a server with this certificate, over several attempts; `words` say what is wrong with it."""
        sink = self.make_sink(pair)
        agent = self.make_agent(self.config(sink, self.simulator()))
        status = agent.wait_status(lambda s: s["broker"]["last_error"], "an error about the server")
        wait_until(lambda: sink.connections >= 2, "another attempt")
        self.assertEqual(sink.bytes, 0)
        agent.wait_status(lambda s: s["broker"]["state"] == "refused", "the attempt to end")
        self.assertRegex(status["broker"]["last_error"], words)
        self.assertRegex(agent.log(), words)
        self.assertEqual(status["forward"]["published_readings"], 0)
        return status["broker"]["last_error"]

    def test_good_certificate_gets_mqtt(self):
        # Without this the tests below could not fail: the sink sees what the agent sends.
        sink = self.make_sink(self.server_pair)
        self.make_agent(self.config(sink, self.simulator()))
        wait_until(lambda: sink.bytes > 0, "the agent's CONNECT")

    def test_certificate_for_another_name_is_refused(self):
        pair = self.authority.server("other-name", names="DNS:other.example.com")
        error = self.assert_refused(pair, r"(?i)is for other\.example\.com")
        self.assertIn("localhost", error)

    def test_expired_certificate_is_refused(self):
        self.assert_refused(self.authority.expired_server(), r"(?i)expired")

    def test_certificate_of_another_authority_is_refused(self):
        other = Authority(self.directory, "other-ca")
        self.assert_refused(other.server("stranger"), r"(?i)authority|issuer|not trusted|\bCA\b")

    def test_certificate_signed_by_itself_is_refused(self):
        base = os.path.join(self.directory, "self-signed")
        Authority(self.directory, "self-signed")
        self.assert_refused(type(self.server_pair)(base + ".crt", base + ".key"), r"(?i)self.signed|authority|trusted|\bCA\b|name")

    def test_verification_off_needs_a_second_word_and_warns(self):
        other = Authority(self.directory, "other-ca")
        sink = self.make_sink(other.server("stranger"))
        config = self.config(sink, self.simulator())
        config["broker"]["tls"] = {"verify": False}
        agent = self.make_agent(config, started=False)
        refused = agent.command("check")
        self.assertEqual(refused.returncode, 78)
        self.assertIn("insecure", refused.stderr)
        config["broker"]["tls"]["insecure"] = True
        agent.configure(config)
        agent.start()
        wait_until(lambda: sink.bytes > 0, "the agent's CONNECT")
        self.assertIn("certificate verification is off", agent.log())


@unittest.skipIf(SANITIZED, "a preloaded library comes before the sanitizer")
class ClockAndCertificates(EndToEnd):
    """A real handshake with a real broker, by a wall clock of the test's own."""

    def start(self, wall_s):
        self.broker = self.make_broker()
        self.clock = ClockShift(self.make_directory("clock"))
        self.clock.set(wall_s)
        agent = self.make_agent(self.config(self.broker, self.simulator()), started=False)
        return agent.start(self.clock.environment)

    def test_clock_in_1970_is_waited_out(self):
        agent = self.start(wall_s=60)
        status = agent.wait_status(lambda s: s["broker"]["last_error"], "an error about the server")
        self.assertRegex(status["broker"]["last_error"], r"is not valid before 20.*clock of this machine is not set")
        self.assertNotEqual(status["broker"]["state"], "refused")
        self.clock.set(time.time())
        agent.wait_connected()

    def test_clock_far_ahead_makes_the_certificate_expired(self):
        agent = self.start(wall_s=time.time() + 20 * 365 * 86400)
        status = agent.wait_status(lambda s: s["broker"]["state"] == "refused", "the certificate is refused")
        self.assertRegex(status["broker"]["last_error"], r"has expired on 20")
        self.assertNotIn("clock", status["broker"]["last_error"])
