"""A broker of old over TLS: refuses MQTT 5 as the standard says, hands every other connection to a real broker."""
import socket
import ssl
import threading

from listener import Listener

CLOSE = b""  # brokers from before MQTT 5 may just close
REFUSE_VERSION_5 = bytes([0x20, 0x03, 0x00, 0x84, 0x00])  # CONNACK, unsupported protocol version (MQTT 5, 3.2.2.2)


class FallbackBroker(Listener):
    def __init__(self, pair, backend_port, refusal=REFUSE_VERSION_5):
        self.refused = 0
        self._refusal = refusal
        self._backend_port = backend_port
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(pair.cert, pair.key)
        super().__init__()

    def _serve(self, connection):
        try:
            client = self._context.wrap_socket(connection, server_side=True)
            first = client.recv(4096)
            if not first:
                return
            name = first.find(b"\x00\x04MQTT")
            if first[name + 6] == 5:
                self.refused += 1
                client.sendall(self._refusal)
                client.close()
                return
            backend = socket.create_connection(("127.0.0.1", self._backend_port))
            backend.sendall(first)
            threading.Thread(target=self._pump, args=(backend, client), daemon=True).start()
            self._pump(client, backend)
        except OSError:
            connection.close()

    @staticmethod
    def _pump(source, target):
        try:
            while data := source.recv(65536):
                target.sendall(data)
        except OSError:
            pass
        for end in (source, target):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
