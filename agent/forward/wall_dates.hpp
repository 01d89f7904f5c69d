// Dates of certificates, and whether the clock can be held against them.
#pragma once

#include <cstdint>
#include <string>

namespace holdfast {

// Before 2024 the agent was not written: a clock that says so was never set. A clock that is far ahead can't
// be told from the truth, for an agent may run for many years.
constexpr bool clock_is_plausible(std::int64_t wall_us) {
    constexpr std::int64_t earliest_us = 1'704'067'200'000'000;
    return wall_us >= earliest_us;
}

// "2026-01-31 00:00:00Z"
std::string date_text(std::int64_t wall_us);

// Whole days from now until then; below zero when it is over.
constexpr std::int64_t days_until(std::int64_t then_wall_us, std::int64_t wall_us) {
    constexpr std::int64_t day_us = 24LL * 3600 * 1'000'000;
    const std::int64_t left = then_wall_us - wall_us;
    return left >= 0 ? left / day_us : (left - day_us + 1) / day_us;
}

}  // namespace holdfast
