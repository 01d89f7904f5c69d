// Reads the channels' files, once a sample: one reading with all selected channels of all selected devices.
//
// A channel that can't be read is left out of the reading and counted; the sample fails when none can.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <holdfast/plugin.hpp>

#include "device.hpp"
#include "shared/sensors/sensor_files.hpp"
#include "shared/sensors/values.hpp"

namespace iio_input {

class Poller {
  public:
    Poller(holdfast::plugin::Host host, sensors::SensorFiles& files, const Selection& selection);
    // Throws ENODEV when there is no channel that the options select.
    int sample();

  private:
    struct Input {
        std::string file;
        std::string channel;
        Quantity quantity;
        std::optional<std::string> offset_file;  // of raw values, where there are any
        std::optional<std::string> scale_file;
        bool is_raw;
    };

    void look_for_devices();
    void add_device(const IioDevice& device);
    void read(const Input& input);
    // 0 or 1, whichever changes nothing, where there is no file; none when it can't be read, which is
    // counted.
    std::optional<double> read_factor(const std::optional<std::string>& file, double without);
    void count_failure(const std::string& file);

    holdfast::plugin::Host host_;
    sensors::SensorFiles& files_;
    const Selection& selection_;
    std::string devices_;  // what inputs_ was made from
    std::vector<Input> inputs_;
    sensors::Values values_;
};

}  // namespace iio_input
