// Which files of /sys/class/hwmon and /sys/class/thermal are read, and the channels they go to.
#pragma once

#include <string>
#include <vector>

#include "shared/sensors/device_names.hpp"
#include "shared/sensors/patterns.hpp"
#include "shared/sensors/sensor_files.hpp"

namespace hwmon_input {

// A measured value: the number in the file over `divisor` is in `unit`.
struct Measured {
    std::string file;
    std::string channel;
    const char* unit;
    double divisor;
};

// 0 or 1.
struct Flag {
    std::string file;
    std::string channel;
};

struct Sensor {
    std::string enable_file;  // 0 in it: the sensor is switched off; empty where there is none
    std::vector<Flag> faults;
    std::vector<Flag> alarms;
    std::vector<Measured> values;
};

struct Selection {
    sensors::Patterns chips;
    sensors::Patterns sensors;
    sensors::Naming naming;
    bool alarms;
};

struct Layout {
    std::string devices;  // what `sensors` was made from: see present_devices()
    std::vector<Sensor> sensors;
};

// The chips and zones that there are now, in one text: a layout is good for as long as this is the same.
std::string present_devices(sensors::SensorFiles& files);

Layout read_layout(sensors::SensorFiles& files, const Selection& selection);

}  // namespace hwmon_input
