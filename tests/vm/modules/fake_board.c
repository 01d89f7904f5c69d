// SPDX-License-Identifier: GPL-2.0
/*
 * A board's thermal zone and its 1-Wire bus with two DS18B20, for the tests.
 *
 * Parameters, to be written to while the module is loaded (/sys/module/fake_board/parameters):
 *   zone_temp     millidegrees of the zone "fake-board"; below absolute zero it fails with EIO
 *   probe_temp    millidegrees at the two thermometers
 *   probe_here    whether each is on the bus
 *   probe_fault   for each: 0 none, 1 its CRC is wrong, 2 it does not convert, so that it keeps what it had when power came on
 *
 * The bus is made of single bits, as wires have them: what the kernel's search, its selection by ROM code and its scratchpad
 * reads do is tried in full. Commands, scratchpad and power-on value are those of the data sheet (Maxim DS18B20, "Memory",
 * tables 2 and 3, "1-Wire Bus System").
 */
#include <linux/module.h>
#include <linux/thermal.h>
#include <linux/w1.h>

#define PROBES 2

static int zone_temp = 42000;
static int probe_temp[PROBES] = { 21500, -10125 };
static int probe_here[PROBES] = { 1, 1 };
static int probe_fault[PROBES];
module_param(zone_temp, int, 0644);
module_param_array(probe_temp, int, NULL, 0644);
module_param_array(probe_here, int, NULL, 0644);
module_param_array(probe_fault, int, NULL, 0644);

enum fault { NO_FAULT, WRONG_CRC, NO_CONVERSION };
enum state { WAITS_FOR_RESET, TAKES_ROM_COMMAND, IS_SEARCHED, IS_MATCHED, TAKES_COMMAND, SENDS, TAKES_CONFIGURATION };

struct probe {
	u8 rom[8];
	u8 scratchpad[9];
	enum state state;
	unsigned int bits;	/* since the state began */
	u8 command;
};

static struct probe probes[PROBES];

static u8 crc_of(const u8 *bytes, int count)
{
	u8 crc = 0;
	int i;

	for (i = 0; i < count * 8; i++) {
		u8 mixed = crc ^ (bytes[i / 8] >> (i % 8));

		crc >>= 1;
		if (mixed & 1)
			crc ^= 0x8c;
	}
	return crc;
}

static u8 bit_of(const u8 *bytes, unsigned int number)
{
	return bytes[number / 8] >> (number % 8) & 1;
}

static void become(struct probe *probe, enum state state)
{
	probe->state = state;
	probe->bits = 0;
	probe->command = 0;
}

static void power_on(struct probe *probe)
{
	static const u8 after_power_on[8] = { 0x50, 0x05, 0x4b, 0x46, 0x7f, 0xff, 0x0c, 0x10 };

	memcpy(probe->scratchpad, after_power_on, sizeof(after_power_on));
}

static void convert(struct probe *probe)
{
	int sixteenths;

	if (probe_fault[probe - probes] == NO_CONVERSION) {
		power_on(probe);
		return;
	}
	sixteenths = probe_temp[probe - probes] * 16 / 1000;
	probe->scratchpad[0] = sixteenths & 0xff;
	probe->scratchpad[1] = sixteenths >> 8 & 0xff;
	probe->scratchpad[6] = 0x10 - (sixteenths & 0x0f);	/* COUNT REMAIN: 0c after power on alone */
}

static void obey(struct probe *probe)
{
	switch (probe->command) {
	case 0x44:	/* convert */
		convert(probe);
		become(probe, WAITS_FOR_RESET);	/* reads 1: done, and powered by a wire of its own */
		break;
	case 0xbe:	/* read scratchpad */
		probe->scratchpad[8] = crc_of(probe->scratchpad, 8);
		if (probe_fault[probe - probes] == WRONG_CRC)
			probe->scratchpad[8] ^= 1;
		become(probe, SENDS);
		break;
	case 0x4e:	/* write scratchpad */
		become(probe, TAKES_CONFIGURATION);
		break;
	default:	/* copy, recall, read power supply */
		become(probe, WAITS_FOR_RESET);
	}
}

static void select_by(struct probe *probe)
{
	switch (probe->command) {
	case 0xf0:
		become(probe, IS_SEARCHED);
		break;
	case 0x55:
		become(probe, IS_MATCHED);
		break;
	case 0xcc:
		become(probe, TAKES_COMMAND);
		break;
	default:
		become(probe, WAITS_FOR_RESET);
	}
}

/* Two bits are told, the ROM's and its complement; the third is the master's choice. */
static u8 be_searched(struct probe *probe, u8 bit)
{
	u8 own = bit_of(probe->rom, probe->bits / 3);

	switch (probe->bits++ % 3) {
	case 0:
		return own;
	case 1:
		return !own;
	default:
		if (bit != own)
			become(probe, WAITS_FOR_RESET);
		else if (probe->bits == 3 * 64)
			become(probe, TAKES_COMMAND);
		return 1;
	}
}

/* Returns 0 when the probe pulls the wire down in this slot. */
static u8 take_slot(struct probe *probe, u8 bit)
{
	switch (probe->state) {
	case TAKES_ROM_COMMAND:
	case TAKES_COMMAND:
		probe->command |= bit << probe->bits++;
		if (probe->bits < 8)
			return 1;
		if (probe->state == TAKES_ROM_COMMAND)
			select_by(probe);
		else
			obey(probe);
		return 1;
	case IS_SEARCHED:
		return be_searched(probe, bit);
	case IS_MATCHED:
		if (bit != bit_of(probe->rom, probe->bits++))
			become(probe, WAITS_FOR_RESET);
		else if (probe->bits == 64)
			become(probe, TAKES_COMMAND);
		return 1;
	case SENDS:
		return probe->bits < 72 ? bit_of(probe->scratchpad, probe->bits++) : 1;
	case TAKES_CONFIGURATION:
		if (probe->bits < 24) {
			u8 *byte = &probe->scratchpad[2 + probe->bits / 8];

			*byte = (*byte & ~(1 << probe->bits % 8)) | bit << probe->bits % 8;
			probe->bits++;
		}
		return 1;
	default:
		return 1;
	}
}

static u8 reset_bus(void *data)
{
	u8 nobody = 1;
	int i;

	for (i = 0; i < PROBES; i++) {
		become(&probes[i], probe_here[i] ? TAKES_ROM_COMMAND : WAITS_FOR_RESET);
		if (probe_here[i])
			nobody = 0;
	}
	return nobody;
}

static u8 touch_bit(void *data, u8 bit)
{
	u8 level = bit;
	int i;

	for (i = 0; i < PROBES; i++)
		level &= take_slot(&probes[i], bit);
	return level;
}

static struct w1_bus_master bus = { .reset_bus = reset_bus, .touch_bit = touch_bit };

static int get_zone_temp(struct thermal_zone_device *zone, int *temp)
{
	if (zone_temp < -273150)
		return -EIO;
	*temp = zone_temp;
	return 0;
}

static struct thermal_zone_device_ops zone_operations = { .get_temp = get_zone_temp };
static struct thermal_zone_device *zone;

static void make_probe(struct probe *probe, u8 serial)
{
	probe->rom[0] = 0x28;
	probe->rom[1] = serial;
	probe->rom[2] = 0xb0;
	probe->rom[7] = crc_of(probe->rom, 7);
	power_on(probe);
}

static int __init fake_board_init(void)
{
	int error, i;

	for (i = 0; i < PROBES; i++)
		make_probe(&probes[i], i + 1);
	zone = thermal_zone_device_register("fake-board", 0, 0, NULL, &zone_operations, NULL, 0, 0);
	if (IS_ERR(zone))
		return PTR_ERR(zone);
	error = thermal_zone_device_enable(zone);
	if (!error)
		error = w1_add_master_device(&bus);
	if (error)
		thermal_zone_device_unregister(zone);
	return error;
}

static void __exit fake_board_exit(void)
{
	w1_remove_master_device(&bus);
	thermal_zone_device_unregister(zone);
}

module_init(fake_board_init);
module_exit(fake_board_exit);
MODULE_DESCRIPTION("A thermal zone and a 1-Wire bus for tests");
MODULE_LICENSE("GPL");
