"""An HTTP proxy on the way to the broker: by the configuration, and by nothing else."""
import os
import shutil
import socket
import subprocess

from agent import HOLDFAST
from broker import free_port
from case import EndToEnd, needs
from http_proxy import HttpProxy
from waiting import wait_until

NAME = "broker.invalid"  # no name server knows it
SECRET = "open sesame"
VARIABLES = ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")


class Proxy(EndToEnd):
    def setUp(self):
        super().setUp()
        self.server_pair = self.authority.server("named", f"DNS:{NAME},DNS:localhost")
        self.password_file = os.path.join(self.directory, "proxy-password")

    def make_proxy(self, broker, credentials=None):
        proxy = HttpProxy(broker.port, credentials)
        self.addCleanup(proxy.stop)
        return proxy

    def write_password(self, password):
        with open(self.password_file, "w", encoding="utf-8") as file:
            file.write(password + "\n")

    @needs(timeout=120)
    def test_readings_go_through_it_to_a_name_that_only_it_knows(self):
        broker = self.make_broker()
        proxy = self.make_proxy(broker, "gw:" + SECRET)
        subscriber = self.make_subscriber(broker)
        self.write_password(SECRET)
        agent = self.make_agent(self.config([f"mqtts://{NAME}:8883"], self.simulator(),
                                            proxy=f"http://localhost:{proxy.port}", proxy_username="gw",
                                            proxy_password_file=self.password_file))
        self.wait_readings(subscriber, 20)
        self.assertEqual(set(proxy.requests), {f"CONNECT {NAME}:8883 HTTP/1.1"})
        checked = agent.command("check", "--online")
        self.assertEqual(checked.returncode, 0, checked.stdout + checked.stderr)
        self.assertRegex(checked.stdout, rf"ok +proxy: http://localhost:{proxy.port} passes on to {NAME}:8883")

        proxy.credentials = "gw:another"
        proxy.cut()
        status = agent.wait_status(lambda s: s["broker"]["state"] == "refused", "the proxy refuses")
        self.assertIn(f"the proxy http://localhost:{proxy.port} refuses proxy_username", status["broker"]["last_error"])
        checked = agent.command("check", "--online")
        self.assertEqual(checked.returncode, 1)
        self.assertRegex(checked.stdout, r"FAILED +proxy: .*407")

        self.write_password("another")
        agent.wait_connected()
        self.end_inputs(agent, self.config([f"mqtts://{NAME}:8883"], proxy=f"http://localhost:{proxy.port}",
                                           proxy_username="gw", proxy_password_file=self.password_file))
        self.assert_no_hole(self.tally(subscriber).run(), 20)
        told = agent.log() + str(agent.status()) + agent.command("status").stdout + checked.stdout + checked.stderr
        self.assertIn(f"through http://localhost:{proxy.port}", told)
        for secret in (SECRET, "another", "Z3c6"):  # the last is how Basic begins with "gw:"
            self.assertNotIn(secret, told)

    def test_environment_names_none(self):
        trap = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(trap.close)
        trap.setblocking(False)
        url = f"http://127.0.0.1:{trap.getsockname()[1]}"
        environment = {"PAHO_C_CLIENT_USE_HTTP_PROXY": "TRUE", **{name: url for name in VARIABLES}}
        broker = self.make_broker()
        subscriber = self.make_subscriber(broker)
        agent = self.make_agent(self.config(broker, self.simulator()), environment=environment)
        self.wait_readings(subscriber, 5)
        checked = subprocess.run([HOLDFAST, "check", "--online", *agent.places()], capture_output=True, text=True,
                                 timeout=30, check=False, env={**os.environ, **environment})
        self.assertEqual(checked.returncode, 0, checked.stdout + checked.stderr)
        self.assertNotIn("proxy", checked.stdout)
        with self.assertRaises(BlockingIOError, msg="somebody came to the proxy of the environment"):
            trap.accept()

    def test_program_that_people_use_as_a_proxy_takes_the_request(self):
        """As far as one is installed; the helper above knows only what its author knew."""
        if not shutil.which("tinyproxy"):
            self.skipTest("there is no tinyproxy")
        broker = self.make_broker()
        subscriber = self.make_subscriber(broker)
        port, config = free_port(), os.path.join(self.directory, "tinyproxy.conf")
        with open(config, "w", encoding="utf-8") as file:
            file.write(f"Port {port}\nListen 127.0.0.1\nConnectPort {broker.port}\nBasicAuth gw {SECRET.replace(' ', '')}\n")
        self.write_password(SECRET.replace(" ", ""))
        process = subprocess.Popen(["tinyproxy", "-d", "-c", config], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(process.wait, 20)
        self.addCleanup(process.terminate)
        self.make_agent(self.config(broker, self.simulator(), proxy=f"http://127.0.0.1:{port}", proxy_username="gw",
                                    proxy_password_file=self.password_file))
        self.wait_readings(subscriber, 5)
