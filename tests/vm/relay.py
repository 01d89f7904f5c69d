"""Run by QEMU for each connection of its guest: relay.py PORT: what comes on the standard streams goes to a port on loopback."""
import os
import select
import socket
import sys


def main(port):
    with socket.create_connection(("127.0.0.1", int(port))) as server:
        ways = {0: server.fileno(), server.fileno(): 1}
        while True:
            for readable in select.select(list(ways), [], [])[0]:
                data = os.read(readable, 65536)
                if not data:
                    return
                while data:
                    data = data[os.write(ways[readable], data):]


main(sys.argv[1])
