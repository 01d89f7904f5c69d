// Names of devices that are the same after each boot, as the kernel's numbers (hwmon3, iio:device0) are not.
#pragma once

#include <string>
#include <vector>

#include "shared/sensors/sensor_files.hpp"

namespace sensors {

struct Device {
    std::string directory;  // below the sensor root: "/sys/class/hwmon/hwmon3"
    std::string hardware;   // the directory of what it is part of; may be a link, or not there
    std::string name;       // what its driver calls it
    std::string label;      // what the board's description calls it; often empty
};

enum class Naming { short_where_unique, always_long };

// The kernel's numbers of the devices and their names: "hwmon0 coretemp, hwmon1 nvme".
std::string list_of(const std::vector<Device>& devices);

// Where the device sits on its bus ("1-0048", "0000:01:00.0", "coretemp.0"); empty when nothing says so.
std::string bus_id(SensorFiles& files, const Device& device);

// A channel word for each device: its name, and where two have the same one, the name with the label behind
// it, or with the bus id. Those that even so are the same are numbered in the given order.
std::vector<std::string> device_words(SensorFiles& files, const std::vector<Device>& devices, Naming naming);

}  // namespace sensors
