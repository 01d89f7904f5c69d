// The descriptor of the `i2c` input.
#include "i2c.hpp"

namespace {

using holdfast::plugin::option;

constexpr holdfast_option options[] = {
    option(HOLDFAST_OPTION_STRING, "chip", nullptr,
           "what the chip is; registers: any, by the option registers",
           "sht3x|sht4x|bme280|bmp280|ads1115|ina219|tmp102|lm75|lm75b|mcp9808|registers"),
    option(HOLDFAST_OPTION_STRING, "bus", "1",
           "the bus: a number, a path, or what the kernel calls the adapter"),
    option(HOLDFAST_OPTION_STRING, "address", "",
           "the chip's address, 0x08 to 0x77; empty: the one that such a chip usually has"),
    option(HOLDFAST_OPTION_STRING_LIST, "inputs", R"(["a0", "a1", "a2", "a3"])",
           "ads1115: the inputs to read, or differences of them: a0-a1, a0-a3, a1-a3, a2-a3"),
    option(HOLDFAST_OPTION_F64, "full_scale", "4.096",
           "ads1115: the largest voltage, 6.144, 4.096, 2.048, 1.024, 0.512 or 0.256 V"),
    option(HOLDFAST_OPTION_I64, "rate", "128",
           "ads1115: conversions a second, 8, 16, 32, 64, 128, 250, 475 or 860"),
    option(HOLDFAST_OPTION_F64, "shunt", "0.1", "ina219: resistance of the shunt in ohms"),
    option(HOLDFAST_OPTION_STRING_MAP, "registers", "{}",
           "registers: channel = value: \"REGISTER [u8|s8|u16|s16|u24|s24|u32|s32] [be|le] [scale=0.1] "
           "[offset=-40] [unit=Cel]\""),
};

}  // namespace

HOLDFAST_PLUGIN(i2c_input::I2c, "i2c", HOLDFAST_VERSION, "Reads a sensor chip on an I2C bus.", options)
