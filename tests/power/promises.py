"""What the agent has promised at each moment of a recording, by positions in the disk's log."""
import bisect
import json
import re
import struct
import time
from collections import defaultdict

from packet_relay import PUBACK, PUBLISH, PacketRelay

PAYLOAD = re.compile(rb'\{"agent":.*\}', re.DOTALL)
QOS = 0x06


def numbers_by_input(messages):
    """Of messages as the agent sends and exports them: the numbers of the readings, and their times in seconds."""
    found = defaultdict(dict)
    for message in messages:
        for reading in message.get("readings", ()):
            found[message["input"]][reading["values"]["n"]] = reading["ts"] / 1000
    return found


class Life:
    """One run of the agent; its one input has the same name."""

    def __init__(self, name, began, safe=0):
        self.name = name
        self.taken_in = 0       # readings, when last asked
        self.first_seen = None  # wall time when there was a reading for the first time
        self.answered = None    # the position when the agent first said how it was
        self._began = began
        self._ended = None
        self._safe = [(began, safe)]  # from that position on so many readings were on the disk or acknowledged

    def note(self, position, status):
        self.taken_in = next(entry["readings"] for entry in status["inputs"] if entry["name"] == self.name)
        if self.answered is None:
            self.answered = position
        if self.taken_in and not self.first_seen:
            self.first_seen = time.time()
        self._safe.append((position, max(self._safe[-1][1], self.taken_in - status["buffer"]["in_memory_readings"])))

    def end(self, position):
        self._ended = position

    def safe_at(self, position):
        after = bisect.bisect_right(self._safe, position, key=lambda entry: entry[0])
        return self._safe[after - 1][1] if after else 0

    def writes_at(self, position):
        return self._began <= position and (self._ended is None or position < self._ended)


class Witness(PacketRelay):
    """Stands between the agent and its broker, by MQTT 3.1.1, and notes when each message went out and was acknowledged."""

    def __init__(self, target_port, disk):
        self._disk = disk
        self._waiting = {}       # for their acknowledgement, by packet id
        self._sent = []          # position and id of message
        self._acknowledged = []  # position and message
        super().__init__(target_port)

    def note(self, packet):
        position = self._disk.position
        kind = packet[0] >> 4
        if kind == PUBACK:
            if message := self._waiting.pop(struct.unpack(">H", packet[2:4])[0], None):
                self._acknowledged.append((position, message))
        elif kind == PUBLISH and packet[0] & QOS:
            payload = PAYLOAD.search(packet)
            message = json.loads(payload[0])
            if "id" in message:  # else it is the agent's status
                self._waiting[struct.unpack(">H", packet[payload.start() - 2:payload.start()])[0]] = message
                self._sent.append((position, message["id"]))

    def acknowledged_at(self, position):
        return [message for when, message in self._acknowledged if when <= position]

    def sent_at(self, position):
        return {message for when, message in self._sent if when <= position}


class Promises:
    """All that was promised while a disk was recorded."""

    def __init__(self, disk):
        self.lives = []
        self._disk = disk
        self._witness = None

    def make_witness(self, broker_port):
        self._witness = Witness(broker_port, self._disk)
        return self._witness

    def known(self, position, messages):
        """The readings that are in these messages of the buffer, or were acknowledged before that position."""
        return numbers_by_input(messages + (self._witness.acknowledged_at(position) if self._witness else []))

    def losses(self, position, known):
        """What was promised before that position and is not known, in words."""
        for life in self.lives:
            numbers = known[life.name]
            safe = life.safe_at(position)
            if missing := set(range(max(safe, max(numbers, default=-1) + 1))) - set(numbers):
                yield (f"{life.name}: {len(missing)} readings are missing, the first is {min(missing)}; "
                       f"{safe} were safe, {len(numbers)} are there or acknowledged")

    def was_sent(self, position, message):
        return self._witness is not None and message["id"] in self._witness.sent_at(position)

    def missing_seconds(self, position, known):
        """For how long before the power cut no reading is known; None where no life was taking any in."""
        life = next((life for life in self.lives if life.writes_at(position - 1)), None)
        if not life:
            return None
        times = known[life.name].values()
        last = max(times) if times else life.first_seen
        cut = self._disk.times[position - 1]
        return cut - last if last and last < cut else None
