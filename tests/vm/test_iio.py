"""The iio input on the kernel's iio_dummy, polled, and captured by a timer's or a program's trigger."""
from case import InVirtualMachine

DEVICE = "/sys/bus/iio/devices/iio:device0"
# What drivers/iio/dummy/iio_simple_dummy_buffer.c puts into each scan, by the scales and offsets that the device tells; volts.
SCAN = {"board.voltage0": (7 + 7) * 0.001333 / 1000, "board.voltage1-voltage2": -33 * 0.000001344 / 1000,
        "board.voltage3-voltage4": -2 * 0.000001344 / 1000, "board.accel_x": 344}


class Iio(InVirtualMachine):
    def iio(self, **options):
        return {"name": "it", "plugin": "iio", "interval": "1s",
                "options": {"devices": ["board"], "mode": "buffer", "buffer_length": 4096, **options}}

    def number(self, name):
        return float(self.machine.read(f"{DEVICE}/{name}"))

    def assert_scan(self, values):
        for name, value in SCAN.items():
            self.assertAlmostEqual(values[name], value, delta=abs(value) * 1e-9, msg=name)

    def poke_events(self):
        """All kinds that the device has an interrupt for (drivers/iio/dummy/iio_simple_dummy_events.c)."""
        self.machine.run("for kind in 0 1 2 3; do echo $kind >/sys/bus/iio/devices/iio_evgen/poke_ev0; done")

    def test_polled_values_are_those_of_the_files(self):
        values = self.sample_one("iio", devices=["board"])
        volts = (self.number("in_voltage0_raw") + self.number("in_voltage0_offset")) * self.number("in_voltage0_scale") / 1000
        self.assertAlmostEqual(values["board.voltage0"], volts, places=12)
        scale = self.number("in_voltage-voltage_scale") / 1000
        for name in ("voltage1-voltage2", "voltage3-voltage4"):
            self.assertAlmostEqual(values[f"board.{name}"], self.number(f"in_{name}_raw") * scale, places=15)
        self.assertEqual(values["board.accel_x"], self.number("in_accel_x_raw"))
        self.assertNotIn("board.lost_scans", values)

    def trigger(self, times):
        """One scan after the other: while one is made, the kernel takes no further trigger."""
        triggers = "/sys/bus/iio/devices/trigger*/trigger_now"
        self.write_paced(self.machine.run(f"ls {triggers}").strip(), "board", times, 1000, "1")

    def test_each_scan_that_is_triggered_is_a_reading(self):
        agent = self.run_agent(self.iio(trigger="sysfstrig1"))
        self.wait_for_capture(agent)
        began = self.clock_us()
        self.trigger(1000)
        self.poke_events()
        self.trigger(250)
        ended = self.clock_us()
        scans = 1250
        entry = agent.wait_readings(scans)
        self.assertEqual((entry["state"], entry["restarts"], entry["errors"], entry["last_error"]), ("running", 0, 0, ""))
        readings = agent.readings()
        self.assertEqual(len(readings), scans)
        for reading in readings:
            self.assert_scan(reading["values"])
            self.assertTrue(began < reading["ts"] < ended, (began, reading, ended))

    def clock_us(self):
        return int(self.machine.run("date +%s%N")) // 1000

    def test_a_timer_captures_at_its_rate(self):
        # Slow enough for a machine whose processors are lent to others: while a scan is made, the kernel takes no further trigger.
        agent = self.run_agent(self.iio(trigger="tick", sampling_frequency=20, watermark=10))
        agent.wait_readings(200)
        readings = agent.readings()
        for reading in readings:
            self.assert_scan(reading["values"])
        times = [reading["ts"] for reading in readings]
        gaps = sorted(after - before for before, after in zip(times, times[1:]))
        self.assertAlmostEqual(gaps[len(gaps) // 2], 50_000, delta=5000)

    def test_the_device_is_left_as_it_was_when_the_input_ends(self):
        agent = self.run_agent(self.iio(trigger="sysfstrig1"))
        self.wait_for_capture(agent)
        agent.stop()
        self.assertEqual(self.machine.read(f"{DEVICE}/buffer0/enable").strip(), "0")
        self.assertIn("board.voltage0", self.sample_one("iio", devices=["board"]))

    def wait_for_capture(self, agent):
        agent.wait_inputs(lambda inputs: self.machine.read(f"{DEVICE}/buffer0/enable").strip() == "1", "the capture begins")
