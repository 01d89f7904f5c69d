"""Real RabbitMQ nodes on loopback, set up as docs/brokers.md says, with a port mapper (epmd) of their own."""
import os
import socket
import subprocess

from broker import free_port
from recipes import adapted, recipe
from waiting import wait_until

PROGRAMS = "/usr/lib/rabbitmq/bin"  # beneath Debian's wrappers, which would become the user of the service
INSTALLED = os.path.exists(f"{PROGRAMS}/rabbitmq-server")


def section(marker):
    return recipe("brokers.md", "RabbitMQ", marker)


class Node:
    """One node's directory, configuration and process; ports and data stay the same over kill() and start()."""

    def __init__(self, directory, name, mapper_port):
        self.directory = os.path.join(directory, name)
        self.name = f"{name}@localhost"
        self.port = free_port()
        self._process = None
        self.environment = {
            "PATH": f"{PROGRAMS}:{os.environ['PATH']}", "LANG": "C.UTF-8", "HOME": self.directory,
            "ERL_EPMD_PORT": str(mapper_port), "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": self.name, "RABBITMQ_DIST_PORT": str(free_port()),
            "RABBITMQ_MNESIA_BASE": f"{self.directory}/data", "RABBITMQ_LOG_BASE": f"{self.directory}/log",
            "RABBITMQ_CONFIG_FILE": f"{self.directory}/rabbitmq.conf",
            "RABBITMQ_CONFIG_FILES": f"{self.directory}/conf.d",
            "RABBITMQ_ADVANCED_CONFIG_FILE": f"{self.directory}/advanced.config",
            "RABBITMQ_CONF_ENV_FILE": f"{self.directory}/rabbitmq-env.conf",
            "RABBITMQ_ENABLED_PLUGINS_FILE": f"{self.directory}/enabled_plugins",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1} -start_epmd false",
            "RUNNING_UNDER_SYSTEMD": "true",  # the process that we start is the node, and no shell around it
        }
        os.makedirs(f"{self.directory}/conf.d")
        self.write("enabled_plugins", "[rabbitmq_mqtt].\n")
        self.write(".erlang.cookie", "of this test only")
        os.chmod(f"{self.directory}/.erlang.cookie", 0o400)

    def write(self, name, text):
        with open(os.path.join(self.directory, name), "w", encoding="utf-8") as file:
            file.write(text)

    def start(self):
        with open(f"{self.directory}/console.log", "ab") as log:
            self._process = subprocess.Popen([f"{PROGRAMS}/rabbitmq-server"], env=self.environment, cwd=self.directory,
                                             stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def wait_ready(self):
        wait_until(self._listens, lambda: f"{self.name} listens; its log: {self.log()[-4000:]}", timeout=300)

    def kill(self):
        """SIGKILL, as a power cut would end it."""
        if self._process and self._process.poll() is None:
            self._process.kill()
            self._process.wait(20)
        self._process = None

    def log(self):
        with open(f"{self.directory}/console.log", encoding="utf-8", errors="replace") as file:
            return file.read()

    def _listens(self):
        if self._process.poll() is not None:
            raise AssertionError(f"{self.name} ended; its log: {self.log()[-4000:]}")
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


class RabbitMq:
    """A single node, or a cluster of several."""

    def __init__(self, directory, authority, server_pair, count=1):
        self._mapper = None
        self._mapper_port = free_port()
        self.nodes = [Node(directory, f"rabbit{number + 1}", self._mapper_port) for number in range(count)]
        for node in self.nodes:
            node.write("rabbitmq.conf", adapted(section("# /etc/rabbitmq/rabbitmq.conf"), {
                "= 8883": f"= 127.0.0.1:{node.port}", "/etc/rabbitmq/ca.crt": authority.cert,
                "/etc/rabbitmq/server.crt": server_pair.cert, "/etc/rabbitmq/server.key": server_pair.key}))
            node.write("conf.d/test.conf", "listeners.tcp = none\n")
            if count > 1:
                node.write("conf.d/cluster.conf", adapted(section("# /etc/rabbitmq/conf.d/cluster.conf"), {
                    f"rabbit@{other.name.partition('@')[0]}": other.name for other in self.nodes}))

    def start(self):
        self._mapper = subprocess.Popen(["epmd", "-port", str(self._mapper_port), "-address", "127.0.0.1"],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for node in self.nodes:
            node.start()
        for node in self.nodes:
            node.wait_ready()
        self.run(section("sh"))
        return self

    def run(self, commands):
        done = subprocess.run(["sh", "-e", "-c", commands], env=self.nodes[0].environment, capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, timeout=300, check=False)
        if done.returncode != 0:
            raise AssertionError(f"{commands}\nended with {done.returncode}: {done.stdout}{done.stderr}")
        return done.stdout

    def stop(self):
        for node in self.nodes:
            node.kill()
        if self._mapper:
            self._mapper.kill()
            self._mapper.wait(20)

    def log(self):
        return "\n".join(f"{node.name}: {line}" for node in self.nodes for line in node.log().splitlines()[-30:])
