#include "buffer_setup.hpp"

#include <errno.h>
#include <string.h>

#include <algorithm>
#include <charconv>
#include <stdexcept>

#include <holdfast/plugin.hpp>

#include "shared/sensors/text.hpp"

namespace iio_input {

using holdfast::plugin::fail;

namespace {

constexpr const char* timestamp = "timestamp";

// EINVAL would say that the options of the input are wrong for good; what a device refuses, another may take.
int passing(int error) {
    return error == EINVAL ? EIO : error;
}

std::string hint(int error) {
    if (error == EROFS || error == EACCES || error == EPERM)
        return ": let the agent write it, or set the device up before and use configure = false";
    if (error == EBUSY) return ": its buffer is in use by another program";
    return "";
}

std::string decimal(double number) {
    char text[32];
    const auto end = std::to_chars(text, text + sizeof text, number, std::chars_format::fixed).ptr;
    return std::string(text, end);
}

}  // namespace

bool BufferSetup::is_possible(sensors::SensorFiles& files, const IioDevice& device) {
    return files.exists({device.directory, "/buffer/enable"}) ||
           files.exists({device.directory, "/buffer0/enable"});
}

BufferSetup::BufferSetup(sensors::SensorFiles& files, IioDevice device)
    : files_(files), device_(std::move(device)) {
    const bool is_old = files_.exists({device_.directory, "/scan_elements"});
    scan_directory_ = device_.directory + (is_old ? "/scan_elements" : "/buffer0");
    buffer_directory_ = device_.directory + (is_old ? "/buffer" : "/buffer0");
}

void BufferSetup::start(const BufferOptions& options, const sensors::Patterns& channels) {
    // Left on by somebody who died, perhaps: the device file, open by now, has one user at a time.
    write(buffer_directory_ + "/enable", "0");
    // On this clock the age of a scan is right whatever the wall clock does; a device that can't has its own.
    files_.write({device_.directory, "/current_timestamp_clock"}, "boottime");
    if (!options.trigger.empty()) set_trigger(options.trigger);
    if (options.frequency > 0) set_frequency(options.frequency);
    set_elements(channels);
    write(buffer_directory_ + "/length", std::to_string(options.length));
    if (files_.exists({buffer_directory_, "/watermark"}))
        write(buffer_directory_ + "/watermark", std::to_string(options.watermark));
    const int error = files_.write({buffer_directory_, "/enable"}, "1");
    if (error == EINVAL || error == ENODEV || error == ENOENT)
        fail(EIO, device_.word + ": the capture does not start (" + ::strerror(error) +
                      "): it needs another `trigger`, of " + triggers() + ", or other `channels`");
    if (error != 0)
        fail(error, files_.path({buffer_directory_, "/enable"}) + ": " + ::strerror(error) + hint(error));
}

void BufferSetup::stop() {
    files_.write({buffer_directory_, "/enable"}, "0");
}

void BufferSetup::write(const std::string& file, const std::string& text) {
    if (const int error = files_.write({file}, text); error != 0)
        fail(passing(error),
             files_.path({file}) + ": " + ::strerror(error) + " on '" + text + "'" + hint(error));
}

void BufferSetup::set_trigger(const std::string& trigger) {
    const std::string file = device_.directory + "/trigger/current_trigger";
    write(file, trigger);
    // The kernel takes any name, and no trigger for one that it does not know.
    if (files_.read_word({file}).value_or("") != trigger)
        fail(EIO, device_.word + ": there is no trigger '" + trigger + "', only " + triggers());
}

std::string BufferSetup::triggers() {
    std::string names;
    for (const std::string& number : files_.list("/sys/bus/iio/devices", "trigger"))
        if (const auto name = files_.read_word({"/sys/bus/iio/devices/", number, "/name"}))
            names += (names.empty() ? "" : ", ") + std::string(*name);
    return names.empty() ? "none, as there are none" : names;
}

std::string BufferSetup::trigger_directory(const std::string& name) {
    for (const std::string& number : files_.list("/sys/bus/iio/devices", "trigger")) {
        const std::string directory = "/sys/bus/iio/devices/" + number;
        if (files_.read_word({directory, "/name"}) == name) return directory;
    }
    return "";
}

// Where the rate is set and told: at the device, with one of its types, or at its trigger.
std::vector<std::string> BufferSetup::frequency_files() {
    std::vector<std::string> found;
    const auto add = [&](const std::string& file) {
        if (files_.exists({file})) found.push_back(file);
    };
    const std::string trigger(files_.read_word({device_.directory, "/trigger/current_trigger"}).value_or(""));
    if (const std::string directory = trigger_directory(trigger); !trigger.empty() && !directory.empty())
        add(directory + "/sampling_frequency");
    add(device_.directory + "/sampling_frequency");
    for (const std::string& file : files_.list(device_.directory, "in_"))
        if (file.ends_with("_sampling_frequency")) add(device_.directory + "/" + file);
    return found;
}

void BufferSetup::set_frequency(double frequency) {
    const auto found = frequency_files();
    if (found.empty())
        fail(EIO, device_.word + ": there is no sampling_frequency to set, at the device or at its trigger");
    write(found.front(), decimal(frequency));
}

void BufferSetup::set_elements(const sensors::Patterns& channels) {
    const auto names = elements();
    const auto selected = select_channels(files_, device_, names, channels);
    std::vector<std::string> on;
    for (const std::string& name : names)
        if (name != timestamp && selected.count(name) > 0) on.push_back(name);
    if (on.empty()) fail(EIO, device_.word + ": `channels` selects none that can be captured");
    for (const std::string& name : names) {
        const bool is_on = name == timestamp || std::find(on.begin(), on.end(), name) != on.end();
        write(scan_directory_ + "/in_" + name + "_en", is_on ? "1" : "0");
    }
}

std::vector<std::string> BufferSetup::elements() {
    std::vector<std::string> names;
    constexpr std::string_view prefix = "in_";
    constexpr std::string_view ending = "_en";
    for (const std::string& file : files_.list(scan_directory_, prefix))
        if (file.ends_with(ending) && file.size() > prefix.size() + ending.size())
            names.push_back(file.substr(prefix.size(), file.size() - prefix.size() - ending.size()));
    return names;
}

bool BufferSetup::is_enabled() {
    return files_.read_word({buffer_directory_, "/enable"}) == "1";
}

// A device may have switched on more than it was asked for: what counts is what it says now.
ScanLayout BufferSetup::layout() {
    std::vector<Element> found;
    for (const std::string& name : elements()) {
        const std::string file = scan_directory_ + "/in_" + name;
        if (files_.read_word({file, "_en"}) != "1") continue;
        const auto index = sensors::to_number<unsigned>(files_.read_word({file, "_index"}).value_or(""));
        if (!index) fail(EIO, files_.path({file, "_index"}) + ": holds no number");
        try {
            found.push_back(
                {name, *index, parse_scan_type(files_.read_word({file, "_type"}).value_or("")), 0});
        } catch (const std::invalid_argument& error) {
            fail(EIO, files_.path({file, "_type"}) + ": " + error.what());
        }
    }
    try {
        return lay_out(std::move(found));
    } catch (const std::invalid_argument& error) {
        fail(EIO, files_.path({scan_directory_}) + ": " + error.what());
    }
}

// A trigger that is not the device's own (drivers name those NAME-devN, after the iio:deviceN) comes when it
// likes, whatever rate the device is set to.
double BufferSetup::frequency() {
    auto found = frequency_files();
    const std::string trigger(files_.read_word({device_.directory, "/trigger/current_trigger"}).value_or(""));
    const std::string own = "-dev" + device_.number.substr(device_.number.find_first_of("0123456789"));
    if (!trigger.empty() && !trigger.ends_with(own))
        std::erase_if(found, [&](const std::string& file) { return file.starts_with(device_.directory); });
    if (found.empty()) return 0;
    return sensors::to_number<double>(files_.read_word({found.front()}).value_or("")).value_or(0);
}

std::int64_t BufferSetup::length() {
    return sensors::to_number<std::int64_t>(files_.read_word({buffer_directory_, "/length"}).value_or(""))
        .value_or(0);
}

}  // namespace iio_input
