#include "capture.hpp"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "shared/sensors/text.hpp"

namespace iio_input {

namespace plugin = holdfast::plugin;

namespace {

constexpr const char* timestamp = "timestamp";
constexpr std::size_t most_read_bytes = 256 * 1024;
// Coarse clocks go in ticks of up to 10 ms; what sets a clock instead of slewing it does so by far more.
constexpr std::int64_t least_step_ns = 20'000'000;

}  // namespace

Capture::Capture(plugin::Host host, sensors::SensorFiles& files, const IioDevice& device,
                 const Selection& selection, const BufferOptions& options, plugin::Clock clock)
    : host_(host),
      files_(files),
      device_(device),
      configured_(options.configure),
      clock_(clock),
      setup_(files, device) {
    open_device();
    try {
        if (configured_) setup_.start(options, selection.channels);
        if (!configured_ && !setup_.is_enabled())
            plugin::fail(
                EIO, device_.word + ": its buffer is off, though configure = false says that it was set up");
        layout_ = setup_.layout();
        make_outputs(selection.channels);
        frequency_ = setup_.frequency();
        lost_ = LostScans(frequency_);
        most_scans_ = static_cast<std::size_t>(std::max<std::int64_t>(setup_.length(), 1));
        const std::size_t most = std::max<std::size_t>(most_read_bytes / layout_.bytes, 1);
        bytes_.resize(layout_.bytes * std::min(most_scans_, most));
    } catch (...) {
        if (configured_) setup_.stop();
        throw;
    }
}

Capture::~Capture() {
    if (configured_) setup_.stop();
}

bool Capture::is_as_begun() {
    try {
        return setup_.is_enabled() && setup_.layout() == layout_;
    } catch (const std::system_error&) {
        return false;
    }
}

void Capture::open_device() {
    const std::string path = files_.path({"/dev/", device_.number});
    fd_ = device::Fd(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
    if (fd_.get() >= 0) return;
    const int error = errno;
    const char* advice = "";
    if (error == EBUSY) advice = ": another program has it open";
    if (error == EACCES || error == EPERM) advice = ": the package holdfast-bus-iio opens it to the service";
    if (error == ENOENT) advice = ": the package holdfast-bus-iio shows it to the service";
    plugin::fail(error == ENOENT || error == ENXIO ? ENODEV : error,
                 path + ": " + ::strerror(error) + advice);
}

void Capture::make_outputs(const sensors::Patterns& channels) {
    std::vector<std::string> names;
    for (const Element& element : layout_.elements)
        if (element.name != timestamp) names.push_back(element.name);
    const auto selected = select_channels(files_, device_, names, channels);
    for (const Element& element : layout_.elements) {
        if (element.name == timestamp) timestamp_ = &element;
        const auto found = selected.find(element.name);
        if (element.name == timestamp || found == selected.end()) continue;
        Output output{&element, {quantity_of(element.name), 0, 1}, {}};
        const auto factor = [&](const char* attribute) -> std::optional<double> {
            const auto file = find_attribute(files_, device_, element.name, attribute);
            return file ? sensors::to_number<double>(files_.read_word({*file}).value_or("")) : std::nullopt;
        };
        output.conversion.offset = factor("offset").value_or(0);
        const auto scale = factor("scale");
        output.conversion.scale = scale.value_or(1);
        // Without a scale the number is the converter's own, in no unit.
        if (!scale) output.conversion.quantity = {"", "", 1, 1};
        for (unsigned i = 0; i < element.type.repeat; ++i) {
            const std::string each = element.type.repeat > 1 ? "." + std::to_string(i) : "";
            output.channels.push_back(
                host_.channel<double>(found->second + each, output.conversion.quantity.unit));
        }
        outputs_.push_back(std::move(output));
    }
    if (outputs_.empty())
        plugin::fail(EIO, device_.word + ": `channels` selects none of those that are captured");
    const auto clock =
        clock_of(files_.read_word({device_.directory, "/current_timestamp_clock"}).value_or(""));
    // Before 4.5 there is no such file, and no other clock.
    timestamp_clock_ = clock.value_or(CLOCK_REALTIME);
    clock_ahead_ns_ = plugin::ahead_of_boot_ns(timestamp_clock_, clock_);
}

// Whether the clock of the timestamps was set since the last time.
bool Capture::clock_was_set() {
    const std::int64_t ahead_ns = plugin::ahead_of_boot_ns(timestamp_clock_, clock_);
    return std::abs(ahead_ns - std::exchange(clock_ahead_ns_, ahead_ns)) > least_step_ns;
}

void Capture::take() {
    const ssize_t got = ::read(fd_.get(), bytes_.data() + held_, bytes_.size() - held_);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (got == 0 || (got < 0 && errno == ENODEV)) plugin::fail(ENODEV, device_.word + ": the device is gone");
    if (got < 0) plugin::fail(errno, files_.path({"/dev/", device_.number}) + ": " + ::strerror(errno));
    const std::size_t size = held_ + static_cast<std::size_t>(got);
    const std::size_t scans = size / layout_.bytes;
    lost_now_ = 0;
    // Of what was read some may be from before and some from after.
    mixed_times_ = timestamp_ != nullptr && clock_was_set();
    if (mixed_times_) lost_ = LostScans(frequency_);
    for (std::size_t i = 0; i < scans; ++i)
        take_scan(std::span(bytes_).subspan(i * layout_.bytes, layout_.bytes),
                  static_cast<std::int64_t>(scans - 1 - i));
    held_ = size - scans * layout_.bytes;
    std::copy_n(bytes_.begin() + static_cast<std::ptrdiff_t>(scans * layout_.bytes), held_, bytes_.begin());
    report_losses(scans);
}

// `behind`: so many scans follow it that were there when it was read.
void Capture::take_scan(std::span<const std::uint8_t> scan, std::int64_t behind) {
    reading_.clear();
    for (const Output& output : outputs_)
        for (unsigned i = 0; i < output.channels.size(); ++i)
            reading_.set(output.channels[i], output.conversion.apply(decode(*output.element, i, scan)));
    if (timestamp_ != nullptr && !mixed_times_) {
        const std::int64_t seen_ns = decode_integer(*timestamp_, 0, scan);
        put_lost(lost_.before(seen_ns));
        std::int64_t boot_ns = 0;
        if (!__builtin_sub_overflow(seen_ns, clock_ahead_ns_, &boot_ns))
            reading_.seen_at_boot(std::max<std::int64_t>(boot_ns / 1000, 1));
    } else if (frequency_ > 0) {
        constexpr double longest_us = 3.6e9;  // beyond an hour the rate can't be right
        reading_.seen_ago(
            static_cast<std::int64_t>(std::min(static_cast<double>(behind) * 1e6 / frequency_, longest_us)));
    }
    host_.emit(reading_);
}

void Capture::put_lost(std::int64_t lost) {
    lost_now_ += lost;
    lost_total_ += lost;
    if (lost_channel_ && lost == 0) return;
    if (!lost_channel_) lost_channel_ = host_.channel<std::int64_t>(device_.word + ".lost_scans", "");
    reading_.set(*lost_channel_, lost_total_);
}

void Capture::report_losses(std::size_t scans) {
    if (lost_now_ > 0)
        return host_.error(device_.word + ": lost " + std::to_string(lost_now_) +
                           " scans: make buffer_length larger, or the rate lower");
    // A full buffer drops what comes, and does not say so.
    if ((timestamp_ == nullptr || frequency_ <= 0) && most_scans_ > 1 && scans >= most_scans_)
        host_.error(device_.word + ": the buffer was full, scans may be lost: make buffer_length larger");
}

}  // namespace iio_input
