// Temperatures: thermal zones and hardware monitors of /sys/class.
#include <algorithm>

#include "source.hpp"
#include "text.hpp"

namespace system_input {

namespace {

class Temperature final : public Source {
    void sample(SensorFiles& files, double, Values& values) override {
        names_.clear();
        zones_.clear();
        for (const std::string& zone : files.list("/sys/class/thermal", "thermal_zone"))
            read_zone(files, "/sys/class/thermal/" + zone, values);
        for (const std::string& monitor : files.list("/sys/class/hwmon", "hwmon"))
            read_monitor(files, "/sys/class/hwmon/" + monitor, values);
    }

    void read_zone(SensorFiles& files, const std::string& directory, Values& values) {
        const auto type = files.read_word({directory, "/type"});
        if (!type) return;
        const std::string name = names_.make(*type);
        std::string monitor(*type);
        std::replace(monitor.begin(), monitor.end(), '-', '_');
        zones_.push_back(std::move(monitor));
        put(files, name, {directory, "/temp"}, values);
    }

    void read_monitor(SensorFiles& files, const std::string& directory, Values& values) {
        const std::string device(files.read_word({directory, "/name"}).value_or("hwmon"));
        // The kernel shows thermal zones as monitors, too, named so (drivers/thermal/thermal_hwmon.c).
        if (std::find(zones_.begin(), zones_.end(), device) != zones_.end()) return;
        const std::string name = names_.make(device);
        for (const std::string& file : files.list(directory, "temp")) {
            constexpr std::string_view ending = "_input";
            if (!file.ends_with(ending)) continue;
            const std::string sensor = file.substr(0, file.size() - ending.size());
            const std::string label(files.read_word({directory, "/", sensor, "_label"}).value_or(sensor));
            put(files, name + "." + channel_word(label), {directory, "/", file}, values);
        }
    }

    static void put(SensorFiles& files, const std::string& name, Parts file, Values& values) {
        const auto text = files.read_word(file);
        if (!text) return;
        if (const auto thousandths = to_number<std::int64_t>(*text))
            values.set({"temperature.", name}, "Cel", static_cast<double>(*thousandths) / 1000);
    }

    UniqueNames names_;
    std::vector<std::string> zones_;  // their types as a monitor's name has them
};

}  // namespace

std::unique_ptr<Source> make_temperature() {
    return std::make_unique<Temperature>();
}

}  // namespace system_input
