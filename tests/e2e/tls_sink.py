"""A TLS server that only counts: connections, completed handshakes, and bytes that came after a handshake."""
import ssl

from listener import Listener


class TlsSink(Listener):
    def __init__(self, pair):
        self.connections = 0
        self.handshakes = 0
        self.bytes = 0
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(pair.cert, pair.key)
        super().__init__()

    def _serve(self, connection):
        self.connections += 1
        try:
            with self._context.wrap_socket(connection, server_side=True) as client:
                self.handshakes += 1
                while data := client.recv(4096):
                    self.bytes += len(data)
        except OSError:  # ssl.SSLError is one
            pass
