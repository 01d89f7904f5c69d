#!/bin/sh
# Run in the virtual machine, once: the hardware that the tests are about, as far as it is there for all of them.
set -e

modprobe gpio-sim

# 0x48 and 0x4f stay free of drivers; a thermometer and a monitor of voltages and fans get those of the kernel, with registers as
# in their data sheets (LM75, LM80: "Register Map"). SMBus has the low byte first.
modprobe i2c-dev
modprobe i2c-stub chip_addr=0x28,0x48,0x49,0x4f
bus=$(i2cdetect -l | sed -n 's/^i2c-\([0-9]*\).*SMBus stub driver.*/\1/p')
i2cset -y "$bus" 0x49 0x00 0x8019 w     # 25.5 degrees
i2cset -y "$bus" 0x28 0x20 200          # in0: 2 V, in steps of 10 mV
i2cset -y "$bus" 0x28 0x27 45           # 45 degrees
i2cset -y "$bus" 0x28 0x28 150          # fan1: periods of 22.5 kHz in a half turn
i2cset -y "$bus" 0x28 0x01 0x01         # in0 is out of its bounds
modprobe lm75
echo lm75 0x49 >"/sys/bus/i2c/devices/i2c-$bus/new_device"
modprobe lm80                           # finds its chip by itself

modprobe iio_dummy
modprobe iio-trig-hrtimer
modprobe iio-trig-sysfs
mkdir /sys/kernel/config/iio/devices/dummy/board
mkdir /sys/kernel/config/iio/triggers/hrtimer/tick
echo 1 >/sys/bus/iio/devices/iio_sysfs_trigger/add_trigger

modprobe fake_board
modprobe w1_therm
udevadm settle
