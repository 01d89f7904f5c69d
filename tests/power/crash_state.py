"""The states in which a power cut may leave a recorded disk, and what the agent makes of one."""
import json
import os
import random
import subprocess

from agent import Agent
from recorded_disk import FLUSH, NoDisk, ran, write_blocks
from waiting import wait_until

AFTER = "after"  # the input that has one reading after the power cut


def crash_states(disk, begin, count):
    """For `count` random positions in the log from `begin` on: the position, and what the disk then has by block number.

    All that was written before the last flush is there, and of what came later any part, half of it on average."""
    safe, applied = dict(disk.first), 0
    for position in sorted(random.choices(range(begin, disk.position + 1), k=count)):
        flushed = next((at for at in range(position - 1, applied - 1, -1) if disk.log[at] is FLUSH), applied)
        safe.update(filter(None, disk.log[applied:flushed]))
        applied = flushed
        share = random.random()
        later = dict(entry for entry in disk.log[applied:position] if entry is not FLUSH and random.random() < share)
        yield position, {**safe, **later}


class Found:
    """What the agent found on a disk after a power cut, or what was wrong."""

    def __init__(self):
        self.messages = []
        self.failed_start = ""
        self.damage = ""     # what `buffer check` says
        self.set_aside = []  # files
        self.complaints = ""


def look_at(directory, size, blocks, config, has_buffer):
    """Mounts the disk, which has the file system mend itself, and starts the agent on it.

    `has_buffer`: it was made before the power cut."""
    found = Found()
    image, path = os.path.join(directory, "image"), os.path.join(directory, "mounted")
    write_blocks(image, size, blocks)
    os.makedirs(path)
    try:
        # The power is not cut again: to flush this machine's own disk would be of no use.
        ran("mount", "-o", "loop,barrier=0", image, path)
    except NoDisk as error:
        found.failed_start = str(error)
        return found
    agent = Agent(directory, config)
    agent.state_dir = os.path.join(path, "state")
    try:
        if has_buffer:
            check(agent, found)
        start_and_stop(agent, found)
        check(agent, found)
    except (AssertionError, subprocess.TimeoutExpired) as error:
        found.failed_start = f"{error}; its log: {agent.log()}"
    finally:
        agent.cleanup()
        ran("umount", path)
    return found


def check(agent, found):
    done = agent.command("buffer", "check")
    if done.returncode != 0:
        found.damage += done.stdout + done.stderr


def start_and_stop(agent, found):
    agent.start()

    def has_taken_in():
        if agent.process.poll() is not None:
            raise AssertionError(f"the agent ended with {agent.process.returncode}")
        status = agent.status()
        return (status and any(entry["name"] == AFTER and entry["readings"] for entry in status["inputs"])
                and status["buffer"]["in_memory_readings"] == status["buffer"]["salvaging_readings"] == 0)
    wait_until(has_taken_in, "a reading taken in and committed", interval=0.02)
    export = agent.command("buffer", "export")
    if export.returncode != 0:
        raise AssertionError(f"export: {export.stderr}")
    found.messages = [json.loads(line) for line in export.stdout.splitlines()]
    code, _ = agent.terminate()
    if code != 0:
        raise AssertionError(f"the agent ended with {code}")
    found.set_aside = [name for name in os.listdir(agent.state_dir) if "corrupt" in name and not name.endswith("-wal")]
    found.complaints = agent.log()  # which has warnings and errors only
