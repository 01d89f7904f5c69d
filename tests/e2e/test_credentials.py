"""Certificates, keys and passwords as files: changed ones are used when they are good, and never cost the link when not."""
import os
import shutil

from case import EndToEnd, needs
from waiting import wait_until

MUTUAL = ("require_certificate true", "use_identity_as_username true")


class Credentials(EndToEnd):
    def setUp(self):
        super().setUp()
        self.folder = self.make_directory("credentials")
        self.cert = os.path.join(self.folder, "client.crt")
        self.key = os.path.join(self.folder, "client.key")

    def put(self, source, target):
        """By rename, as a careful program replaces a file."""
        shutil.copy(source, target + ".new")
        os.chmod(target + ".new", 0o600)
        os.replace(target + ".new", target)

    def put_pair(self, pair):
        self.put(pair.cert, self.cert)
        self.put(pair.key, self.key)

    def mutual_config(self, broker):
        config = self.config(broker, self.simulator())
        config["broker"]["tls"].update(cert_file=self.cert, key_file=self.key)
        return config

    def test_check_tells_files_that_are_wrong_from_those_that_it_cannot_judge(self):
        pair = self.authority.client("device")
        self.put_pair(pair)
        agent = self.make_agent(self.mutual_config(["mqtts://broker.invalid:8883"]), started=False)

        def checked(code, channel, text):
            done = agent.command("check")
            self.assertEqual(done.returncode, code, done.stdout + done.stderr)
            self.assertIn(text, getattr(done, channel))

        checked(0, "stdout", "configuration is valid")
        self.put(self.authority.client("another").key, self.key)
        checked(78, "stderr", "do not belong together")
        self.put(pair.key, self.key)
        os.chmod(self.key, 0o644)
        checked(78, "stderr", "can be read by others: run chmod 600")
        with open(self.key, "w", encoding="ascii") as key:
            key.write("-----BEGIN TSS2 PRIVATE KEY-----\n")
        os.chmod(self.key, 0o600)
        checked(0, "stdout", "warning: whether a server can be reached is not known: key_file")

    @needs(timeout=120)
    def test_renewed_pair_is_used_and_a_bad_one_is_not(self):
        broker = self.make_broker(*MUTUAL)
        subscriber = self.make_subscriber(broker, pair=self.authority.client("collector"))
        self.put_pair(self.authority.client("first", days=30))
        agent = self.make_agent(self.mutual_config(broker))
        status = agent.wait_connected()
        self.assertEqual(status["broker"]["tls"]["client_days_to_expiry"], 29)
        self.assertIn("our certificate expires in 29 days", agent.log())
        self.assertTrue(broker.logged(r"as gw-17 \(.*u'first'"))

        self.put_pair(self.authority.client("second"))
        wait_until(lambda: broker.logged(r"as gw-17 \(.*u'second'"), "a connection with the second certificate")
        agent.wait_connected()

        self.put(self.authority.client("third").key, self.key)
        status = agent.wait_status(lambda s: s["broker"]["tls"]["files_error"], "the wrong key is noticed")
        self.assertIn("do not belong together", status["broker"]["tls"]["files_error"])
        self.assertEqual(status["broker"]["state"], "connected")
        self.assertEqual(status["broker"]["reconnects"], 1, "the link was left alone")
        os.remove(self.cert)
        broker.stop()
        broker.start()
        agent.wait_status(lambda s: s["broker"]["reconnects"] == 2, "connected anew with the last good pair")
        self.assertEqual(len(set(self.lines_of(agent, "changed files are not used"))), 1)

        self.wait_readings(subscriber, agent.status()["forward"]["acked_readings"])
        tally = self.tally(subscriber)
        self.assert_no_hole(tally.run())

    @staticmethod
    def lines_of(agent, words):
        return [line for line in agent.log().splitlines() if words in line]

    def test_key_that_others_can_read_is_refused_with_the_command_to_run(self):
        broker = self.make_broker(*MUTUAL)
        self.put_pair(self.authority.client())
        os.chmod(self.key, 0o644)
        agent = self.make_agent(self.mutual_config(broker))
        status = agent.wait_status(lambda s: s["broker"]["state"] == "refused", "the key is refused")
        self.assertIn(f"run chmod 600 {self.key}", status["broker"]["last_error"])
        self.assertIn(f"run chmod 600 {self.key}", agent.log())
        os.chmod(self.key, 0o600)
        agent.wait_connected()

    def test_key_among_systemds_credentials_is_found_first_whatever_its_mode(self):
        broker = self.make_broker(*MUTUAL)
        pair = self.authority.client("from-systemd")
        credentials = self.make_directory("systemd")
        shutil.copy(pair.key, os.path.join(credentials, "device.key"))
        os.chmod(os.path.join(credentials, "device.key"), 0o440)
        self.put(pair.cert, self.cert)
        config = self.mutual_config(broker)
        config["broker"]["tls"]["key_file"] = "device.key"
        agent = self.make_agent(config, started=False)
        with open(os.path.join(os.path.dirname(agent.config_file), "device.key"), "w", encoding="utf-8") as file:
            file.write("not this one")
        agent.start({"CREDENTIALS_DIRECTORY": credentials})
        agent.wait_connected()
        self.assertTrue(broker.logged(r"as gw-17 \(.*u'from-systemd'"))
