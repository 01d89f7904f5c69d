"""What the agent's messages must look like, to the letter of the contract, and what they add up to."""
import json
import re
from collections import defaultdict

STRING = rb'"(?:[^"\\\x00-\x1f]|\\.)*"'
NUMBER = rb"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:e[+-]\d+)?"
VALUE = rb"(?:" + STRING + rb"|" + NUMBER + rb"|true|false|null)"
MEMBERS = rb"\{" + STRING + rb":" + VALUE + rb"(?:," + STRING + rb":" + VALUE + rb")*\}"
TAGS = rb"\{(?:" + STRING + rb":" + STRING + rb"(?:," + STRING + rb":" + STRING + rb")*)?\}"
READING = rb'\{"ts":\d{13}(?:,"tags":' + TAGS + rb')?,"values":' + MEMBERS + rb"\}"
HEAD = rb'\{"agent":' + STRING + rb',"input":' + STRING + rb',"id":"([0-9a-f]{16})-(\d+)"'
CLOCK = rb'(?:,"clock":"(?:corrected|unsynchronised)")?'
THINNED = rb'(?:,"thinned":"\d+[smhd]")?'
BATCH = re.compile(HEAD + CLOCK + rb'(?:,"tags":' + TAGS + rb')?' + THINNED + rb',"readings":\[' + READING + rb"(?:," + READING + rb")*\]\}")
GAP = re.compile(HEAD + CLOCK + rb',"gap":\{"from":\d+,"to":\d+,"readings":\d+,'
                 rb'"reason":"(?:max_size|max_age|disk_full|damaged|refused)"\}\}')
STATUS = re.compile(rb'\{"agent":"[^"]+","state":"(online|offline)","version":"[^"]+","since":\d+'
                    rb'(?:,"buffer":\{"readings":\d+,"oldest_age_s":(?:\d+|null),"drain_rate":' + NUMBER +
                    rb',"empty_in_s":(?:\d+|null)\})?\}')


class Tally:
    """Adds up data messages: readings by run and number, ids, gaps. Any message that breaks the contract is an error."""

    def __init__(self, messages):
        self.numbers = defaultdict(set)  # by the simulator's run
        self.payloads = {}               # by id
        self.gaps = []                   # each once
        self.readings = []               # as often as they came
        for message in messages:
            self._add(message.payload)

    def _add(self, payload):
        match = BATCH.fullmatch(payload) or GAP.fullmatch(payload)
        if not match:
            raise AssertionError(f"no message of the contract: {payload[:400]!r}")
        body = json.loads(payload)
        came_before = body["id"] in self.payloads
        known = self.payloads.setdefault(body["id"], payload)
        if known != payload:
            raise AssertionError(f"two different messages with the id {body['id']}: {known[:200]!r} {payload[:200]!r}")
        if "gap" in body:
            if not came_before:
                self.gaps.append(body["gap"])
            return
        for reading in body["readings"]:
            self.readings.append(reading)
            values = reading["values"]
            if "run" in values:
                self.numbers[values["run"]].add(values["n"])

    @property
    def epochs(self):
        return {identifier.split("-")[0] for identifier in self.payloads}

    def run(self):
        """The numbers of the only run there was."""
        if len(self.numbers) != 1:
            raise AssertionError(f"expected readings of one run, got {list(self.numbers)}")
        return next(iter(self.numbers.values()))
