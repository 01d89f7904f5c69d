"""The w1 input through the kernel's own w1 core and w1_therm, on a bus of two DS18B20 that is simulated bit by bit."""
from case import InVirtualMachine

FIRST, SECOND = "28-00000000b001", "28-00000000b002"


class W1(InVirtualMachine):
    def w1(self, **options):
        return {"name": "it", "plugin": "w1", "interval": "10s", "options": {"retries": 0, **options}}

    def run_until_error(self, text):
        """The readings until there was an error with this text, and one reading at least."""
        agent = self.run_agent(self.w1())
        agent.wait_inputs(lambda inputs: text in (inputs["it"]["last_error"] or "") and inputs["it"]["readings"] > 0, text)
        return agent.readings()

    def assert_only(self, channel, readings):
        """That the other thermometer was read, and this one not once."""
        self.assertEqual({name for reading in readings for name in reading["values"]}, {channel})

    def test_thermometers_are_found_and_read(self):
        agent = self.run_agent(self.w1(names={FIRST: "boiler"}))
        agent.wait_readings(2)
        values = {}
        for reading in agent.readings():
            values.update(reading["values"])
        self.assertEqual(values, {"temperature.boiler": 21.5, f"temperature.{SECOND}": -10.125})

    def test_an_answer_with_a_wrong_crc_is_not_taken(self):
        self.parameter("probe_fault", "1,0")
        self.assert_only(f"temperature.{SECOND}", self.run_until_error("not with a right CRC"))

    def test_the_value_after_power_on_is_not_taken(self):
        self.parameter("probe_fault", "0,2")
        self.assert_only(f"temperature.{FIRST}", self.run_until_error("its value after power came on"))

    def test_85_degrees_that_were_measured_are_taken(self):
        self.parameter("probe_temp", "85000,85000")
        agent = self.run_agent(self.w1(names={FIRST: "boiler"}, only_named=True))
        agent.wait_readings(1)
        self.assertEqual(agent.readings()[0]["values"], {"temperature.boiler": 85})
