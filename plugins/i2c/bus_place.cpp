#include "bus_place.hpp"

#include <dirent.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <memory>
#include <string_view>
#include <vector>

#include <holdfast/plugin.hpp>

namespace i2c_input {

using holdfast::plugin::fail;

namespace {

constexpr const char* devices = "/sys/bus/i2c/devices/";

bool is_number(std::string_view text) {
    return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

std::string first_line(const std::string& path) {
    std::ifstream file(path);
    std::string line;
    std::getline(file, line);
    return line;
}

// The buses that the kernel has, as names: i2c-0, i2c-1, ...
std::vector<std::string> bus_names(const std::string& root) {
    std::vector<std::string> names;
    for (const char* directory : {devices, "/dev"}) {
        const std::unique_ptr<DIR, int (*)(DIR*)> dir(::opendir((root + directory).c_str()), ::closedir);
        while (const dirent* entry = dir ? ::readdir(dir.get()) : nullptr)
            if (std::string_view(entry->d_name).starts_with("i2c-") && is_number(entry->d_name + 4))
                names.emplace_back(entry->d_name);
    }
    std::sort(names.begin(), names.end());
    names.erase(std::unique(names.begin(), names.end()), names.end());
    return names;
}

BusPlace place_of(const std::string& root, const std::string& name) {
    return {root + "/dev/" + name, name, first_line(root + devices + name + "/name"), name.substr(4)};
}

[[noreturn]] void refuse(const std::string& root, const std::string& bus,
                         const std::vector<std::string>& known) {
    std::string text = "there is no I2C bus '" + bus + "'";
    constexpr const char* hint = ": is it switched on (dtparam=i2c_arm=on), and the module i2c-dev loaded?";
    if (known.empty()) fail(ENODEV, text + ", nor any other" + hint);
    text += ", only ";
    for (const std::string& name : known)
        text += (&name == &known.front() ? "" : ", ") + name + " (" + place_of(root, name).adapter + ")";
    fail(ENODEV, text);
}

}  // namespace

BusPlace find_bus(const std::string& root, const std::string& bus) {
    const auto known = bus_names(root);
    if (bus.starts_with("/")) {
        BusPlace place = place_of(root, bus.starts_with("/dev/i2c-") ? bus.substr(5) : "i2c-");
        place.node = root + bus;
        place.name = bus;
        if (::access(place.node.c_str(), F_OK) != 0) refuse(root, bus, known);
        return place;
    }
    const std::string name = is_number(bus) ? "i2c-" + bus : bus;
    if (std::find(known.begin(), known.end(), name) != known.end()) return place_of(root, name);
    std::vector<BusPlace> found;
    for (const std::string& each : known)
        if (BusPlace place = place_of(root, each); place.adapter == bus) found.push_back(std::move(place));
    if (found.empty()) refuse(root, bus, known);
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
    char target[4096];
    const std::string link = root + devices + device + "/driver";
    const ssize_t length = ::readlink(link.c_str(), target, sizeof target);
    if (length <= 0) return "";
    const std::string_view path(target, static_cast<std::size_t>(length));
    return std::string(path.substr(path.rfind('/') + 1));
}

}  // namespace i2c_input
