// Sets up a device's buffer through its files, and says how it is set up.
//
// Sources: the kernel's Documentation/iio/iio_devbuf.rst and Documentation/ABI/testing/sysfs-bus-iio.
#pragma once

#include <string>
#include <vector>

#include "device.hpp"
#include "scan.hpp"
#include "shared/sensors/sensor_files.hpp"

namespace iio_input {

struct BufferOptions {
    bool configure = true;       // false: somebody else does, and nothing is written
    std::string trigger;         // by name; "": as it is
    double frequency = 0;        // scans a second; 0: as it is
    std::int64_t length = 0;     // scans that the kernel holds
    std::int64_t watermark = 0;  // scans that wake us
};

class BufferSetup {
  public:
    // Whether the device can capture at all.
    static bool is_possible(sensors::SensorFiles& files, const IioDevice& device);

    // Of a device that can capture.
    BufferSetup(sensors::SensorFiles& files, IioDevice device);

    // Has the selected channels and the timestamp captured, and the capture begin. Throws a system_error,
    // never EINVAL, that says which file was not as it should be and what to do.
    void start(const BufferOptions& options, const sensors::Patterns& channels);
    // Ends the capture; what fails in it is left as it is.
    void stop();

    // Of the capture that runs. Throw as start() does.
    bool is_enabled();
    ScanLayout layout();
    double frequency();  // 0: not known
    std::int64_t length();
    // The channels that can be captured, as their files have it: "voltage0", "timestamp".
    std::vector<std::string> elements();

  private:
    void write(const std::string& file, const std::string& text);
    void set_trigger(const std::string& trigger);
    void set_frequency(double frequency);
    void set_elements(const sensors::Patterns& channels);
    std::vector<std::string> frequency_files();
    std::string trigger_directory(const std::string& name);
    std::string triggers();

    sensors::SensorFiles& files_;
    IioDevice device_;
    // Before 5.11 there is one buffer, in two directories, which later kernels still show beside buffer0.
    std::string scan_directory_;
    std::string buffer_directory_;
};

}  // namespace iio_input
