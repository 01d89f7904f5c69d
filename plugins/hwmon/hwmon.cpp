#include "hwmon.hpp"

#include <errno.h>
#include <string.h>

#include "shared/sensors/hwmon_tree.hpp"

namespace hwmon_input {

namespace plugin = holdfast::plugin;

Hwmon::Hwmon(plugin::Host host)
    : host_(host),
      files_(host.sensor_root()),
      selection_{sensors::Patterns("chips", host.list("chips")),
                 sensors::Patterns("sensors", host.list("sensors")),
                 host.boolean("bus_ids") ? sensors::Naming::always_long : sensors::Naming::short_where_unique,
                 host.boolean("alarms")},
      values_(host) {}

int Hwmon::sample() {
    look_for_devices();
    values_.clear();
    failed_ = false;
    for (const Sensor& sensor : layout_.sensors)
        read_sensor(sensor);
    if (values_.reading().empty()) {
        if (!failed_)
            plugin::fail(ENODATA, "all selected sensors are switched off: write 1 to their _enable");
        return layout_.devices.empty() ? -ENODEV : -EIO;
    }
    host_.emit(values_.reading());
    return 0;
}

void Hwmon::look_for_devices() {
    if (layout_.devices.empty() || layout_.devices != present_devices(files_))
        layout_ = read_layout(files_, selection_);
    if (!layout_.sensors.empty()) return;
    if (layout_.devices.empty())
        plugin::fail(ENODEV, "there is no chip below " + files_.name_of({"/sys/class/hwmon"}) +
                                 " and no zone below " + files_.name_of({"/sys/class/thermal"}) +
                                 ": is the driver loaded?");
    plugin::fail(ENODEV, "`chips` and `sensors` select no sensor of " + layout_.devices);
}

void Hwmon::read_sensor(const Sensor& sensor) {
    if (!sensor.enable_file.empty() && files_.read_word({sensor.enable_file}) == "0") return;
    bool trusted = true;
    for (const Flag& fault : sensor.faults)
        if (const auto set = read_flag(fault)) {
            values_.set({fault.channel}, "", *set);
            // Documentation/hwmon/sysfs-interface.rst, "Alarms": with a fault the measurement is not to be
            // trusted.
            trusted = trusted && !*set;
        }
    for (const Flag& alarm : sensor.alarms)
        if (const auto set = read_flag(alarm)) values_.set({alarm.channel}, "", *set);
    if (!trusted) return;
    for (const Measured& value : sensor.values) {
        if (const auto number = sensors::read_scaled(files_, {value.file}, value.divisor))
            values_.set({value.channel}, value.unit, *number);
        else
            count_failure(value.file);
    }
}

std::optional<bool> Hwmon::read_flag(const Flag& flag) {
    const auto number = sensors::read_scaled(files_, {flag.file}, 1);
    if (!number) {
        count_failure(flag.file);
        return std::nullopt;
    }
    return *number != 0;
}

void Hwmon::count_failure(const std::string& file) {
    const int error = files_.error();
    failed_ = true;
    if (error == ENOENT || error == ENODEV) {
        // The chip was unplugged, or its driver unloaded, since we looked: no failure of a sensor.
        layout_.devices.clear();
        return;
    }
    host_.error(files_.path({file}) + ": " + (error == 0 ? "holds no number" : ::strerror(error)));
}

}  // namespace hwmon_input
