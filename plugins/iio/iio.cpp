#include "iio.hpp"

#include <errno.h>
#include <poll.h>

#include <algorithm>
#include <exception>
#include <system_error>

namespace iio_input {

namespace plugin = holdfast::plugin;

namespace {

constexpr std::int64_t most_length = 1'000'000;

BufferOptions read_options(plugin::Host host) {
    BufferOptions options{host.boolean("configure"), host.text("trigger"), host.number("sampling_frequency"),
                          host.integer("buffer_length"), host.integer("watermark")};
    if (host.text("mode") == "poll") {
        constexpr const char* in_vain = ": has an effect only with mode = \"buffer\"";
        if (!options.trigger.empty()) plugin::fail(EINVAL, std::string("trigger") + in_vain);
        if (options.frequency != 0) plugin::fail(EINVAL, std::string("sampling_frequency") + in_vain);
    }
    if (!(options.frequency >= 0 && options.frequency <= 1e9))
        plugin::fail(EINVAL, "sampling_frequency: not from 0 to 1e9");
    if (options.length < 1 || options.length > most_length)
        plugin::fail(EINVAL, "buffer_length: not from 1 to 1000000");
    if (options.watermark < 1 || options.watermark > options.length)
        plugin::fail(EINVAL, "watermark: not from 1 to buffer_length");
    return options;
}

}  // namespace

Iio::Iio(plugin::Host host, plugin::Clock clock)
    : host_(host),
      clock_(clock),
      files_(host.sensor_root()),
      selection_{
          sensors::Patterns("devices", host.list("devices")),
          sensors::Patterns("channels", host.list("channels")),
          host.boolean("bus_ids") ? sensors::Naming::always_long : sensors::Naming::short_where_unique},
      options_(read_options(host)) {
    if (host.text("mode") == "poll") poller_.emplace(host, files_, selection_);
}

Iio::~Iio() {
    for (const auto& capture : captures_)
        host_.unwatch(capture->fd());
}

int Iio::sample() {
    return poller_ ? poller_->sample() : look_for_captures();
}

int Iio::look_for_captures() {
    std::exception_ptr failure;
    std::string without_buffer;
    for (const IioDevice& device : find_devices(files_, selection_)) {
        if (!BufferSetup::is_possible(files_, device)) {
            without_buffer += (without_buffer.empty() ? "" : ", ") + device.word;
            continue;
        }
        if (runs(device)) continue;
        try {
            auto capture = std::make_unique<Capture>(host_, files_, device, selection_, options_, clock_);
            host_.watch(capture->fd(), POLLIN);
            captures_.push_back(std::move(capture));
        } catch (const std::system_error& error) {
            host_.error(error.what());
            failure = std::current_exception();
        }
    }
    // Those that run go on; what failed is tried again at the next sample.
    if (!captures_.empty()) return -EAGAIN;
    if (failure) std::rethrow_exception(failure);
    if (!without_buffer.empty())
        plugin::fail(EIO, "no device can capture: " + without_buffer + " has no buffer; use mode = \"poll\"");
    const std::string present = present_devices(files_);
    plugin::fail(ENODEV, present.empty()
                             ? "there is no device below " + files_.path({"/sys/bus/iio/devices"}) +
                                   ": is the driver loaded?"
                             : "`devices` selects none of " + present);
}

// Whether the device is being captured from. What is not as it was begun is ended, to begin again.
bool Iio::runs(const IioDevice& device) {
    const auto capture = std::find_if(captures_.begin(), captures_.end(),
                                      [&](const auto& each) { return each->number() == device.number; });
    if (capture == captures_.end()) return false;
    if ((*capture)->is_as_begun()) return true;
    host_.error(device.word + ": its buffer was switched off or set up anew");
    end_capture((*capture)->fd());
    return false;
}

void Iio::ready(int fd, std::uint32_t events) {
    const auto capture =
        std::find_if(captures_.begin(), captures_.end(), [&](const auto& each) { return each->fd() == fd; });
    if (capture == captures_.end()) return;
    try {
        if ((events & POLLIN) == 0) plugin::fail(ENODEV, (*capture)->number() + ": the device is gone");
        (*capture)->take();
    } catch (const std::system_error& error) {
        if (error.code().value() != ENODEV) throw;
        end_capture(fd);
        if (captures_.empty()) throw;
        host_.error(error.what());
    }
}

void Iio::end_capture(int fd) {
    host_.unwatch(fd);
    std::erase_if(captures_, [&](const auto& each) { return each->fd() == fd; });
}

}  // namespace iio_input
