"""Stands in for systemd."""
import os
import socket
import threading
import time


class ServiceManager:
    """Receives what the agent tells systemd by NOTIFY_SOCKET."""

    def __init__(self, directory):
        self.path = os.path.join(directory, "notify")
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(self.path)
        self._lines = []
        self._lock = threading.Lock()
        threading.Thread(target=self._receive, daemon=True).start()

    def lines(self, start=""):
        with self._lock:
            return [line for _, line in self._lines if line.startswith(start)]

    def times(self, start):
        """When such lines came, on the monotonic clock."""
        with self._lock:
            return [came for came, line in self._lines if line.startswith(start)]

    def stop(self):
        self._socket.close()

    def _receive(self):
        while True:
            try:
                text = self._socket.recv(65536).decode()
            except OSError:
                return
            with self._lock:
                self._lines += [(time.monotonic(), line) for line in text.splitlines()]
