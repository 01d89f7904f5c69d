#include "poller.hpp"

#include <errno.h>
#include <string.h>

#include "shared/sensors/text.hpp"

namespace iio_input {

namespace plugin = holdfast::plugin;

namespace {

constexpr std::string_view prefix = "in_";
constexpr std::string_view raw = "_raw";
constexpr std::string_view processed = "_input";

// The channel in "in_voltage0_raw"; empty when the file is none of a channel's values.
std::string channel_in(std::string_view file, std::string_view ending) {
    if (!file.starts_with(prefix) || !file.ends_with(ending) || file.size() <= prefix.size() + ending.size())
        return "";
    const std::string_view channel = file.substr(prefix.size(), file.size() - prefix.size() - ending.size());
    // A setting, written as a raw value is.
    return std::string(channel.ends_with("_quadrature_correction") ? "" : channel);
}

}  // namespace

Poller::Poller(plugin::Host host, sensors::SensorFiles& files, const Selection& selection)
    : host_(host), files_(files), selection_(selection), values_(host) {}

int Poller::sample() {
    look_for_devices();
    values_.clear();
    for (const Input& input : inputs_)
        read(input);
    // Each of them was counted, or is about to be found gone.
    if (values_.reading().empty()) return devices_.empty() ? -ENODEV : -EIO;
    host_.emit(values_.reading());
    return 0;
}

void Poller::look_for_devices() {
    const std::string present = present_devices(files_);
    if (present.empty())
        plugin::fail(ENODEV, "there is no device below " + files_.path({"/sys/bus/iio/devices"}) +
                                 ": is the driver loaded?");
    if (devices_ != present) {
        inputs_.clear();
        for (const IioDevice& device : find_devices(files_, selection_))
            add_device(device);
        devices_ = present;
    }
    if (inputs_.empty()) plugin::fail(ENODEV, "`devices` and `channels` select no input of " + present);
}

void Poller::add_device(const IioDevice& device) {
    std::map<std::string, bool> is_raw;  // by channel: a processed value goes before a raw one
    for (const std::string& file : files_.list(device.directory, prefix)) {
        if (const std::string channel = channel_in(file, processed); !channel.empty())
            is_raw[channel] = false;
        if (const std::string channel = channel_in(file, raw); !channel.empty())
            is_raw.emplace(channel, true);
    }
    std::vector<std::string> names;
    for (const auto& [name, unused] : is_raw)
        names.push_back(name);
    for (const auto& [name, channel] : select_channels(files_, device, names, selection_.channels)) {
        Input input{device.directory + "/" + std::string(prefix) + name,
                    channel,
                    quantity_of(name),
                    {},
                    {},
                    is_raw[name]};
        input.file += input.is_raw ? raw : processed;
        if (input.is_raw) {
            input.offset_file = find_attribute(files_, device, name, "offset");
            input.scale_file = find_attribute(files_, device, name, "scale");
            // Without a scale the number is the converter's own, in no unit.
            if (!input.scale_file) input.quantity = {input.quantity.type, "", 1, 1};
        }
        inputs_.push_back(std::move(input));
    }
}

void Poller::read(const Input& input) {
    const auto offset = read_factor(input.offset_file, 0);
    const auto scale = read_factor(input.scale_file, 1);
    if (!offset || !scale) return;
    const auto content = files_.read_word({input.file});
    std::string_view text = content.value_or("");
    std::vector<double> numbers;
    for (std::string_view word = sensors::take_word(text); !word.empty(); word = sensors::take_word(text)) {
        const auto number = sensors::to_number<double>(word);
        if (!number) return count_failure(input.file);
        numbers.push_back(Conversion{input.quantity, *offset, *scale}.apply(*number));
    }
    if (numbers.empty()) return count_failure(input.file);
    if (numbers.size() == 1) return values_.set({input.channel}, input.quantity.unit, numbers[0]);
    for (std::size_t i = 0; i < numbers.size(); ++i)
        values_.set({input.channel, ".", std::to_string(i)}, input.quantity.unit, numbers[i]);
}

std::optional<double> Poller::read_factor(const std::optional<std::string>& file, double without) {
    if (!file) return without;
    const auto content = files_.read_word({*file});
    const auto number = content ? sensors::to_number<double>(*content) : std::nullopt;
    if (!number) count_failure(*file);
    return number;
}

void Poller::count_failure(const std::string& file) {
    const int error = files_.error();
    if (error == ENOENT || error == ENODEV) {
        // The device went since we looked: no failure of a channel.
        devices_.clear();
        return;
    }
    const char* const reason = error == 0 ? "holds no number" : ::strerror(error);
    host_.error(files_.path({file}) + ": " + reason + (error == EBUSY ? ": its buffer is in use" : ""));
}

}  // namespace iio_input
