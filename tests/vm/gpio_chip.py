"""A chip of the kernel's gpio-sim in the virtual machine (Documentation/admin-guide/gpio/gpio-sim.rst)."""


class GpioChip:
    """Eight lines, number 3 named `door`, until the test ends."""

    def __init__(self, test):
        self.test = test
        self.machine = test.machine
        self.device = "/sys/kernel/config/gpio-sim/vm-test"
        self.machine.run(f"mkdir -p {self.device}/bank0/line3 && cd {self.device} && echo 8 >bank0/num_lines && "
                         "echo vm-test >bank0/label && echo door >bank0/line3/name && echo 1 >live")
        test.addCleanup(self.machine.run, f"cd {self.device}; [ $(cat live) = 0 ] || echo 0 >live; rmdir bank0/line3 bank0 {self.device}")
        self.name = self.machine.read(f"{self.device}/bank0/chip_name").strip()
        self.lines = f"/sys/devices/platform/{self.machine.read(f'{self.device}/dev_name').strip()}/{self.name}"

    def pull_file(self, line):
        return f"{self.lines}/sim_gpio{line}/pull"

    def pull(self, line, direction):
        self.machine.run(f"echo pull-{direction} >{self.pull_file(line)}")

    def pulse(self, line, pulses, period_us):
        """For the line that the agent has alone; an edge in each half of the period."""
        self.test.write_paced(self.pull_file(line), "hold", pulses, period_us // 2, "pull-up", "pull-down")
