"""The gpio input in the agent, on a chip of gpio-sim; what it says is held against what the kernel traced by itself."""
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

    def trace_edges(self):
        """As the kernel hands them out: its stamp, number and kind, the fields of struct gpio_v2_line_event."""
        self.machine.run(f"""cd {TRACING} && echo 0 >tracing_on && echo 16384 >buffer_size_kb && echo >trace && echo \
            'p:edge linereq_put_event time=+0(%si):u64 kind=+8(%si):u32 number=+20(%si):u32' >kprobe_events &&
            echo 1 >events/kprobes/edge/enable && echo 1 >tracing_on""")
        self.addCleanup(self.machine.run, f"cd {TRACING}; echo 0 >events/kprobes/edge/enable; echo >kprobe_events; echo >trace")

    def traced_edges(self):
        """Each edge's time by the wall's clock, which nobody sets in there, in microseconds, and whether it rose."""
        lines = self.machine.run(f"sed -n 's/.* time=\\([0-9]*\\) kind=\\([12]\\) number=\\([0-9]*\\)/\\1 \\2 \\3/p' {TRACING}/trace")
        edges = [tuple(map(int, line.split())) for line in lines.splitlines()]
        self.assertEqual([number for _, _, number in edges], list(range(1, len(edges) + 1)))
        offset_ns = int(self.machine.run(f"python3 -c '{WALL_LESS_MONOTONIC}'"))
        return [((time + offset_ns) // 1000, kind == 1) for time, kind, _ in edges]

    def test_levels_are_those_of_the_lines(self):
        self.chip.pull(3, "up")
        self.chip.pull(4, "up")
        values = self.sample_one("gpio", lines={"door": "door", "gate": "vm-test:4 active-low", "hatch": "vm-test:5"})
        self.assertEqual(values, {"door": True, "gate": False, "hatch": False})

    def test_each_edge_has_the_time_of_the_kernel_within_a_millisecond(self):
        # One sample, by which the line is known to be taken, and then edges alone.
        agent = self.run_agent({**self.gpio(door="door edges"), "interval": "10h"})
        agent.wait_readings(1)
        self.trace_edges()
        self.chip.pulse(3, 500, 2000)
        made = self.traced_edges()
        self.assertEqual([rose for _, rose in made], [True, False] * 500)
        agent.wait_readings(1001)
        edges = agent.readings()[1:]
        self.assertEqual([edge["values"]["door"] for edge in edges], [rose for _, rose in made])
        off = sorted(abs(edge["ts"] - time) for edge, (time, _) in zip(edges, made))
        print(f"off by {off[len(off) // 2]} us in the middle, {off[-1]} us at most", file=sys.stderr)
        self.assertLess(off[-1], 1000, f"us that the worst are off by: {off[-10:]}")

    def test_counter_counts_ten_thousand_edges_at_a_kilohertz_exactly(self):
        agent = self.run_agent(self.gpio(water="door counter scale=0.5 unit=L"))
        agent.wait_readings(1)
        self.trace_edges()
        self.chip.pulse(3, 10_000, 1000)
        self.assertEqual(len(self.traced_edges()), 10_000)
        agent.wait_more(2)  # the second began after the last pulse
        last = agent.readings()[-1]["values"]
        self.assertEqual((last["water.count"], last["water.total"]), (10_000, 5000))

    def test_a_chip_that_goes_away_is_waited_for(self):
        agent = self.run_agent(self.gpio(door="door edges"))
        agent.wait_readings(1)
        self.put(f"{self.chip.device}/live", "0")
        agent.wait_inputs(lambda inputs: "there is no GPIO chip" in inputs["it"]["last_error"], "the loss is told")
        self.put(f"{self.chip.device}/live", "1")
        agent.wait_more(1)
