"""A TLS server that only counts: connections, completed handshakes, and bytes that came after a handshake."""
import socket
import ssl
import threading


class TlsSink:
    def __init__(self, pair):
        self.connections = 0
        self.handshakes = 0
        self.bytes = 0
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(pair.cert, pair.key)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def stop(self):
        self._listener.close()

    def _accept(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._count, args=(connection,), daemon=True).start()

    def _count(self, connection):
        try:
            with self._context.wrap_socket(connection, server_side=True) as client:
                self.handshakes += 1
                while data := client.recv(4096):
                    self.bytes += len(data)
        except OSError:  # ssl.SSLError is one
            pass
