"""A DNS server on port 53 of an address of a private network: answers, or is silent."""
import socket
import struct
import threading

PORT = 53
IPV4 = 1  # type A


class NameServer:
    def __init__(self, address="127.0.0.1"):
        self._lock = threading.Lock()
        self._addresses = {}
        self._silent = False
        self.asked = 0
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((address, PORT))
        threading.Thread(target=self._serve, daemon=True).start()

    def stop(self):
        self._socket.close()

    def know(self, name, *addresses):
        with self._lock:
            self._addresses[name] = addresses

    def hang(self, silent=True):
        """Takes queries and says nothing."""
        with self._lock:
            self._silent = silent

    def _serve(self):
        while True:
            try:
                query, client = self._socket.recvfrom(4096)
            except OSError:
                return
            with self._lock:
                self.asked += 1
                if not self._silent:
                    self._socket.sendto(self._answer(query), client)

    def _answer(self, query):
        labels, position = [], 12
        while length := query[position]:
            labels.append(query[position + 1:position + 1 + length].decode())
            position += 1 + length
        question = query[12:position + 5]
        kind, = struct.unpack_from(">H", query, position + 1)
        known = self._addresses.get(".".join(labels))
        addresses = known if known and kind == IPV4 else ()
        name_error = 0 if known else 3
        head = query[:2] + struct.pack(">HHHHH", 0x8180 | name_error, 1, len(addresses), 0, 0)
        # Each names the question by its place, and may be kept for no time.
        records = b"".join(b"\xc0\x0c" + struct.pack(">HHIH", IPV4, 1, 0, 4) + socket.inet_aton(address)
                           for address in addresses)
        return head + question + records
