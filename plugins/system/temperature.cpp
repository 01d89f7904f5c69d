// Temperatures: thermal zones and hardware monitors of /sys/class.
#include "shared/sensors/hwmon_tree.hpp"
#include "source.hpp"

namespace system_input {

namespace {

class Temperature final : public Source {
    void sample(SensorFiles& files, double, Values& values) override {
        names_.clear();
        const auto zones = sensors::thermal_zones(files);
        for (const sensors::ThermalZone& zone : zones)
            put(files, names_.make(zone.type), {zone.directory, "/temp"}, values);
        for (const sensors::Device& chip : sensors::hwmon_chips(files))
            if (!sensors::shows_a_zone(chip, zones) && !sensors::converts_when_read(chip))
                read_chip(files, chip, values);
    }

    void read_chip(SensorFiles& files, const sensors::Device& chip, Values& values) {
        const std::string name = names_.make(chip.name);
        for (const std::string& file : files.list(chip.directory, "temp")) {
            constexpr std::string_view ending = "_input";
            if (!file.ends_with(ending)) continue;
            const std::string sensor = file.substr(0, file.size() - ending.size());
            const std::string label = sensors::sensor_label(files, chip, sensor);
            put(files, name + "." + channel_word(label), {chip.directory, "/", file}, values);
        }
    }

    static void put(SensorFiles& files, const std::string& name, Parts file, Values& values) {
        if (const auto temperature = sensors::read_scaled(files, file, 1000))
            values.set({"temperature.", name}, "Cel", *temperature);
    }

    UniqueNames names_;
};

}  // namespace

std::unique_ptr<Source> make_temperature(const Selection&) {
    return std::make_unique<Temperature>();
}

}  // namespace system_input
