#include "device.hpp"

#include "shared/sensors/values.hpp"

namespace iio_input {

using sensors::channel_word;
using sensors::SensorFiles;

namespace {

constexpr const char* devices_directory = "/sys/bus/iio/devices";

std::vector<sensors::Device> all_devices(SensorFiles& files) {
    std::vector<sensors::Device> devices;
    for (const std::string& number : files.list(devices_directory, "iio:device")) {
        const std::string directory = std::string(devices_directory) + "/" + number;
        const std::string name(files.read_word({directory, "/name"}).value_or("iio"));
        const std::string label(files.read_word({directory, "/label"}).value_or(""));
        devices.push_back({directory, directory + "/..", name, label});
    }
    return devices;
}

std::size_t skip_digits(std::string_view text, std::size_t at) {
    while (at < text.size() && text[at] >= '0' && text[at] <= '9')
        ++at;
    return at;
}

// The name without the numbers of inputs: "voltage0-voltage1" is "voltage-voltage", "voltage0_i" "voltage_i".
std::string without_numbers(std::string_view channel) {
    const std::string_view type = type_of(channel);
    std::string name(type);
    std::size_t at = skip_digits(channel, type.size());
    if (channel.substr(at).starts_with("-" + std::string(type))) {
        name += "-" + std::string(type);
        at = skip_digits(channel, at + 1 + type.size());
    }
    return name + std::string(channel.substr(at));
}

// From the channel's own to what it shares with ever more others.
std::vector<std::string> attribute_owners(std::string_view channel) {
    const std::string type(type_of(channel));
    std::vector<std::string> owners = {std::string(channel), without_numbers(channel)};
    // Values derived from the channel's: peak has a scale of its own at times, and else they are as the
    // channel.
    for (const std::string_view derived : {"_peak", "_trough", "_mean"}) {
        if (!channel.ends_with(derived)) continue;
        owners.push_back(type + std::string(derived));
        channel.remove_suffix(derived.size());
        owners.push_back(std::string(channel));
        owners.push_back(without_numbers(channel));
    }
    owners.push_back(type);
    return owners;
}

}  // namespace

std::string present_devices(SensorFiles& files) {
    return sensors::list_of(all_devices(files));
}

std::vector<IioDevice> find_devices(SensorFiles& files, const Selection& selection) {
    const auto devices = all_devices(files);
    const auto words = sensors::device_words(files, devices, selection.naming);
    std::vector<IioDevice> found;
    for (std::size_t i = 0; i < devices.size(); ++i) {
        const std::string& directory = devices[i].directory;
        if (selection.devices.select({devices[i].name, devices[i].label, words[i]}))
            found.push_back({directory, directory.substr(directory.rfind('/') + 1), words[i]});
    }
    return found;
}

std::map<std::string, std::string> select_channels(SensorFiles& files, const IioDevice& device,
                                                   const std::vector<std::string>& names,
                                                   const sensors::Patterns& channels) {
    std::map<std::string, std::string> labels;
    std::map<std::string, int> uses;
    for (const std::string& name : names) {
        labels[name] = files.read_word({device.directory, "/in_", name, "_label"}).value_or(name);
        ++uses[channel_word(labels[name])];
    }
    std::map<std::string, std::string> selected;
    for (const auto& [name, label] : labels) {
        std::string channel = device.word + "." + channel_word(label);
        if (uses[channel_word(label)] > 1) channel += "_" + channel_word(name);
        if (channels.select({name, label, channel})) selected[name] = std::move(channel);
    }
    return selected;
}

std::optional<std::string> find_attribute(SensorFiles& files, const IioDevice& device,
                                          std::string_view channel, std::string_view attribute) {
    for (const std::string& owner : attribute_owners(channel)) {
        std::string file = device.directory + "/in_" + owner + "_" + std::string(attribute);
        if (files.exists({file})) return file;
    }
    // Shared by all inputs, and by all that the device has.
    for (const char* prefix : {"/in_", "/"}) {
        std::string file = device.directory + prefix + std::string(attribute);
        if (files.exists({file})) return file;
    }
    return std::nullopt;
}

}  // namespace iio_input
