// The devices below /sys/bus/iio/devices, their channels, and what makes a raw number a value.
//
// Source: the kernel's Documentation/ABI/testing/sysfs-bus-iio and the names that
// drivers/iio/industrialio-core.c gives to the files of a channel.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "quantity.hpp"
#include "shared/sensors/device_names.hpp"
#include "shared/sensors/patterns.hpp"
#include "shared/sensors/sensor_files.hpp"

namespace iio_input {

// (raw + offset) * scale, in the unit of the kernel's interface, and from there in ours.
struct Conversion {
    Quantity quantity;
    double offset = 0;
    double scale = 1;
    double apply(double raw) const { return (raw + offset) * scale * quantity.multiply / quantity.divide; }
};

struct Selection {
    sensors::Patterns devices;
    sensors::Patterns channels;
    sensors::Naming naming;
};

// A selected device.
struct IioDevice {
    std::string directory;  // "/sys/bus/iio/devices/iio:device0"
    std::string number;     // "iio:device0", as in /dev
    std::string word;       // in channels
};

// All devices that there are, in one text: "iio:device0 bme280, iio:device1 ads1015".
std::string present_devices(sensors::SensorFiles& files);
std::vector<IioDevice> find_devices(sensors::SensorFiles& files, const Selection& selection);

// Channel names of the device by their names in files ("voltage0"): those of `names` that are selected. A
// channel goes by its label, or by its name in files, which follows the label where two have the same.
std::map<std::string, std::string> select_channels(sensors::SensorFiles& files, const IioDevice& device,
                                                   const std::vector<std::string>& names,
                                                   const sensors::Patterns& channels);

// The file that holds the channel's own `scale` or `offset`, or the one that it shares with its type or with
// all; none when there is none.
std::optional<std::string> find_attribute(sensors::SensorFiles& files, const IioDevice& device,
                                          std::string_view channel, std::string_view attribute);

}  // namespace iio_input
