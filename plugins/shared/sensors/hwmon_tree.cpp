#include "shared/sensors/hwmon_tree.hpp"

#include <algorithm>
#include <cstdint>

#include "shared/sensors/text.hpp"

namespace sensors {

std::vector<ThermalZone> thermal_zones(SensorFiles& files) {
    std::vector<ThermalZone> zones;
    for (const std::string& zone : files.list("/sys/class/thermal", "thermal_zone")) {
        std::string directory = "/sys/class/thermal/" + zone;
        if (const auto type = files.read_word({directory, "/type"}))
            zones.push_back({std::move(directory), std::string(*type)});
    }
    return zones;
}

std::vector<Device> hwmon_chips(SensorFiles& files) {
    std::vector<Device> chips;
    for (const std::string& chip : files.list("/sys/class/hwmon", "hwmon")) {
        const std::string directory = "/sys/class/hwmon/" + chip;
        std::string name(files.read_word({directory, "/name"}).value_or("hwmon"));
        std::string label(files.read_word({directory, "/label"}).value_or(""));
        chips.push_back({directory, directory + "/device", std::move(name), std::move(label)});
    }
    return chips;
}

bool shows_a_zone(const Device& chip, const std::vector<ThermalZone>& zones) {
    return std::any_of(zones.begin(), zones.end(), [&](const ThermalZone& zone) {
        // Named so by drivers/thermal/thermal_hwmon.c.
        std::string shown = zone.type;
        std::replace(shown.begin(), shown.end(), '-', '_');
        return shown == chip.name;
    });
}

bool converts_when_read(const Device& chip) {
    return chip.name == "w1_slave_temp";
}

std::string sensor_label(SensorFiles& files, const Device& chip, std::string_view sensor) {
    return std::string(files.read_word({chip.directory, "/", sensor, "_label"}).value_or(sensor));
}

std::optional<double> read_scaled(SensorFiles& files, Parts file, double divisor) {
    const auto text = files.read_word(file);
    if (!text) return std::nullopt;
    const auto number = to_number<std::int64_t>(*text);
    if (!number) return std::nullopt;
    return static_cast<double>(*number) / divisor;
}

}  // namespace sensors
