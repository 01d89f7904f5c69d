#include "bus.hpp"

#include <algorithm>

namespace w1_input {

namespace {

constexpr const char* devices = "/sys/bus/w1/devices";

// A device lies in the directory of its master: .../w1_bus_master1/28-000005e2fdc3.
std::string master_of(sensors::SensorFiles& files, const std::string& directory) {
    const auto place = files.resolve({directory});
    if (!place) return "";
    const std::string parent = place->substr(0, place->rfind('/'));
    const std::string name = parent.substr(parent.rfind('/') + 1);
    return name.starts_with("w1_bus_master") ? parent : "";
}

}  // namespace

bool is_thermometer_id(std::string_view id) {
    constexpr std::string_view families[] = {"10", "22", "28", "3b", "42"};
    if (id.size() != 15 || id[2] != '-') return false;
    const auto is_digit = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
    return std::find(std::begin(families), std::end(families), id.substr(0, 2)) != std::end(families) &&
           std::all_of(id.begin() + 3, id.end(), is_digit);
}

std::vector<Bus> find_buses(sensors::SensorFiles& files) {
    std::vector<Bus> buses;
    for (std::string& id : files.list(devices, "")) {
        if (!is_thermometer_id(id)) continue;
        const std::string directory = std::string(devices) + "/" + id;
        const std::string master = master_of(files, directory);
        auto bus =
            std::find_if(buses.begin(), buses.end(), [&](const Bus& b) { return b.directory == master; });
        if (bus == buses.end()) bus = buses.insert(bus, Bus{master, {}});
        bus->thermometers.push_back({std::move(id), directory});
    }
    return buses;
}

}  // namespace w1_input
