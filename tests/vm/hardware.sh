#!/bin/sh
# Run in the virtual machine, once: the hardware that the tests are about, as far as it is there for all of them.
set -e

modprobe gpio-sim

# 0x48 and 0x4f stay free of drivers; a thermometer and a power meter get those of the kernel. SMBus has the low byte first.
modprobe i2c-dev
modprobe i2c-stub chip_addr=0x40,0x48,0x49,0x4f
bus=$(i2cdetect -l | sed -n 's/^i2c-\([0-9]*\).*SMBus stub driver.*/\1/p')
i2cset -y "$bus" 0x49 0x00 0x8019 w     # 25.5 degrees
i2cset -y "$bus" 0x49 0x03 0x0050 w     # 80 degrees at most
i2cset -y "$bus" 0x40 0x02 0x985d w     # 11.98 V
i2cset -y "$bus" 0x40 0x01 0xd007 w     # 20 mV at the shunt
modprobe lm75
modprobe ina2xx
echo lm75 0x49 >"/sys/bus/i2c/devices/i2c-$bus/new_device"
echo ina219 0x40 >"/sys/bus/i2c/devices/i2c-$bus/new_device"

modprobe iio_dummy
modprobe iio-trig-hrtimer
modprobe iio-trig-sysfs
mkdir /sys/kernel/config/iio/devices/dummy/board
mkdir /sys/kernel/config/iio/triggers/hrtimer/tick
echo 1 >/sys/bus/iio/devices/iio_sysfs_trigger/add_trigger

modprobe fake_board
modprobe w1_therm
udevadm settle
