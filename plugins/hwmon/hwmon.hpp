// The `hwmon` input: one reading per sample with all selected sensors of the board.
//
// Chips come and go: what there is, is looked at before each sample. A sensor that can't be read is left out
// of the reading and counted; the sample fails when none can.
#pragma once

#include <optional>

#include <holdfast/plugin.hpp>

#include "layout.hpp"
#include "shared/sensors/sensor_files.hpp"
#include "shared/sensors/values.hpp"

namespace hwmon_input {

class Hwmon {
  public:
    static constexpr bool opens_without_device = true;
    // Throws EINVAL when a pattern is empty.
    explicit Hwmon(holdfast::plugin::Host host);
    // Throws ENODEV when there is no sensor that the options select.
    int sample();

  private:
    void look_for_devices();
    void read_sensor(const Sensor& sensor);
    // What the file says; none when it can't be read, which is then counted.
    std::optional<bool> read_flag(const Flag& flag);
    void count_failure(const std::string& file);

    holdfast::plugin::Host host_;
    sensors::SensorFiles files_;
    Selection selection_;
    Layout layout_;
    sensors::Values values_;
    bool failed_ = false;  // something was counted, or found gone, in this sample
};

}  // namespace hwmon_input
