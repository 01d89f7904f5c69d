// Durations and sizes as people write them: "1h30m", "64KiB".
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.hpp"
#include "base/clock.hpp"

namespace holdfast::config {

// Whole numbers with units d, h, m, s, ms, us, the larger unit first: "250ms", "1h30m", "0s". None: not so
// written, or more than fits.
std::optional<Micros> parse_duration(std::string_view text);
// One whole number with B, KB, MB, GB, TB (powers of 1000) or KiB, MiB, GiB, TiB (powers of 1024).
std::optional<Bytes> parse_size(std::string_view text);

// The shortest text that parses to the same value.
std::string to_text(Micros duration);
std::string to_text(Bytes size);

}  // namespace holdfast::config
