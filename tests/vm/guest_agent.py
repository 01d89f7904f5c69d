"""The channel into a virtual machine: the QEMU guest agent on a virtio-serial port, which needs no network in it.

QEMU serves one client of the port at a time, so each call connects, does what it has to, and closes.
The protocol is JSON by lines (QEMU's documentation, "QEMU Guest Agent Protocol Reference").
"""
import base64
import json
import os
import socket
import time

FILE_PIECE = 1 << 20


class AgentError(Exception):
    """The guest's agent did not answer, or refused."""


class Done:
    """What a command in the guest came to."""

    def __init__(self, status):
        self.code = status.get("exitcode", 128 + status.get("signal", 0))
        self.out = base64.b64decode(status.get("out-data", "")).decode(errors="replace")
        self.err = base64.b64decode(status.get("err-data", "")).decode(errors="replace")


class Connection:
    def __init__(self, path, timeout):
        self.socket = socket.socket(socket.AF_UNIX)
        self.file = None
        try:
            self.socket.settimeout(timeout)
            self.socket.connect(path)
            self.file = self.socket.makefile("rwb")
            self._synchronise()
        except BaseException:
            self.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        for part in (self.file, self.socket):
            if part:
                try:
                    part.close()
                except OSError:
                    pass

    def _synchronise(self):
        """Past what an earlier client may have left unread; the byte 0xff resets the agent's parser."""
        number = int.from_bytes(os.urandom(4), "big")
        self._send({"execute": "guest-sync-delimited", "arguments": {"id": number}}, b"\xff")
        while True:
            try:
                answer = json.loads(self._line().split(b"\xff")[-1])
            except ValueError:
                continue
            if answer.get("return") == number:
                return

    def _send(self, message, before=b""):
        self.file.write(before + json.dumps(message).encode() + b"\n")
        self.file.flush()

    def _line(self):
        line = self.file.readline()
        if not line:
            raise AgentError("the channel to the guest's agent was closed")
        return line

    def call(self, command, **arguments):
        self._send({"execute": command, "arguments": arguments})
        answer = json.loads(self._line())
        if "error" in answer:
            raise AgentError(f"{command}: {answer['error'].get('desc')}")
        return answer["return"]


class GuestAgent:
    """`alive` says whether the machine is there at all, so that nobody waits for one that is not."""

    def __init__(self, path, alive):
        self.path = path
        self.alive = alive

    def connect(self, timeout=30.0, patience=60.0):
        deadline = time.monotonic() + timeout
        while True:
            try:
                # An agent that is not there yet does not answer: ask anew often, but have patience with one that is.
                connection = Connection(self.path, min(3.0, timeout))
                connection.socket.settimeout(patience)
                return connection
            except (OSError, AgentError) as error:
                if not self.alive() or time.monotonic() > deadline:
                    raise AgentError(f"the guest's agent does not answer: {error}") from error
                time.sleep(0.1)

    def run(self, arguments, timeout=60.0):
        deadline = time.monotonic() + timeout
        with self.connect() as connection:
            process = connection.call("guest-exec", **{"path": arguments[0], "arg": arguments[1:], "capture-output": True})["pid"]
            pause = 0.005
            while True:
                status = connection.call("guest-exec-status", pid=process)
                if status["exited"]:
                    break
                if time.monotonic() > deadline:
                    raise AgentError(f"still running after {timeout:g} s: {' '.join(arguments)}")
                time.sleep(pause)
                pause = min(pause * 1.5, 0.2)
        if status.get("out-truncated") or status.get("err-truncated"):
            raise AgentError("more output than the agent takes (16 MiB)")
        return Done(status)

    def write(self, path, content):
        with self.connect() as connection:
            handle = connection.call("guest-file-open", path=path, mode="w")
            for start in range(0, len(content), FILE_PIECE):
                piece = content[start:start + FILE_PIECE]
                while piece:
                    encoded = base64.b64encode(piece).decode()
                    piece = piece[connection.call("guest-file-write", **{"handle": handle, "buf-b64": encoded})["count"]:]
            connection.call("guest-file-close", handle=handle)

    def read(self, path):
        pieces = []
        with self.connect() as connection:
            handle = connection.call("guest-file-open", path=path, mode="r")
            while True:
                piece = connection.call("guest-file-read", handle=handle, count=FILE_PIECE)
                pieces.append(base64.b64decode(piece["buf-b64"]))
                if piece["eof"] or not piece["count"]:
                    break
            connection.call("guest-file-close", handle=handle)
        return b"".join(pieces)
