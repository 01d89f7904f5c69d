#include "chips.hpp"

#include <fcntl.h>
#include <linux/gpio.h>
#include <string.h>

#include <algorithm>

#include <holdfast/plugin.hpp>

#include "shared/sensors/sensor_files.hpp"

namespace gpio_input {

namespace {

using holdfast::plugin::fail;

// The kernel fills such arrays up to the last byte.
template <std::size_t size>
std::string text_of(const char (&array)[size]) {
    return {array, ::strnlen(array, size)};
}

gpio_v2_line_info line_info(const device::Control& control, int chip, std::uint32_t offset) {
    gpio_v2_line_info info{};
    info.offset = offset;
    if (const int result = control(chip, GPIO_V2_GET_LINEINFO_IOCTL, &info); result < 0) {
        // A kernel before 5.10 does not know the call and says EINVAL (drivers/gpio/gpiolib-cdev.c).
        if (result == -EINVAL || result == -ENOTTY)
            fail(EOPNOTSUPP,
                 "the kernel does not know version 2 of its GPIO interface, which came with 5.10");
        fail(-result, "a line cannot be looked at");
    }
    return info;
}

}  // namespace

Chips::Chips(const std::string& root, const device::Control& control) : root_(root), control_(control) {
    for (const std::string& node : sensors::SensorFiles(root).list("/dev", "gpiochip"))
        open(root + "/dev/" + node);
}

void Chips::open(const std::string& path) {
    device::Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (fd.get() < 0) {
        not_opened_ = path + ": " + ::strerror(errno);
        return;
    }
    gpiochip_info info{};
    if (const int result = control_(fd.get(), GPIO_GET_CHIPINFO_IOCTL, &info); result < 0) {
        not_opened_ = path + " is no GPIO chip: " + ::strerror(-result);
        return;
    }
    // A second node of the same chip, as /dev/gpiochip4 is on a Raspberry Pi 5 for older programs.
    const std::string name = text_of(info.name);
    const bool known =
        std::any_of(chips_.begin(), chips_.end(), [&](const Chip& chip) { return chip.name == name; });
    if (!known) chips_.push_back({std::move(fd), name, text_of(info.label), info.lines});
}

FoundLine Chips::find(const LineSpec& spec) {
    std::vector<std::size_t> among;
    if (!spec.chip.empty()) {
        among = chips_named(spec.chip);
    } else {
        if (chips_.empty()) refuse_chip("");
        for (std::size_t i = 0; i < chips_.size(); ++i)
            among.push_back(i);
    }
    return spec.offset ? find_by_offset(spec, among.front()) : find_by_name(spec, among);
}

std::vector<std::size_t> Chips::chips_named(const std::string& name) {
    if (name.starts_with('/')) {
        device::Fd fd(::open((root_ + name).c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
        gpiochip_info info{};
        if (fd.get() < 0) not_opened_ = name + ": " + ::strerror(errno);
        if (fd.get() < 0 || control_(fd.get(), GPIO_GET_CHIPINFO_IOCTL, &info) < 0) refuse_chip(name);
        chips_.push_back({std::move(fd), text_of(info.name), text_of(info.label), info.lines});
        return {chips_.size() - 1};
    }
    std::vector<std::size_t> found;
    for (const auto member : {&Chip::name, &Chip::label})
        for (std::size_t i = 0; i < chips_.size() && (member == &Chip::label || found.empty()); ++i)
            if (chips_[i].*member == name && std::find(found.begin(), found.end(), i) == found.end())
                found.push_back(i);
    if (found.empty()) refuse_chip(name);
    if (found.size() > 1)
        fail(ENOTUNIQ, "the chips " + chips_[found[0]].name + " and " + chips_[found[1]].name +
                           " are both labelled '" + name + "': say which by its name");
    return found;
}

void Chips::refuse_chip(const std::string& name) const {
    std::string text = name.empty() ? "there is no GPIO chip" : "there is no GPIO chip '" + name + "'";
    if (chips_.empty()) {
        text += name.empty() ? "" : ", nor any other";
        text += " below " + root_ +
                "/dev: is the hardware there? The package holdfast-bus-gpio shows it to the service";
    } else {
        text += ", only ";
        for (const Chip& chip : chips_)
            text += (&chip == &chips_.front() ? "" : ", ") + chip.name + " (" + chip.label + ")";
    }
    if (!not_opened_.empty()) text += "; " + not_opened_;
    fail(ENODEV, text);
}

FoundLine Chips::find_by_offset(const LineSpec& spec, std::size_t chip) const {
    const Chip& found = chips_[chip];
    if (*spec.offset >= found.line_count)
        fail(ENODEV, found.name + " has the lines 0 to " + std::to_string(found.line_count - 1) +
                         ", there is no " + std::to_string(*spec.offset));
    const auto info = line_info(control_, found.fd.get(), *spec.offset);
    return {chip, *spec.offset, text_of(info.name)};
}

FoundLine Chips::find_by_name(const LineSpec& spec, const std::vector<std::size_t>& chips) const {
    std::vector<FoundLine> found;
    for (const std::size_t chip : chips)
        for (std::uint32_t offset = 0; offset < chips_[chip].line_count; ++offset) {
            const auto info = line_info(control_, chips_[chip].fd.get(), offset);
            if (text_of(info.name) == spec.line) found.push_back({chip, offset, spec.line});
        }
    if (found.empty())
        fail(ENODEV, "there is no line named '" + spec.line + "'" +
                         (spec.chip.empty() ? " on any GPIO chip" : " on " + chips_[chips[0]].name));
    if (found.size() > 1)
        fail(ENOTUNIQ, "two lines are named '" + spec.line + "', " + describe(found[0]) + " and " +
                           describe(found[1]) + ": say which by chip and offset");
    return found.front();
}

std::string Chips::describe(const FoundLine& line) const {
    const std::string place = chips_[line.chip].name + ":" + std::to_string(line.offset);
    return line.name.empty() ? place : place + " (" + line.name + ")";
}

std::string Chips::consumer(const FoundLine& line) const {
    const auto info = line_info(control_, chips_[line.chip].fd.get(), line.offset);
    if ((info.flags & GPIO_V2_LINE_FLAG_USED) == 0) return "";
    const std::string consumer = text_of(info.consumer);
    return consumer.empty() ? "the kernel" : consumer;
}

}  // namespace gpio_input
