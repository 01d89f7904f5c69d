"""A name server that hangs disturbs nothing but the connection; each address of a name is tried."""
import socket
import threading
import time

from broker import free_port
from case import LONG, EndToEnd, needs
from name_server import NameServer
from private_network import in_private_network, set_name_server
from service_manager import ServiceManager
from waiting import wait_until

HANGS_FOR = 60 if LONG else 6  # seconds
WATCHDOG = 4                   # seconds
INTERVAL = 0.1                 # seconds
JITTER = 0.05                  # seconds
NAME = "broker.test"


class Metronome:
    """How well this machine keeps an interval meanwhile, with nothing to disturb it but its load."""

    def __init__(self):
        self._stop = threading.Event()
        self._latest = 0.0
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def worst(self):
        """The longest that a beat was late."""
        self._stop.set()
        self._thread.join()
        return self._latest

    def _run(self):
        due = time.monotonic()
        while not self._stop.wait(max(0.0, due - time.monotonic())):
            self._latest = max(self._latest, time.monotonic() - due)
            due += INTERVAL


class NameService(EndToEnd):
    def setUp(self):
        super().setUp()
        self.server_pair = self.authority.server("named", f"DNS:{NAME},DNS:localhost")

    def make_name_server(self, *addresses):
        server = NameServer()
        self.addCleanup(server.stop)
        server.know(NAME, *addresses)
        set_name_server(self.directory, "127.0.0.1")
        return server

    def urls(self, broker):
        return [f"mqtts://{NAME}:{broker.port}"]

    @needs(timeout=90 + 2 * HANGS_FOR, processors=2)
    @in_private_network
    def test_hanging_name_server_delays_the_connection_and_nothing_else(self):
        metronome = Metronome()
        self.addCleanup(metronome.worst)
        names = self.make_name_server("127.0.0.1")
        names.hang()
        broker = self.make_broker()
        subscriber = self.make_subscriber(broker)
        manager = ServiceManager(self.directory)
        self.addCleanup(manager.stop)
        # Not the simulator: it stamps its readings with the time at which each was due.
        sampled = {"name": "host", "plugin": "system", "interval": f"{round(1000 * INTERVAL)}ms"}
        environment = {"NOTIFY_SOCKET": manager.path, "WATCHDOG_USEC": str(1_000_000 * WATCHDOG)}
        agent = self.make_agent(self.config(self.urls(broker), sampled), environment=environment)
        other = self.make_agent(self.config(self.urls(broker), self.simulator()))
        wait_until(lambda: names.asked >= 2 and manager.lines("READY=1"), "the agents to ask for the name")
        for each in (agent, other):
            each.wait_status(lambda s: s["inputs"][0]["readings"] > 0, "readings")
        began = time.monotonic()
        self.assertEqual(other.terminate()[0], 0)
        self.assertLess(time.monotonic() - began, 5, "a stop took long")
        wait_until(lambda: time.monotonic() > began + HANGS_FOR, "the end of the outage", HANGS_FOR + 10)
        self.assertEqual(agent.status()["forward"]["acked_readings"], 0)
        names.hang(False)
        agent.wait_connected()
        held = agent.status()["inputs"][0]["readings"]
        self.assertGreater(held, HANGS_FOR / INTERVAL / 2)
        tally = wait_until(lambda: len((tally := self.tally(subscriber, "host")).readings) >= held and tally, "all readings")
        self.check_intervals(tally, metronome.worst())
        fed = manager.times("WATCHDOG=1")
        self.assertLess(max(later - earlier for earlier, later in zip(fed, fed[1:])), WATCHDOG)
        self.assertIsNone(agent.process.poll())

    def check_intervals(self, tally, allowance):
        times = sorted(reading["ts"] / 1000 for reading in tally.readings)
        off = sorted(abs(later - earlier - INTERVAL) for earlier, later in zip(times, times[1:]))
        print(f"{len(off)} intervals off by {1000 * off[-1]:.0f} ms at most; this machine is late by {1000 * allowance:.0f} ms",
              flush=True)
        # Of all but one, since a loaded machine may stall any of them; but that one is no hole either.
        self.assertLess(off[-2], JITTER + allowance)
        self.assertLess(off[-1], 2 * INTERVAL + allowance)

    @needs(timeout=60)
    @in_private_network
    def test_each_address_of_a_name_is_tried(self):
        addresses = silent, refusing, good = "127.0.0.3", "127.0.0.2", "127.0.0.4"
        self.make_name_server(*addresses)
        port = free_port()
        broker = self.make_broker(f"listener {port} {good}")
        self.listen_in_silence(silent, port)
        with socket.socket() as probe:
            self.assertNotEqual(probe.connect_ex((refusing, port)), 0)
        # The system sorts addresses by its own rules (RFC 6724).
        found = socket.getaddrinfo(NAME, port, socket.AF_INET, socket.SOCK_STREAM)
        self.assertEqual(tuple(where[0] for *_, where in found), addresses)
        subscriber = self.make_subscriber(broker)
        agent = self.make_agent(self.config([f"mqtt://{NAME}:{port}"], self.simulator(rate=0, count=5)))
        self.wait_readings(subscriber, 5)
        self.assertEqual(agent.status()["broker"]["state"], "connected")

    def listen_in_silence(self, address, port):
        """A queue that is full: to further connections the system says nothing at all."""
        listener = socket.create_server((address, port), backlog=0)
        self.addCleanup(listener.close)

        def is_full():
            attempt = socket.socket()
            self.addCleanup(attempt.close)
            attempt.settimeout(0.2)
            try:
                attempt.connect((address, port))
                return False
            except TimeoutError:
                return True
        wait_until(is_full, "a full queue")
