"""The hwmon input on drivers of the kernel whose chips are registers of i2c-stub, and on a thermal zone."""
from case import InVirtualMachine


class Hwmon(InVirtualMachine):
    def test_chips_of_kernel_drivers_are_read(self):
        values = self.sample_one("hwmon", chips=["lm75", "lm80"])
        expected = {"lm75.temp1": 25.5, "lm80.in0": 2, "lm80.in0.alarm": True, "lm80.in1.alarm": False, "lm80.temp1": 45,
                    "lm80.fan1": 9000}
        self.assertEqual({name: values.get(name) for name in expected}, expected)

    def test_a_thermal_zone_is_read_anew_each_time(self):
        self.parameter("zone_temp", "55500")
        self.assertEqual(self.sample_one("hwmon", sensors=["fake-board"]), {"thermal.fake-board": 55.5})
        self.put("/sys/module/fake_board/parameters/zone_temp", "-12250")
        self.assertEqual(self.sample_one("hwmon", sensors=["fake-board"]), {"thermal.fake-board": -12.25})

    def test_a_zone_that_fails_costs_no_other_sensor(self):
        self.parameter("zone_temp", "-999999")
        agent = self.run_agent({"name": "it", "plugin": "hwmon", "interval": "1s"})
        agent.wait_readings(2)
        entry = agent.wait_inputs(lambda inputs: inputs["it"]["errors"] > 0, "the error is counted")["it"]
        self.assertIn("Input/output error", entry["last_error"])
        values = agent.readings()[0]["values"]
        self.assertEqual(values["lm75.temp1"], 25.5)
        self.assertNotIn("thermal.fake-board", values)

    def test_the_zone_is_not_told_twice_through_its_hwmon_chip(self):
        values = self.sample_one("hwmon")
        self.assertEqual([name for name in values if "fake" in name], ["thermal.fake-board"])
