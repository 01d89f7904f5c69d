"""A chip of the kernel's gpio-sim in the virtual machine (Documentation/admin-guide/gpio/gpio-sim.rst)."""

# Pulls a line up and down so many times, at a pace; a process of its own in the machine, for the channel into it is slow.
PULSES = """
import os, sys, time
pull, pulses, period_ns = os.open(sys.argv[1], os.O_WRONLY), int(sys.argv[2]), int(sys.argv[3])
due = time.monotonic_ns()
for _ in range(pulses):
    for level in (b"pull-up", b"pull-down"):
        due += period_ns // 2
        time.sleep(max(due - time.monotonic_ns(), 0) / 1e9)
        os.pwrite(pull, level, 0)
"""


class GpioChip:
    """Eight lines, number 3 named `door`, until the test ends."""

    def __init__(self, test):
        self.machine = test.machine
        self.device = "/sys/kernel/config/gpio-sim/vm-test"
        self.machine.run(f"mkdir -p {self.device}/bank0/line3 && cd {self.device} && echo 8 >bank0/num_lines && "
                         "echo vm-test >bank0/label && echo door >bank0/line3/name && echo 1 >live")
        test.addCleanup(self.machine.run, f"cd {self.device} && echo 0 >live && rmdir bank0/line3 bank0 && rmdir {self.device}")
        name = self.machine.read(f"{self.device}/bank0/chip_name").strip()
        self.lines = f"/sys/devices/platform/{self.machine.read(f'{self.device}/dev_name').strip()}/{name}"

    def pull_file(self, line):
        return f"{self.lines}/sim_gpio{line}/pull"

    def pull(self, line, direction):
        self.machine.run(f"echo pull-{direction} >{self.pull_file(line)}")

    def pulse(self, line, pulses, period_us):
        self.machine.write("/srv/pulses.py", PULSES)
        self.machine.run(f"python3 /srv/pulses.py {self.pull_file(line)} {pulses} {period_us * 1000}", 600)
