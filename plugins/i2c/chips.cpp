#include "chip.hpp"

namespace i2c_input {

namespace {

constexpr ChipKind kinds[] = {
    {"sht3x", 0x44, make_sht3x},     {"sht4x", 0x44, make_sht4x},      {"bme280", 0x76, make_bme280},
    {"bmp280", 0x76, make_bmp280},   {"ads1115", 0x48, make_ads1115},  {"ina219", 0x40, make_ina219},
    {"tmp102", 0x48, make_tmp102},   {"lm75", 0x48, make_lm75},        {"lm75b", 0x48, make_lm75b},
    {"mcp9808", 0x18, make_mcp9808}, {"registers", 0, make_registers},
};

}  // namespace

std::span<const ChipKind> chip_kinds() {
    return kinds;
}

}  // namespace i2c_input
