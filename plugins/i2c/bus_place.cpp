#include "bus_place.hpp"

#include <algorithm>
#include <string_view>
#include <vector>

#include <holdfast/plugin.hpp>

#include "shared/sensors/sensor_files.hpp"

namespace i2c_input {

using holdfast::plugin::fail;
using sensors::SensorFiles;

namespace {

constexpr std::string_view devices = "/sys/bus/i2c/devices";

bool is_number(std::string_view text) {
    return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

// The buses that the kernel has, as names: i2c-0, i2c-1, ...
std::vector<std::string> bus_names(SensorFiles& files) {
    std::vector<std::string> names;
    for (const std::string_view directory : {devices, std::string_view("/dev")})
        for (std::string& name : files.list(directory, "i2c-"))
            if (is_number(std::string_view(name).substr(4)) &&
                std::find(names.begin(), names.end(), name) == names.end())
                names.push_back(std::move(name));
    return names;
}

BusPlace place_of(SensorFiles& files, const std::string& name) {
    std::string adapter(files.read_word({devices, "/", name, "/name"}).value_or(""));
    return {files.path({"/dev/", name}), name, std::move(adapter), name.substr(4)};
}

[[noreturn]] void refuse(SensorFiles& files, const std::string& bus, const std::vector<std::string>& known) {
    std::string text = "there is no I2C bus '" + bus + "'";
    constexpr const char* hint = ": is it switched on (dtparam=i2c_arm=on), and the module i2c-dev loaded?";
    if (known.empty()) fail(ENODEV, text + ", nor any other" + hint);
    text += ", only ";
    for (const std::string& name : known)
        text += (&name == &known.front() ? "" : ", ") + name + " (" + place_of(files, name).adapter + ")";
    fail(ENODEV, text);
}

}  // namespace

BusPlace find_bus(const std::string& root, const std::string& bus) {
    SensorFiles files(root);
    const auto known = bus_names(files);
    if (bus.starts_with("/")) {
        BusPlace place = place_of(files, bus.starts_with("/dev/i2c-") ? bus.substr(5) : "i2c-");
        place.node = root + bus;
        place.name = bus;
        if (!files.exists({bus})) refuse(files, bus, known);
        return place;
    }
    const std::string name = is_number(bus) ? "i2c-" + bus : bus;
    if (std::find(known.begin(), known.end(), name) != known.end()) return place_of(files, name);
    std::vector<BusPlace> found;
    for (const std::string& each : known)
        if (BusPlace place = place_of(files, each); place.adapter == bus) found.push_back(std::move(place));
    if (found.empty()) refuse(files, bus, known);
    if (found.size() > 1)
        fail(ENOTUNIQ, "the buses " + found[0].name + " and " + found[1].name + " are both called '" + bus +
                           "': say which by its number");
    return found.front();
}

std::string driver_at(const std::string& root, const BusPlace& bus, std::uint16_t address) {
    // The kernel names a device after its bus and four digits of its address (i2c_dev_set_name()).
    constexpr std::string_view digits = "0123456789abcdef";
    std::string device = bus.number + "-00";
    device += digits[address >> 4 & 15];
    device += digits[address & 15];
    const auto driver = SensorFiles(root).link_target({devices, "/", device, "/driver"});
    return driver ? driver->substr(driver->rfind('/') + 1) : "";
}

}  // namespace i2c_input
