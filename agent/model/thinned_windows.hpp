// What thin() has seen so far: of each channel in each window of time the sum, the bounds, the count and the
// last value. Passive; lives for one call of thin().
#pragma once

#include <chrono>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "model/reading.hpp"

namespace holdfast::thinning {

// A channel as it was before any thinning. In a thinned stream it has a group of channels: a number its mean,
// min, max and count, a boolean or a string its last value and count.
struct Source {
    std::string name;
    ValueType type = ValueType::f64;  // f64 for integers too: their mean is no integer
    std::string unit;
};
constexpr std::uint32_t group_size(ValueType type) {
    return type == ValueType::f64 ? 4 : 2;
}

// Some values of a number: one, or those of a window.
struct Numbers {
    double mean = 0;
    double min = 0;
    double max = 0;
    std::int64_t count = 0;  // finite ones; 0: the others mean nothing
};

// The values of one source in one window.
struct Cell {
    std::uint32_t source = 0;
    std::uint32_t last = 0;  // a boolean's last value, 0 or 1; of a string, its number among the texts
    std::int64_t last_us = std::numeric_limits<std::int64_t>::min();  // when that was
    std::int64_t count = 0;
    double scaled_sum = 0;  // small enough that 2^63 doubles do not overflow it
    double min = std::numeric_limits<double>::infinity();
    double max = -std::numeric_limits<double>::infinity();

    Numbers numbers() const;
};

struct Window {
    std::uint32_t series = 0;
    std::int64_t time_us = 0;   // of its first reading, on the clock of the series
    std::int64_t first_us = 0;  // from when to when, on the boot clock, as in BatchHeader
    std::int64_t last_us = 0;
    std::vector<Cell> cells;  // by source, ascending
};

// Readings on the same clock and with the same tags of their own; those of another are never merged with
// them.
struct Series {
    TimeBase base = TimeBase::boot;
    Tags tags;
    std::map<std::int64_t, std::uint32_t> windows;  // by time in steps
};

class Windows {
  public:
    explicit Windows(std::chrono::seconds step);

    // The source of that channel; none: one of its name has another type or unit.
    std::optional<std::uint32_t> source(std::string_view name, ValueType type, std::string_view unit);

    // The window that the reading falls into. `last_us`: the end of what it stands for, on its own clock;
    // `boot_offset_us`: that clock minus the boot clock. Valid until the next call.
    Window& window(const Reading& reading, std::int64_t last_us, std::int64_t boot_offset_us);

    // Add values to a window; false when its count would overflow.
    bool add_numbers(Window& window, std::uint32_t source, const Numbers& numbers);
    bool add_last(Window& window, std::uint32_t source, const Value& value, std::int64_t count,
                  std::int64_t time_us);

    std::size_t cell_count() const { return cell_count_; }
    const std::vector<Source>& sources() const { return sources_; }
    const Series& series(const Window& window) const { return series_[window.series]; }
    const std::vector<Window>& windows() const { return windows_; }  // in the order in which they appeared
    // The last value of a source that is no number. Valid as long as this.
    Value last_value(const Cell& cell) const;

  private:
    std::uint32_t series_of(const Reading& reading);
    Cell& cell(Window& window, std::uint32_t source);
    std::uint32_t text(std::uint32_t source, std::string_view text);

    std::int64_t step_us_;
    std::vector<Source> sources_;
    std::unordered_map<std::string, std::uint32_t> source_of_name_;
    std::vector<std::string> texts_;             // those that came anew, so no more bytes than came in
    std::vector<std::uint32_t> text_of_source_;  // its latest
    std::vector<Series> series_;
    std::map<std::string, std::uint32_t> series_of_key_;
    std::vector<Window> windows_;
    std::size_t cell_count_ = 0;
    std::size_t hint_ = 0;  // where in a window the next source is looked for first: they come in order
};

}  // namespace holdfast::thinning
