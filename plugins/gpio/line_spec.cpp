#include "line_spec.hpp"

#include "shared/text/number.hpp"

namespace gpio_input {

using plugin_text::SpecError;
using plugin_text::SpecItem;

namespace {

// More than a person could want, less than what a wrong unit makes of it.
constexpr std::int64_t longest_debounce_us = 10'000'000;

void set_mode(LineSpec& line, Mode mode) {
    if (line.mode) throw SpecError("it is one of level, edges or counter, and not two of them");
    line.mode = mode;
}

void set_bias(LineSpec& line, Bias bias) {
    if (line.bias != Bias::as_is)
        throw SpecError("it is one of pull-up, pull-down or no-pull, and not two of them");
    line.bias = bias;
}

std::int64_t duration_of(const std::string& name, const std::string& text) {
    const auto us = plugin_text::to_duration_us(text);
    if (!us || *us == 0)
        throw SpecError(name + "= takes a duration above zero, a whole number of us, ms, s, m or h such as " +
                        name + "=5ms, and not '" + text + "'");
    return *us;
}

void set_debounce(LineSpec& line, const std::string& text) {
    line.debounce_us = duration_of("debounce", text);
    if (line.debounce_us > longest_debounce_us) throw SpecError("debounce= is at most 10s, and not " + text);
}

void set_edge(LineSpec& line, const std::string& text) {
    if (text == "rising")
        line.edge = Edge::rising;
    else if (text == "falling")
        line.edge = Edge::falling;
    else if (text == "both")
        line.edge = Edge::both;
    else
        throw SpecError("edge= is rising, falling or both, and not '" + text + "'");
}

void set_scale(LineSpec& line, const std::string& text) {
    line.scale = plugin_text::number_of("scale", text);
    if (!(*line.scale > 0)) throw SpecError("scale= is units per pulse, above zero, and not " + text);
}

void set_per(LineSpec& line, const std::string& text) {
    if (text != "s" && text != "min" && text != "h")
        throw SpecError("per= is s, min or h, and not '" + text + "'");
    line.per = text;
}

constexpr SpecItem<LineSpec> items[] = {
    {"level", "", [](LineSpec& line, const std::string&) { set_mode(line, Mode::level); }},
    {"edges", "", [](LineSpec& line, const std::string&) { set_mode(line, Mode::edges); }},
    {"counter", "", [](LineSpec& line, const std::string&) { set_mode(line, Mode::counter); }},
    {"active-low", "", [](LineSpec& line, const std::string&) { line.active_low = true; }},
    {"pull-up", "", [](LineSpec& line, const std::string&) { set_bias(line, Bias::pull_up); }},
    {"pull-down", "", [](LineSpec& line, const std::string&) { set_bias(line, Bias::pull_down); }},
    {"no-pull", "", [](LineSpec& line, const std::string&) { set_bias(line, Bias::none); }},
    {"debounce", "5ms", set_debounce},
    {"edge", "rising", set_edge},
    {"scale", "0.0025", set_scale},
    {"unit", "m3", [](LineSpec& line, const std::string& text) { line.unit = text; }},
    {"per", "h", set_per},
    {"idle", "5m", [](LineSpec& line, const std::string& text) { line.idle_us = duration_of("idle", text); }},
};

// CHIP:OFFSET, CHIP:NAME or NAME. Only a number that is not quoted is an offset.
void read_place(std::string_view word, LineSpec& line) {
    const auto parts = plugin_text::split_at_last(word, ':');
    const std::string_view place = parts ? parts->after : word;
    const auto assignment = plugin_text::split_at_first(word, '=');
    const std::string_view name = assignment ? assignment->before : word;
    for (const auto& item : items)
        if (item.name == name)
            throw SpecError("it begins with the line, such as gpiochip0:17, and not with '" +
                            std::string(word) + "'");
    if (parts) line.chip = plugin_text::unquoted(parts->before);
    if (parts && line.chip.empty())
        throw SpecError("'" + std::string(word) + "' names no chip before its ':'");
    line.line = plugin_text::unquoted(place);
    if (line.line.empty()) throw SpecError("'" + std::string(word) + "' names no line");
    if (place.find_first_not_of("0123456789") != std::string_view::npos) return;
    line.offset = plugin_text::to_number<std::uint32_t>(place);
    line.line.clear();
    if (!line.offset) throw SpecError("'" + std::string(place) + "' is too large for a line's offset");
    if (!parts)
        throw SpecError("the offset " + std::string(place) +
                        " needs its chip: gpiochip0:" + std::string(place));
}

void check_agreement(const LineSpec& line) {
    const Mode mode = line.mode.value_or(Mode::level);
    const auto only_for = [](const char* word, const char* modes) {
        throw SpecError(std::string("'") + word + "' is only for " + modes);
    };
    if (line.edge && mode == Mode::level) only_for("edge", "a line that says edges or counter");
    if (mode == Mode::counter) {
        if (!line.scale && !line.unit.empty())
            throw SpecError("'unit' needs 'scale', the units per pulse: scale=0.001 unit=kW.h");
        return;
    }
    if (line.scale) only_for("scale", "a line that says counter");
    if (!line.unit.empty()) only_for("unit", "a line that says counter");
    if (!line.per.empty()) only_for("per", "a line that says counter");
    if (line.idle_us) only_for("idle", "a line that says counter");
}

}  // namespace

LineSpec parse_line_spec(std::string_view text) {
    const auto words = plugin_text::spec_words(text);
    if (words.empty())
        throw SpecError(
            "it is empty, and begins with the line: gpiochip0:17, pinctrl-bcm2711:GPIO17 or GPIO17");
    LineSpec line;
    read_place(words.front(), line);
    plugin_text::read_spec<LineSpec>(std::span(words).subspan(1), items, line);
    check_agreement(line);
    return line;
}

}  // namespace gpio_input
