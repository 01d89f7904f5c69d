// A running capture of one device: scans from /dev/iio:deviceN, each a reading of the time that the kernel
// gave it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <holdfast/plugin.hpp>

#include "buffer_setup.hpp"
#include "device.hpp"
#include "scan.hpp"
#include "shared/device/fd.hpp"
#include "timestamps.hpp"

namespace iio_input {

class Capture {
  public:
    // Sets the device up as the options say and begins. Throws a system_error: ENODEV when the device is
    // gone.
    Capture(holdfast::plugin::Host host, sensors::SensorFiles& files, const IioDevice& device,
            const Selection& selection, const BufferOptions& options, holdfast::plugin::Clock clock);
    Capture(const Capture&) = delete;
    Capture& operator=(const Capture&) = delete;
    // Ends the capture, where it was set up here.
    ~Capture();

    int fd() const { return fd_.get(); }
    const std::string& number() const { return device_.number; }
    // Whether the device still captures, and what it did at the beginning: anybody who may write its files
    // can switch its buffer off, which ends the scans without a word.
    bool is_as_begun();
    // Takes what the kernel holds, up to as much as it can hold, and emits a reading a scan. Throws ENODEV
    // when the device is gone.
    void take();

  private:
    struct Output {
        const Element* element;
        Conversion conversion;
        std::vector<holdfast::plugin::Channel<double>> channels;  // one for each time it is repeated
    };

    void open_device();
    void make_outputs(const sensors::Patterns& channels);
    bool clock_was_set();
    void take_scan(std::span<const std::uint8_t> scan, std::int64_t behind);
    void put_lost(std::int64_t lost);
    void report_losses(std::size_t scans);

    holdfast::plugin::Host host_;
    sensors::SensorFiles& files_;
    IioDevice device_;
    bool configured_;
    holdfast::plugin::Clock clock_;
    BufferSetup setup_;
    device::Fd fd_;

    ScanLayout layout_;
    std::vector<Output> outputs_;
    const Element* timestamp_ = nullptr;
    clockid_t timestamp_clock_ = CLOCK_REALTIME;
    std::int64_t clock_ahead_ns_ = 0;  // of the time since boot
    bool mixed_times_ = false;         // in what is being taken: they tell neither ages nor losses
    double frequency_ = 0;
    std::size_t most_scans_ = 0;  // that the kernel holds

    LostScans lost_{0};
    std::int64_t lost_total_ = 0;
    std::int64_t lost_now_ = 0;  // in what is being taken
    std::optional<holdfast::plugin::Channel<std::int64_t>> lost_channel_;

    std::vector<std::uint8_t> bytes_;
    std::size_t held_ = 0;  // the beginning of a scan, from the read before
    holdfast::plugin::Reading reading_;
};

}  // namespace iio_input
