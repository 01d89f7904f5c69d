// The thermometers that the kernel has found, by the bus that they are on.
//
// Sources: the kernel's Documentation/w1/w1-generic.rst and Documentation/w1/slaves/w1_therm.rst.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "shared/sensors/sensor_files.hpp"

namespace w1_input {

struct Thermometer {
    std::string id;  // "28-000005e2fdc3": family and serial number, without its CRC
    std::string directory;
    // Whether it takes part in a conversion of the whole bus (bulk_read in drivers/w1/slaves/w1_therm.c).
    bool converts_in_bulk() const { return !id.starts_with("42"); }
};

struct Bus {
    std::string directory;  // of its master; empty when it can't be told
    std::vector<Thermometer> thermometers;
};

// Family 10, 22, 28, 3b or 42, and twelve digits.
bool is_thermometer_id(std::string_view id);

std::vector<Bus> find_buses(sensors::SensorFiles& files);

}  // namespace w1_input
