#include "layout.hpp"

#include <algorithm>
#include <map>

#include "shared/sensors/hwmon_tree.hpp"
#include "shared/sensors/values.hpp"

namespace hwmon_input {

using sensors::channel_word;
using sensors::Device;
using sensors::SensorFiles;

namespace {

// What chips and zones are called in `chips` and in channels when they are no chip.
constexpr const char* zones_chip = "thermal";

struct Kind {
    std::string_view prefix;
    const char* unit;
    double divisor;
};

// Documentation/ABI/testing/sysfs-class-hwmon: millivolts, milliamperes, microwatts, microjoules, thousandths
// of a degree, revolutions per minute, thousandths of a percent; intrusion has an alarm alone.
constexpr Kind kinds[] = {
    {"in", "V", 1e3},     {"curr", "A", 1e3}, {"power", "W", 1e6},      {"energy", "J", 1e6},
    {"temp", "Cel", 1e3}, {"fan", "rpm", 1},  {"humidity", "%RH", 1e3}, {"intrusion", "", 1},
};

struct FoundSensor {
    const Kind* kind;
    std::vector<std::string> items;  // "input", "crit_alarm", ...
};

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

const Kind* kind_of(std::string_view sensor) {
    const std::string_view letters = sensor.substr(0, sensor.find_first_of("0123456789"));
    const std::string_view digits = sensor.substr(letters.size());
    if (digits.empty() || !std::all_of(digits.begin(), digits.end(), is_digit)) return nullptr;
    const auto found =
        std::find_if(std::begin(kinds), std::end(kinds), [&](const Kind& k) { return k.prefix == letters; });
    return found == std::end(kinds) ? nullptr : found;
}

// The chip's sensors by name; list() has temp2_input before temp10_input, but the order does not matter.
std::map<std::string, FoundSensor> find_sensors(SensorFiles& files, const Device& chip) {
    std::map<std::string, FoundSensor> found;
    for (const std::string& file : files.list(chip.directory, "")) {
        const std::size_t bar = file.find('_');
        if (bar == std::string::npos) continue;
        const std::string sensor = file.substr(0, bar);
        const Kind* kind = kind_of(sensor);
        if (kind == nullptr) continue;
        FoundSensor& entry = found.try_emplace(sensor, FoundSensor{kind, {}}).first->second;
        entry.items.push_back(file.substr(bar + 1));
    }
    return found;
}

bool has(const std::vector<std::string>& items, std::string_view item) {
    return std::find(items.begin(), items.end(), item) != items.end();
}

// `channel` is that of the sensor, `place` the beginning of its files' names.
Sensor make_sensor(const FoundSensor& found, const std::string& place, const std::string& channel,
                   bool with_alarms) {
    Sensor sensor;
    const Kind& kind = *found.kind;
    const bool has_input = has(found.items, "input");
    if (has_input) sensor.values.push_back({place + "_input", channel, kind.unit, kind.divisor});
    // Some power meters know nothing but the average.
    if (has(found.items, "average"))
        sensor.values.push_back(
            {place + "_average", has_input ? channel + ".average" : channel, kind.unit, kind.divisor});
    for (const std::string& item : found.items) {
        if (item == "enable") sensor.enable_file = place + "_enable";
        if (item == "fault") sensor.faults.push_back({place + "_fault", channel + ".fault"});
        if (with_alarms && (item == "alarm" || item.ends_with("_alarm")))
            sensor.alarms.push_back({place + "_" + item, channel + "." + item});
    }
    return sensor;
}

bool is_empty(const Sensor& sensor) {
    return sensor.values.empty() && sensor.faults.empty() && sensor.alarms.empty();
}

// Labels are the board's: two sensors of a chip may have the same one, and then their own names tell them
// apart.
void add_chip(SensorFiles& files, const Device& chip, const std::string& word, const Selection& selection,
              std::vector<Sensor>& sensors) {
    const auto found = find_sensors(files, chip);
    std::map<std::string, int> uses;
    std::map<std::string, std::string> labels;
    for (const auto& [name, unused] : found) {
        labels[name] = sensors::sensor_label(files, chip, name);
        ++uses[channel_word(labels[name])];
    }
    for (const auto& [name, entry] : found) {
        const std::string& label = labels[name];
        std::string channel = word + "." + channel_word(label);
        if (uses[channel_word(label)] > 1) channel += "_" + name;
        if (!selection.sensors.select({label, name, channel})) continue;
        Sensor sensor = make_sensor(entry, chip.directory + "/" + name, channel, selection.alarms);
        if (!is_empty(sensor)) sensors.push_back(std::move(sensor));
    }
}

std::vector<Device> as_devices(const std::vector<sensors::ThermalZone>& zones) {
    std::vector<Device> devices;
    for (const sensors::ThermalZone& zone : zones)
        devices.push_back({zone.directory, zone.directory + "/device", zone.type, ""});
    return devices;
}

bool takes_chip(const sensors::Patterns& chosen, const Device& chip, const std::string& word) {
    return sensors::converts_when_read(chip) ? chosen.select_by_name({chip.name, chip.label, word})
                                             : chosen.select({chip.name, chip.label, word});
}

void add_zones(SensorFiles& files, const std::vector<sensors::ThermalZone>& zones, const Selection& selection,
               std::vector<Sensor>& sensors) {
    const std::vector<Device> devices = as_devices(zones);
    const auto words = sensors::device_words(files, devices, selection.naming);
    for (std::size_t i = 0; i < zones.size(); ++i) {
        const std::string channel = std::string(zones_chip) + "." + words[i];
        if (!selection.sensors.select({zones[i].type, channel})) continue;
        Sensor sensor;
        sensor.values.push_back({zones[i].directory + "/temp", channel, "Cel", 1e3});
        sensors.push_back(std::move(sensor));
    }
}

}  // namespace

std::string present_devices(SensorFiles& files) {
    std::vector<Device> devices = sensors::hwmon_chips(files);
    const auto zones = as_devices(sensors::thermal_zones(files));
    devices.insert(devices.end(), zones.begin(), zones.end());
    return sensors::list_of(devices);
}

Layout read_layout(SensorFiles& files, const Selection& selection) {
    Layout layout{present_devices(files), {}};
    const auto zones = sensors::thermal_zones(files);
    const bool takes_zones = selection.chips.select({zones_chip});
    const auto chips = sensors::hwmon_chips(files);
    const auto words = sensors::device_words(files, chips, selection.naming);
    for (std::size_t i = 0; i < chips.size(); ++i) {
        if (takes_zones && sensors::shows_a_zone(chips[i], zones)) continue;
        if (takes_chip(selection.chips, chips[i], words[i]))
            add_chip(files, chips[i], words[i], selection, layout.sensors);
    }
    if (takes_zones) add_zones(files, zones, selection, layout.sensors);
    return layout;
}

}  // namespace hwmon_input
