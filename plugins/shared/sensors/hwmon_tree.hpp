// What /sys/class/hwmon and /sys/class/thermal hold: chips, their sensors' labels, thermal zones.
//
// Sources: the kernel's Documentation/ABI/testing/sysfs-class-hwmon, Documentation/hwmon/sysfs-interface.rst
// and Documentation/ABI/testing/sysfs-class-thermal.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "shared/sensors/device_names.hpp"
#include "shared/sensors/sensor_files.hpp"

namespace sensors {

struct ThermalZone {
    std::string directory;
    std::string type;
};

// In the order of the kernel's numbers; what has no type or name is left out of the zones, and is "hwmon"
// among the chips.
std::vector<ThermalZone> thermal_zones(SensorFiles& files);
std::vector<Device> hwmon_chips(SensorFiles& files);

// Whether the chip only shows a thermal zone again.
bool shows_a_zone(const Device& chip, const std::vector<ThermalZone>& zones);

// Whether each read of the chip's temperature takes three quarters of a second, as it makes a 1-Wire
// thermometer convert (drivers/w1/slaves/w1_therm.c): such are for the w1 input, which has all of a bus
// convert at once.
bool converts_when_read(const Device& chip);

// What the driver or the board's description calls the sensor ("temp1"); the sensor's own name where neither
// does.
std::string sensor_label(SensorFiles& files, const Device& chip, std::string_view sensor);

// The whole number in the file over `divisor`; none when there is no such file, no reading (files.error() is
// not 0 then), or no number in it.
std::optional<double> read_scaled(SensorFiles& files, Parts file, double divisor);

}  // namespace sensors
