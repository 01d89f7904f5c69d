// Where an I2C bus is, as the option `bus` names it.
#pragma once

#include <cstdint>
#include <string>

namespace i2c_input {

struct BusPlace {
    std::string node;     // /dev/i2c-1, with what stands before /dev
    std::string name;     // i2c-1
    std::string adapter;  // what the kernel calls it: "bcm2835 (i2c@7e804000)"; may be empty
    std::string number;   // "1"
};

// `bus` is a number ("1"), a name ("i2c-1"), a path ("/dev/i2c-1") or what the kernel calls the adapter.
// Throws std::system_error: ENODEV (no such bus now), ENOTUNIQ (several adapters of one name).
BusPlace find_bus(const std::string& root, const std::string& bus);

// The driver of the kernel that is bound to an address; empty when none is.
std::string driver_at(const std::string& root, const BusPlace& bus, std::uint16_t address);

}  // namespace i2c_input
