"""A relay for plain MQTT that knows where packets begin and end, so that a connection can be cut between two of them."""
import socket
import threading

PUBLISH, PUBACK, PUBREC, PUBREL, PUBCOMP = 3, 4, 5, 6, 7


class Stream:
    """Packets out of a socket."""

    def __init__(self, connection):
        self._file = connection.makefile("rb")

    def packet(self):
        """The next one with its header, or nothing at the end."""
        head = self._file.read(1)
        length = shift = 0
        while head:
            byte = self._file.read(1)
            if not byte:
                return b""
            head += byte
            length |= (byte[0] & 0x7F) << shift
            shift += 7
            if not byte[0] & 0x80:
                break
        body = self._file.read(length) if head else b""
        return head + body if len(body) == length else b""


class PacketRelay:
    """Between an agent and a broker; a type of packet travels in one direction only, so that it needs no naming."""

    def __init__(self, target_port):
        self._target_port = target_port
        self._lock = threading.Lock()
        self._cut_at = None  # type, whether before it, how many more to let pass
        self._swallowed = set()
        self.cuts = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def stop(self):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def cut_before(self, kind, passed=0):
        """The next packet of that type but `passed` is not forwarded, and the connection ends."""
        with self._lock:
            self._cut_at = [kind, True, passed]

    def cut_after(self, kind, passed=0):
        """The next packet of that type but `passed` is forwarded, and nothing after it."""
        with self._lock:
            self._cut_at = [kind, False, passed]

    def swallow(self, *kinds):
        """Packets of these types are not forwarded, all else is; none ends that."""
        with self._lock:
            self._swallowed = set(kinds)

    def note(self, packet):
        """Is called with each packet that is forwarded, before it is: for classes derived from this."""

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(("127.0.0.1", self._target_port))
            except OSError:
                client.close()
                continue
            for source, target in ((client, server), (server, client)):
                source.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                threading.Thread(target=self._pump, args=(source, target), daemon=True).start()

    def _pump(self, source, target):
        stream = Stream(source)
        try:
            while packet := stream.packet():
                forwards, ends = self._judge(packet[0] >> 4)
                if forwards:
                    self.note(packet)
                    target.sendall(packet)
                if ends:
                    break
        except OSError:
            pass
        for end in (source, target):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def _judge(self, kind):
        """Whether to forward a packet, and whether the connection ends at it."""
        with self._lock:
            if kind in self._swallowed:
                return False, False
            if not self._cut_at or self._cut_at[0] != kind:
                return True, False
            if self._cut_at[2] > 0:
                self._cut_at[2] -= 1
                return True, False
            before = self._cut_at[1]
            self._cut_at = None
            self.cuts += 1
            return not before, True
