#include "gpio.hpp"

#include <poll.h>
#include <time.h>

#include <algorithm>
#include <set>
#include <utility>

namespace gpio_input {

namespace plugin = holdfast::plugin;

namespace {

constexpr std::size_t most_lines = 64;  // descriptors that a plugin may have watched
constexpr std::int64_t default_idle_us = 300'000'000;

Mode mode_of(const LineSpec& spec) {
    return spec.mode.value_or(Mode::level);
}

std::string place_of(const std::string& name) {
    return "lines." + name;
}

// Errors of a line say which one it is.
template <typename Call>
auto of_line(const std::string& name, Call call) {
    try {
        return call();
    } catch (const std::system_error& error) {
        // what() ends in the code's own text, which fail() adds again.
        std::string text = error.what();
        const std::string ending = ": " + error.code().message();
        if (text.ends_with(ending)) text.resize(text.size() - ending.size());
        plugin::fail(error.code().value(), place_of(name) + ": " + text);
    }
}

// What the options name. Throws EINVAL with all that is wrong.
std::vector<std::pair<std::string, LineSpec>> read_lines(const plugin::Host& host) {
    std::vector<std::pair<std::string, LineSpec>> lines;
    std::string mistakes;
    for (const auto& [name, text] : host.map("lines")) {
        try {
            lines.emplace_back(name, parse_line_spec(text));
        } catch (const plugin_text::SpecError& error) {
            mistakes += (mistakes.empty() ? "" : "; ") + place_of(name) + ": " + error.what();
        }
    }
    if (!mistakes.empty()) plugin::fail(EINVAL, mistakes);
    if (lines.empty()) plugin::fail(EINVAL, "lines: names no line, as { door = \"gpiochip0:17\" } would");
    if (lines.size() > most_lines)
        plugin::fail(EINVAL, "lines: names more than 64 lines: give the rest to another input");
    return lines;
}

double seconds_in(const std::string& unit) {
    return unit == "h" ? 3600 : unit == "min" ? 60 : 1;
}

}  // namespace

Gpio::Gpio(plugin::Host host, device::Control control, plugin::Clock clock)
    : host_(host), control_(std::move(control)), clock_(clock) {
    for (auto& [name, spec] : read_lines(host)) {
        inputs_.push_back(std::make_unique<Input>());
        inputs_.back()->name = std::move(name);
        inputs_.back()->spec = std::move(spec);
    }
    take_lines();
    for (const auto& input : inputs_)
        declare(*input);
    for (const auto& input : inputs_)
        if (mode_of(input->spec) == Mode::edges) host_.watch(input->line->fd(), POLLIN);
}

Gpio::~Gpio() {
    for (const auto& input : inputs_)
        if (mode_of(input->spec) == Mode::edges) host_.unwatch(input->line->fd());
}

void Gpio::check(plugin::Host host) {
    read_lines(host);
}

void Gpio::take_lines() {
    Chips chips(host_.sensor_root(), control_);
    std::vector<FoundLine> found;
    for (const auto& input : inputs_) {
        found.push_back(of_line(input->name, [&] { return chips.find(input->spec); }));
        for (std::size_t i = 0; i + 1 < found.size(); ++i)
            if (chips.describe(found[i]) == chips.describe(found.back()))
                plugin::fail(EINVAL, place_of(inputs_[i]->name) + " and " + place_of(input->name) +
                                         " are both " + chips.describe(found[i]));
    }
    for (std::size_t i = 0; i < inputs_.size(); ++i)
        of_line(inputs_[i]->name,
                [&] { inputs_[i]->line.emplace(chips, found[i], inputs_[i]->spec, control_); });
}

void Gpio::declare(Input& input) {
    if (mode_of(input.spec) != Mode::counter) {
        input.level = host_.channel<bool>(input.name);
        return;
    }
    input.pulses.emplace(input.spec.idle_us.value_or(default_idle_us));
    input.count = host_.channel<std::int64_t>(input.name + ".count");
    const std::string& unit = input.spec.unit;
    if (input.spec.scale) input.total = host_.channel<double>(input.name + ".total", unit.c_str());
    const std::string per = input.spec.per.empty() ? "s" : input.spec.per;
    const std::string rate_unit = (unit.empty() ? "1" : unit) + "/" + per;
    input.rate = host_.channel<double>(input.name + ".rate", rate_unit.c_str());
}

int Gpio::sample() {
    for (const auto& input : inputs_)
        input->is_well = mode_of(input->spec) == Mode::level || attempt(*input, [&] { take_edges(*input); });
    reading_.clear();
    bool any_is_well = false;
    for (const auto& input : inputs_)
        if (input->is_well && attempt(*input, [&] { put(*input); })) any_is_well = true;
    if (!any_is_well) return -EIO;
    host_.emit(reading_);
    return 0;
}

// A line that fails is left out, and costs the others nothing; but for a chip that is gone.
template <typename Call>
bool Gpio::attempt(const Input& input, Call call) {
    try {
        of_line(input.name, call);
        return true;
    } catch (const std::system_error& error) {
        if (error.code().value() == ENODEV) throw;
        host_.error(error.what());
        return false;
    }
}

void Gpio::ready(int fd, std::uint32_t events) {
    const auto found = std::find_if(inputs_.begin(), inputs_.end(),
                                    [&](const auto& input) { return input->line->fd() == fd; });
    if (found == inputs_.end()) return;
    // What was held when the chip went away cannot be read any more (linereq_read, linereq_poll).
    if ((events & (POLLERR | POLLHUP | POLLNVAL)) != 0)
        plugin::fail(ENODEV, place_of((*found)->name) + ": its chip is gone");
    of_line((*found)->name, [&] { take_edges(**found); });
}

void Gpio::take_edges(Input& input) {
    const std::int64_t ahead_ns = input.pulses ? 0 : plugin::ahead_of_boot_ns(CLOCK_MONOTONIC, clock_);
    std::uint64_t lost = 0;
    input.line->take_edges([&](const gpio_v2_line_event& event) {
        if (input.pulses) return input.pulses->take(event.line_seqno, event.timestamp_ns);
        lost += static_cast<std::uint32_t>(event.line_seqno -
                                           std::exchange(input.last_seqno, event.line_seqno) - 1);
        emit_edge(input, event, ahead_ns);
    });
    if (lost > 0)
        host_.error(place_of(input.name) + ": " + std::to_string(lost) +
                    " edges were lost: they came faster than they could be taken");
}

void Gpio::emit_edge(Input& input, const gpio_v2_line_event& event, std::int64_t ahead_ns) {
    reading_.clear();
    reading_.set(input.level, event.id == GPIO_V2_LINE_EVENT_RISING_EDGE);
    reading_.seen_at_boot((static_cast<std::int64_t>(event.timestamp_ns) - ahead_ns) / 1000);
    host_.emit(reading_);
}

void Gpio::put(Input& input) {
    if (mode_of(input.spec) != Mode::counter) return reading_.set(input.level, input.line->level());
    const double scale = input.spec.scale.value_or(1);
    const std::int64_t count = input.pulses->count();
    reading_.set(input.count, count);
    if (input.spec.scale) reading_.set(input.total, static_cast<double>(count) * scale);
    reading_.set(input.rate, input.pulses->rate(clock_(CLOCK_MONOTONIC) / 1000) * scale * seconds_in(input.spec.per));
}

}  // namespace gpio_input
