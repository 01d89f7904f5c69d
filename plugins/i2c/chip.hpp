// A chip on an I2C bus, and the kinds of chips that there are. To add one: a file with its class, and a line
// in chips.cpp.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include <holdfast/plugin.hpp>

#include "bus.hpp"

namespace i2c_input {

class Chip {
  public:
    virtual ~Chip() = default;
    // Looks whether the chip is there and is the one that it should be, and makes it ready. Throws
    // std::system_error.
    virtual void begin(Bus& bus) = 0;
    // Takes a sample and puts its values into the reading. Throws std::system_error.
    virtual void read(Bus& bus, holdfast::plugin::Reading& reading) = 0;
};

struct ChipKind {
    const char* name;       // as the option `chip` has it
    std::uint16_t address;  // where it is if nothing else is said; 0: has to be said
    // Reads its options and declares its channels. Throws EINVAL.
    std::unique_ptr<Chip> (*make)(const holdfast::plugin::Host& host);
};

std::span<const ChipKind> chip_kinds();

std::unique_ptr<Chip> make_sht3x(const holdfast::plugin::Host& host);
std::unique_ptr<Chip> make_sht4x(const holdfast::plugin::Host& host);
std::unique_ptr<Chip> make_bme280(const holdfast::plugin::Host& host);
std::unique_ptr<Chip> make_bmp280(const holdfast::plugin::Host& host);
std::unique_ptr<Chip> make_ads1115(const holdfast::plugin::Host& host);
std::unique_ptr<Chip> make_ina219(const holdfast::plugin::Host& host);
std::unique_ptr<Chip> make_tmp102(const holdfast::plugin::Host& host);
std::unique_ptr<Chip> make_lm75(const holdfast::plugin::Host& host);
std::unique_ptr<Chip> make_lm75b(const holdfast::plugin::Host& host);
std::unique_ptr<Chip> make_mcp9808(const holdfast::plugin::Host& host);
std::unique_ptr<Chip> make_registers(const holdfast::plugin::Host& host);

}  // namespace i2c_input
