#include "shared/sensors/device_names.hpp"

#include <algorithm>

#include "shared/sensors/values.hpp"

namespace sensors {

namespace {

// Documentation/admin-guide/sysfs-rules.rst: `subsystem` leads to /sys/bus/... for a device that sits on a
// bus, and to /sys/class/... for one that a driver made up (nvme0, input3), which has a number of no meaning.
bool sits_on_a_bus(SensorFiles& files, const std::string& directory) {
    const auto subsystem = files.link_target({directory, "/subsystem"});
    return subsystem && subsystem->find("/bus/") != std::string::npos;
}

std::string last_part(const std::string& path) {
    return path.substr(path.rfind('/') + 1);
}

}  // namespace

std::string list_of(const std::vector<Device>& devices) {
    std::string list;
    for (const Device& device : devices)
        list += (list.empty() ? "" : ", ") + last_part(device.directory) + " " + device.name;
    return list;
}

std::string bus_id(SensorFiles& files, const Device& device) {
    const auto start = files.resolve({device.hardware});
    if (!start) return "";
    for (std::string path = *start; path.find('/', 1) != std::string::npos; path.erase(path.rfind('/')))
        if (sits_on_a_bus(files, path)) return last_part(path);
    return start->find("/virtual/") == std::string::npos ? last_part(*start) : "";
}

std::vector<std::string> device_words(SensorFiles& files, const std::vector<Device>& devices, Naming naming) {
    UniqueNames unique;
    std::vector<std::string> words;
    for (const Device& device : devices) {
        const auto same = std::count_if(devices.begin(), devices.end(), [&](const Device& other) {
            return channel_word(other.name) == channel_word(device.name);
        });
        std::string name = device.name;
        if (same > 1 || naming == Naming::always_long) {
            const std::string place = device.label.empty() ? bus_id(files, device) : device.label;
            if (!place.empty()) name += "_" + place;
        }
        words.push_back(unique.make(name));
    }
    return words;
}

}  // namespace sensors
