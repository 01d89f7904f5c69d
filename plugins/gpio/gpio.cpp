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

struct NamedLine {
    std::string name;
    LineSpec spec;
};

bool are_the_same(const LineSpec& a, const LineSpec& b) {
    return a.chip == b.chip && a.line == b.line && a.offset == b.offset;
}

// What the options name; what is wrong with them is added to `mistakes`.
std::vector<NamedLine> read_lines(const plugin::Host& host, std::vector<std::string>& mistakes) {
    std::vector<NamedLine> lines;
    const auto options = host.map("lines");
    if (options.empty()) mistakes.emplace_back("lines: names no line, as { door = \"gpiochip0:17\" } would");
    if (options.size() > most_lines)
        mistakes.emplace_back("lines: names more than 64 lines: give the rest to another input");
    for (const auto& [name, text] : options) {
        try {
            const LineSpec spec = parse_line_spec(text);
            for (const NamedLine& other : lines)
                if (are_the_same(other.spec, spec))
                    mistakes.push_back(place_of(name) + ": is the same line as " + place_of(other.name));
            lines.push_back({name, spec});
        } catch (const plugin_text::SpecError& error) {
            mistakes.push_back(place_of(name) + ": " + error.what());
        }
    }
    return lines;
}

// Throws EINVAL when a name or unit is none, or another line has that channel as one of another type.
LineChannels declare(const plugin::Host& host, const std::string& name, const LineSpec& spec) {
    LineChannels channels{};
    if (mode_of(spec) != Mode::counter) {
        channels.level = host.channel<bool>(name);
        return channels;
    }
    channels.count = host.channel<std::int64_t>(name + ".count");
    if (spec.scale) channels.total = host.channel<double>(name + ".total", spec.unit.c_str());
    const std::string rate_unit =
        (spec.unit.empty() ? "1" : spec.unit) + "/" + (spec.per.empty() ? "s" : spec.per);
    channels.rate = host.channel<double>(name + ".rate", rate_unit.c_str());
    return channels;
}

double seconds_in(const std::string& unit) {
    return unit == "h" ? 3600 : unit == "min" ? 60 : 1;
}

}  // namespace

Gpio::Gpio(plugin::Host host, device::Control control, plugin::Clock clock)
    : host_(host), control_(std::move(control)), clock_(clock) {
    std::vector<std::string> mistakes;
    for (auto& [name, spec] : read_lines(host, mistakes)) {
        inputs_.push_back(std::make_unique<Input>());
        Input& input = *inputs_.back();
        input.name = std::move(name);
        input.spec = std::move(spec);
        if (mode_of(input.spec) == Mode::counter)
            input.pulses.emplace(input.spec.idle_us.value_or(default_idle_us));
    }
    if (!mistakes.empty()) plugin::fail(EINVAL, plugin_text::joined(mistakes, "; "));
    take_lines();
    for (const auto& input : inputs_)
        input->channels = of_line(input->name, [&] { return declare(host_, input->name, input->spec); });
    for (const auto& input : inputs_)
        if (mode_of(input->spec) == Mode::edges) host_.watch(input->line->fd(), POLLIN);
}

Gpio::~Gpio() {
    for (const auto& input : inputs_)
        if (mode_of(input->spec) == Mode::edges) host_.unwatch(input->line->fd());
}

int Gpio::check(plugin::Host host) {
    std::vector<std::string> mistakes;
    for (const NamedLine& line : read_lines(host, mistakes)) {
        try {
            declare(host, line.name, line.spec);
        } catch (const std::system_error&) {
            mistakes.push_back(place_of(line.name) +
                               ": this name or unit cannot be a channel's, or another line has it");
        }
    }
    for (const std::string& mistake : mistakes)
        host.error(mistake);
    return mistakes.empty() ? 0 : -EINVAL;
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
    reading_.set(input.channels.level, event.id == GPIO_V2_LINE_EVENT_RISING_EDGE);
    reading_.seen_at_boot((static_cast<std::int64_t>(event.timestamp_ns) - ahead_ns) / 1000);
    host_.emit(reading_);
}

void Gpio::put(Input& input) {
    if (mode_of(input.spec) != Mode::counter) return reading_.set(input.channels.level, input.line->level());
    const double scale = input.spec.scale.value_or(1);
    const std::int64_t count = input.pulses->count();
    reading_.set(input.channels.count, count);
    if (input.spec.scale) reading_.set(input.channels.total, static_cast<double>(count) * scale);
    reading_.set(input.channels.rate,
                 input.pulses->rate(clock_(CLOCK_MONOTONIC) / 1000) * scale * seconds_in(input.spec.per));
}

}  // namespace gpio_input
