"""Run in the virtual machine: status_reporter.py PORT SOCKET...: asks each agent for its status again and again, and says at once
to the port, a line each, what it has taken in and what of that is in memory alone, with the time since boot.
"""
import json
import socket
import sys
import time


def ask(path):
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(60)
        client.connect(path)
        client.sendall(b"status json\n")
        return json.loads(b"".join(iter(lambda: client.recv(65536), b"")))


def main(port, *sockets):
    with open(port, "wb", buffering=0) as report:
        while True:
            for path in sockets:
                began = time.clock_gettime(time.CLOCK_BOOTTIME)
                status = ask(path)
                report.write(json.dumps({"agent": status["agent"], "at": began, "readings": status["inputs"][0]["readings"],
                                         "in_memory": status["buffer"]["in_memory_readings"]}).encode() + b"\n")
            time.sleep(0.05)


main(*sys.argv[1:])
