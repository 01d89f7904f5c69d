// What the option `lines` says of one line, taken apart:
//
//     [CHIP:]LINE [level|edges|counter] [active-low] [pull-up|pull-down|no-pull] [debounce=5ms] [edge=rising]
//     [scale=0.0025] [unit=m3] [per=h] [idle=5m]
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "shared/text/spec.hpp"

namespace gpio_input {

enum class Mode { level, edges, counter };
enum class Bias { as_is, pull_up, pull_down, none };
enum class Edge { rising, falling, both };  // of the logical level: active-low is taken into account

struct LineSpec {
    std::string chip;                     // name, label or path; empty: any chip with a line of that name
    std::string line;                     // its name; empty: by offset
    std::optional<std::uint32_t> offset;  // only with a chip

    std::optional<Mode> mode;  // not said: level
    Bias bias = Bias::as_is;
    bool active_low = false;
    std::optional<Edge> edge;  // not said: both for edges, rising for a counter
    std::int64_t debounce_us = 0;

    std::optional<double> scale;  // units per pulse
    std::string unit;
    std::string per;  // "s", "min", "h"; not said: "s"
    std::optional<std::int64_t> idle_us;
};

// Throws SpecError with what is wrong and what is allowed.
LineSpec parse_line_spec(std::string_view text);

}  // namespace gpio_input
