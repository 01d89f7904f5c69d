"""The gpio input in the agent, on a chip of gpio-sim; what it says is held against what the kernel traced by itself."""
import re
import sys

from case import InVirtualMachine
from gpio_chip import GpioChip

TRACING = "/sys/kernel/tracing"
WALL_LESS_MONOTONIC = "import time; print(time.clock_gettime_ns(time.CLOCK_REALTIME) - time.clock_gettime_ns(time.CLOCK_MONOTONIC))"


class Gpio(InVirtualMachine):
    def setUp(self):
        super().setUp()
        self.chip = GpioChip(self)

    def gpio(self, **lines):
        return {"name": "it", "plugin": "gpio", "interval": "1s", "options": {"lines": lines}}

    def trace_interrupts(self):
        """Of the lines that the agent has, by the kernel's own tracer: it stamps them before anything of GPIO runs."""
        event = f"{TRACING}/events/irq/irq_handler_entry"
        self.machine.run(f"""cd {TRACING} && echo 0 >tracing_on && echo mono >trace_clock && echo 16384 >buffer_size_kb &&
            echo 'name == "holdfast"' >{event}/filter && echo 1 >{event}/enable && echo >trace && echo 1 >tracing_on""")
        self.addCleanup(self.machine.run, f"echo 0 >{event}/enable; echo 0 >{event}/filter; echo >{TRACING}/trace")

    def trace_taken_edges(self):
        """The handler that numbers an edge is a thread of the kernel's (edge_irq_thread in drivers/gpio/gpiolib-cdev.c): where it
        does not get to run between two interrupts, the kernel itself makes one edge of them."""
        self.machine.run(f"""cd {TRACING} && echo 0 >tracing_on && echo 16384 >buffer_size_kb && echo >trace &&
            echo 'p:taken_edge edge_irq_thread' >kprobe_events && echo 1 >events/kprobes/taken_edge/enable && echo 1 >tracing_on""")
        self.addCleanup(self.machine.run, f"cd {TRACING}; echo 0 >events/kprobes/taken_edge/enable; echo >kprobe_events; echo >trace")

    def traced_us(self):
        """On the wall's clock, which nobody sets in there."""
        times = re.findall(r" (\d+)\.(\d{6}): irq_handler_entry", self.machine.read(f"{TRACING}/trace"))
        offset_us = int(self.machine.run(f"python3 -c '{WALL_LESS_MONOTONIC}'")) // 1000
        return [int(seconds) * 1_000_000 + int(micros) + offset_us for seconds, micros in times]

    def test_levels_are_those_of_the_lines(self):
        self.chip.pull(3, "up")
        self.chip.pull(4, "up")
        values = self.sample_one("gpio", lines={"door": "door", "gate": "vm-test:4 active-low", "hatch": "vm-test:5"})
        self.assertEqual(values, {"door": True, "gate": False, "hatch": False})

    def test_each_edge_has_the_time_of_the_kernel_within_a_millisecond(self):
        # One sample, by which the line is known to be taken, and then edges alone.
        agent = self.run_agent({**self.gpio(door="door edges"), "interval": "10h"})
        agent.wait_readings(1)
        self.trace_interrupts()
        self.chip.pulse(3, 500, 2000)
        made = self.traced_us()
        self.assertEqual(len(made), 1000)
        agent.wait_readings(1001)
        edges = agent.readings()[1:]
        self.assertEqual([edge["values"]["door"] for edge in edges], [True, False] * 500)
        off = sorted(abs(edge["ts"] - time) for edge, time in zip(edges, made))
        print(f"off by {off[500]} us in the middle, {off[-1]} us at most", file=sys.stderr)
        self.assertLess(off[-1], 1000, f"us that the worst are off by: {off[-10:]}")

    def test_counter_has_all_edges_that_the_kernel_took(self):
        agent = self.run_agent(self.gpio(water="door counter scale=0.5 unit=L"))
        agent.wait_readings(1)
        self.trace_taken_edges()
        self.chip.pulse(3, 10_000, 1000)
        taken = self.machine.read(f"{TRACING}/trace").count(": taken_edge:")
        self.assertGreater(taken, 1000)
        agent.wait_more(2)  # the second began after the last pulse
        last = agent.readings()[-1]["values"]
        self.assertEqual((last["water.count"], last["water.total"]), (taken, taken * 0.5))
        print(f"the kernel took {taken} of 10000 edges", file=sys.stderr)

    def test_a_chip_that_goes_away_is_waited_for(self):
        agent = self.run_agent(self.gpio(door="door edges"))
        agent.wait_readings(1)
        self.put(f"{self.chip.device}/live", "0")
        agent.wait_inputs(lambda inputs: inputs["it"]["state"] != "running" and inputs["it"]["last_error"], "the loss is told")
        self.put(f"{self.chip.device}/live", "1")
        agent.wait_more(1)
