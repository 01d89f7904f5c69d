"""What /proc says of processes: alive or not, children, memory, processor time."""
import os


def is_alive(pid):
    """A zombie is not alive: it only waits to be reaped."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            return file.read().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def descendants(pid):
    found = []
    try:
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/children", encoding="utf-8") as file:
                for child in map(int, file.read().split()):
                    found += [child, *descendants(child)]
    except OSError:
        pass
    return found


def pss_kib(pid, of="Pss"):
    """Proportional set size, as /proc/PID/smaps_rollup has it; of="Pss_Anon": without files, a share of which each process that
    maps them has, and which grows when another ends."""
    with open(f"/proc/{pid}/smaps_rollup", encoding="utf-8") as file:
        for line in file:
            if line.startswith(f"{of}:"):
                return int(line.split()[1])
    raise AssertionError(f"no {of} in smaps_rollup")


def tree_pss_kib(pid):
    total = 0
    for member in [pid, *descendants(pid)]:
        try:
            total += pss_kib(member)
        except OSError:
            continue  # it has ended
    return total


def cpu_seconds(pid):
    """Of all threads that live, to the nanosecond."""
    total = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/schedstat", encoding="utf-8") as file:
            total += int(file.read().split()[0])
    return total / 1e9


def bytes_read(pid):
    """By read calls, whether or not the disk was asked."""
    with open(f"/proc/{pid}/io", encoding="utf-8") as file:
        return int(next(line for line in file if line.startswith("rchar:")).split()[1])
