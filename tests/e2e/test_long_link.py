"""A link with a long round trip is used as far as the window allows."""
import socket
import statistics
import time

from case import LONG, SANITIZED, EndToEnd, needs
from packet_relay import Stream
from tcp_proxy import TcpProxy
from waiting import wait_until

ROUND_TRIP = 0.3   # seconds
WINDOW = 20
BATCH = 100
WINDOWS = 60 if LONG else 10  # that are timed
CONNECT = bytes([0x10, 16]) + b"\x00\x04MQTT\x04\x02\x00\x3c\x00\x04ping"
PINGREQ = b"\xc0\x00"


class Ping:
    """A client of its own on the same link: its pings tell the round trip as it is, proxy, broker and machine included."""

    def __init__(self, port):
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._packets = Stream(self._socket)
        self._ask(CONNECT)

    def round_trip(self):
        began = time.monotonic()
        self._ask(PINGREQ)
        return time.monotonic() - began

    def stop(self):
        self._socket.close()

    def _ask(self, packet):
        self._socket.sendall(packet)
        if not self._packets.packet():
            raise AssertionError("the broker closed the connection")


class LongLink(EndToEnd):
    @needs(timeout=120, processors=2)
    def test_throughput_is_the_window_in_each_round_trip(self):
        broker = self.make_broker(tls=False)
        proxy = TcpProxy(broker.port)
        self.addCleanup(proxy.stop)
        proxy.delay(ROUND_TRIP / 2)
        subscriber = self.make_plain_subscriber(broker.port)
        config = self.config([f"mqtt://127.0.0.1:{proxy.port}"], self.simulator(rate=0), max_in_flight=WINDOW)
        config["batch"] = {"max_readings": BATCH, "max_delay": "1s"}
        self.make_agent(config)
        ping = Ping(proxy.port)
        self.addCleanup(ping.stop)
        # The first windows are for the link to open, and for the sender to be ahead.
        first, last = 3 * WINDOW, (3 + WINDOWS) * WINDOW
        round_trips = []

        def enough():
            round_trips.append(ping.round_trip())
            return len(subscriber.messages(self.topic())) > last
        wait_until(enough, "enough messages", timeout=60)
        arrived = [message.arrived for message in subscriber.messages(self.topic())]
        round_trip = statistics.median(round_trips)
        reached = (last - first) * BATCH / (arrived[last] - arrived[first])
        possible = WINDOW * BATCH / round_trip
        print(f"round trip {1000 * round_trip:.0f} ms: {reached:.0f} readings/s of {possible:.0f} possible, "
              f"{reached / possible:.3f}", flush=True)
        self.assertGreaterEqual(round_trip, ROUND_TRIP)
        self.assertGreaterEqual(reached / possible, 0.5 if SANITIZED else 0.9)
