"""Run in the virtual machine: writes to a file of the kernel's so many times the texts in turn, at a pace.

    paced_writes.py FILE THREAD TIMES PERIOD_US TEXT...

Each write raises an interrupt that a thread of the kernel serves, and the kernel makes one of two that come before the thread had
its turn (edge_irq_thread in drivers/gpio/gpiolib-cdev.c, iio_trigger_poll in drivers/iio/industrialio-trigger.c). On a machine
whose processors are lent to others that would be chance. So the thread (THREAD is how its name begins, behind "irq/N-") is put on one processor
with this program, which it goes before: what a write makes is served before the write returns, however slow the machine is.
"""
import glob
import os
import sys
import time


def threads(beginning):
    for path in glob.glob("/proc/[0-9]*/comm"):
        try:
            with open(path, encoding="ascii", errors="replace") as file:
                kind, _, name = file.read().partition("-")
        except OSError:  # it has ended
            continue
        if kind.startswith("irq/") and name.startswith(beginning):
            yield int(path.split("/")[2])


def main(path, thread, times, period_us, *texts):
    # More than one where a chip went away under a program that had a line of it: the kernel leaves that thread behind.
    served_by = list(threads(thread))
    assert served_by and all(os.sched_getscheduler(each) == os.SCHED_FIFO for each in served_by), served_by
    for process in (*served_by, 0):
        os.sched_setaffinity(process, {0})
    file = os.open(path, os.O_WRONLY)
    due = time.monotonic_ns()
    for _ in range(int(times)):
        for text in texts:
            due += int(period_us) * 1000
            time.sleep(max(due - time.monotonic_ns(), 0) / 1e9)
            os.pwrite(file, text.encode(), 0)


main(*sys.argv[1:])
