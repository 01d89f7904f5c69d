"""A real mosquitto on loopback, and an independent subscriber that collects what it hands out."""
import getpass
import os
import random
import re
import socket
import ssl
import subprocess
import threading
import time
from dataclasses import dataclass

import paho.mqtt.client as paho

from paho_client import make_client
from waiting import wait_until


def free_port():
    """A port below the ephemeral range, so that nobody's outgoing connection takes it while the broker is away."""
    for port in random.sample(range(20000, 32000), 100):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue
    raise AssertionError("no free port on loopback")


class Broker:
    """`extra` is appended to the listener's configuration; the port stays the same over stop() and start().

    A `plain` one keeps no sessions and logs errors only: for benchmarks. A `recipe` is the configuration instead of ours,
    as a function of the port."""

    def __init__(self, directory, authority, server_pair, tls=True, extra=(), plain=False, recipe=None):
        self.port = free_port()
        self.log_path = os.path.join(directory, "mosquitto.log")
        self._config = os.path.join(directory, "mosquitto.conf")
        self._database = os.path.join(directory, "mosquitto.db")
        self._process = None
        lines = [f"user {getpass.getuser()}", f"persistence_location {directory}/",
                 f"log_type {'error' if plain else 'all'}", "log_timestamp false", f"log_dest file {self.log_path}"]
        if recipe:
            lines += recipe(self.port).splitlines()
        else:
            lines.append(f"listener {self.port} 127.0.0.1")
            if tls:
                lines += [f"cafile {authority.cert}", f"certfile {server_pair.cert}", f"keyfile {server_pair.key}"]
            if not any(line.startswith("password_file") for line in extra):
                lines.append("allow_anonymous true")
            # Sessions survive a restart, so that the subscriber misses nothing; no limit makes the broker itself lose messages.
            lines += [*extra, f"persistence {'false' if plain else 'true'}", "max_queued_messages 10000000"]
        listeners = [line.split() for line in lines if line.startswith("listener ")]
        self._places = [((address or ["127.0.0.1"])[0], int(port)) for _, port, *address in listeners]
        with open(self._config, "w", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n")

    @property
    def pid(self):
        return self._process.pid

    def start(self):
        self._process = subprocess.Popen(["mosquitto", "-c", self._config], stdout=subprocess.DEVNULL,
                                         stderr=subprocess.DEVNULL)
        wait_until(self._listens, lambda: "mosquitto listens; its log: " + self.log())
        return self

    def stop(self):
        if self._process and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(20)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait(20)
        self._process = None

    def kill(self):
        """SIGKILL: forgets all sessions and retained messages that an earlier stop() saved, too."""
        self._process.kill()
        self._process.wait(20)
        self._process = None
        if os.path.exists(self._database):
            os.unlink(self._database)

    def log(self):
        if not os.path.exists(self.log_path):
            return ""
        with open(self.log_path, encoding="utf-8", errors="replace") as file:
            return file.read()

    def logged(self, pattern):
        return re.search(pattern, self.log())

    def _listens(self):
        if self._process.poll() is not None:
            raise AssertionError("mosquitto ended; its log: " + self.log())
        return all(map(self._takes_connections, self._places))

    @staticmethod
    def _takes_connections(place):
        with socket.socket() as probe:
            return probe.connect_ex(place) == 0


@dataclass(frozen=True)
class Received:
    topic: str
    payload: bytes
    qos: int
    retained: bool
    arrived: float  # wall time


class CollectorClient(paho.Client):
    """Debian 12's version knows no end of a TLS connection in the middle of a write: its thread would end by it."""

    def _packet_write(self):
        try:
            return super()._packet_write()
        except OSError:
            return paho.MQTT_ERR_CONN_LOST


class Subscriber:
    """Subscribes with a lasting session before it returns; reconnects and subscribes by itself when the broker comes back."""

    def __init__(self, port, ca_file, filters=("#",), qos=2, pair=None, credentials=None, client_id=None):
        self._lock = threading.Lock()
        self._messages = []
        self._ready = threading.Event()
        self._filters = [(topic, qos) for topic in filters]
        self._client = make_client(client_id or f"collector-{random.getrandbits(32):x}", kind=CollectorClient,
                                   clean_session=False)
        if ca_file:
            self._client.tls_set(ca_file, certfile=pair and pair.cert, keyfile=pair and pair.key,
                                 tls_version=ssl.PROTOCOL_TLS_CLIENT)
        if credentials:
            self._client.username_pw_set(*credentials)
        self._client.reconnect_delay_set(0.2, 0.2)
        self._client.on_connect = lambda client, *_: client.subscribe(self._filters)
        self._client.on_disconnect = lambda *_: self._ready.clear()
        self._client.on_subscribe = lambda *_: self._ready.set()
        self._client.on_message = self._keep
        self._client.connect("localhost", port)
        self._client.loop_start()
        try:
            self.wait_subscribed()
        except AssertionError:
            self.stop()
            raise

    def stop(self):
        self._client.disconnect()
        self._client.loop_stop()

    def wait_subscribed(self):
        if not self._ready.wait(20):
            raise AssertionError("the subscriber could not subscribe within 20 s")

    def is_subscribed(self):
        return self._ready.is_set()

    def messages(self, topic=None):
        with self._lock:
            return [message for message in self._messages if topic in (None, message.topic)]

    def publish(self, topic, payload, qos=1):
        """While there is no connection it is queued, and sent behind all that waited at the broker."""
        message = self._client.publish(topic, payload, qos)
        if message.rc == paho.MQTT_ERR_SUCCESS:
            message.wait_for_publish(20)

    def _keep(self, _client, _data, message):
        with self._lock:
            self._messages.append(Received(message.topic, message.payload, message.qos, bool(message.retain),
                                           time.time()))
