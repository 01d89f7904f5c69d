"""One agent with every input that has its hardware in the virtual machine."""
from case import TIMEOUT, InVirtualMachine
from gpio_chip import GpioChip
from shared_machine import HOLDFAST

INPUTS = {
    "host": ("system", {}),
    "board": ("hwmon", {"chips": ["!w1_slave_temp"]}),  # each of its reads takes a conversion of 0.75 s
    "heating": ("w1", {}),
    "adc": ("iio", {"devices": ["board"]}),
    "doors": ("gpio", {"lines": {"door": "door edges", "water": "vm-test:5 counter"}}),
    "bus": ("i2c", {"chip": "registers", "address": "0x4f", "registers": {"level": "0x10 u16 le"}}),
}


class AllInputs(InVirtualMachine):
    def setUp(self):
        super().setUp()
        GpioChip(self)
        bus = self.machine.run("i2cdetect -l | sed -n 's/^i2c-\\([0-9]*\\).*SMBus stub driver.*/\\1/p'").strip()
        self.machine.run(f"i2cset -y {bus} 0x4f 0x10 0x1234 w")
        INPUTS["bus"][1]["bus"] = bus
        self.inputs = [{"name": name, "plugin": plugin, "interval": "30s", "options": options}
                       for name, (plugin, options) in INPUTS.items()]

    def test_holdfast_test_prints_a_sample_of_each(self):
        sampled = self.sample(*self.inputs)
        self.assertEqual((sampled.code, sampled.err), (0, ""))
        self.assertEqual(set(sampled.values), set(INPUTS))
        for name, channel, value in (("adc", "board.accel_x", None), ("board", "lm75.temp1", 25.5), ("bus", "level", 0x1234),
                                     ("doors", "water.count", 0), ("doors", "door", False)):
            self.assertIn(channel, sampled.values[name])
            if value is not None:
                self.assertEqual(sampled.values[name][channel], value, channel)
        table = self.machine.run(f"{HOLDFAST} test --config /srv/{self.id()}.toml", TIMEOUT)
        self.assertRegex(table, r"lm75\.temp1 +25\.5 +Cel")
        self.assertRegex(table, r"temperature\.28-00000000b001 +21\.5 +Cel")

    def test_they_run_side_by_side_without_an_error(self):
        agent = self.run_agent(*self.inputs)
        entries = agent.wait_inputs(lambda inputs: all(entry["readings"] >= 2 for entry in inputs.values()), "two of each")
        for name, entry in entries.items():
            self.assertEqual((entry["state"], entry["errors"], entry["restarts"]), ("running", 0, 0), f"{name}: {entry}")
        for name in INPUTS:
            self.assertGreaterEqual(len(agent.readings(name)), 2, name)
