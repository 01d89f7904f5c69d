// The `iio` input: converters, thermometers, barometers, light, motion and whatever else the kernel's
// industrial I/O reads. In mode `poll` the channels' files are read once an interval; in mode `buffer` the
// kernel captures at the pace of a trigger, and each scan is a reading.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include <holdfast/plugin.hpp>

#include "buffer_setup.hpp"
#include "capture.hpp"
#include "device.hpp"
#include "poller.hpp"
#include "shared/sensors/sensor_files.hpp"
#include "timestamps.hpp"

namespace iio_input {

class Iio {
  public:
    static constexpr bool opens_without_device = true;
    // Throws EINVAL when an option is out of range.
    explicit Iio(holdfast::plugin::Host host, holdfast::plugin::Clock clock = holdfast::plugin::clock_ns);
    Iio(const Iio&) = delete;
    Iio& operator=(const Iio&) = delete;
    ~Iio();

    // Polls; or looks for devices that are not captured yet, and begins with them.
    int sample();
    // A capture has scans, or its device is gone.
    void ready(int fd, std::uint32_t events);

  private:
    int look_for_captures();
    bool runs(const IioDevice& device);
    void end_capture(int fd);

    holdfast::plugin::Host host_;
    holdfast::plugin::Clock clock_;
    sensors::SensorFiles files_;
    Selection selection_;
    BufferOptions options_;
    std::optional<Poller> poller_;
    std::vector<std::unique_ptr<Capture>> captures_;
};

}  // namespace iio_input
