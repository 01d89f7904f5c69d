"""A program that consumes as docs/mqtt.md says: PORT DATABASE. It runs until it is ended; SIGKILL is fine.

`arrival` has every message as often as it came."""
import sqlite3
import sys

from paho_client import make_client
from recipes import recipe

SECTION = "A table with each reading exactly once"


def main(port, path):
    database = sqlite3.connect(path)
    database.execute("PRAGMA synchronous = OFF")  # the program is killed, not the machine
    database.execute("CREATE TABLE IF NOT EXISTS arrival (payload TEXT)")
    if not database.execute("SELECT 1 FROM sqlite_master WHERE name = 'reading'").fetchone():
        database.execute(recipe("mqtt.md", SECTION, "-- SQLite, once"))
    insert = recipe("mqtt.md", SECTION, "-- SQLite, for each message")

    def keep(_client, _data, message):
        parameters = {"payload": message.payload.decode()}
        with database:
            database.execute("INSERT INTO arrival VALUES (:payload)", parameters)
            database.execute(insert, parameters)

    client = make_client("table", clean_session=False)
    client.reconnect_delay_set(0.2, 0.2)
    client.on_connect = lambda *_: client.subscribe("holdfast/#", 1)
    client.on_subscribe = lambda *_: print("subscribed", flush=True)
    client.on_message = keep
    client.connect("127.0.0.1", port)
    client.loop_forever()


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
