#include "timestamps.hpp"

#include <utility>

namespace iio_input {

// iio_store_timestamp_clock() in drivers/iio/industrialio-core.c.
std::optional<clockid_t> clock_of(std::string_view name) {
    constexpr std::pair<std::string_view, clockid_t> clocks[] = {
        {"realtime", CLOCK_REALTIME},
        {"realtime_coarse", CLOCK_REALTIME_COARSE},
        {"monotonic", CLOCK_MONOTONIC},
        {"monotonic_raw", CLOCK_MONOTONIC_RAW},
        {"monotonic_coarse", CLOCK_MONOTONIC_COARSE},
        {"boottime", CLOCK_BOOTTIME},
        {"tai", CLOCK_TAI},
    };
    for (const auto& [known, clock] : clocks)
        if (known == name) return clock;
    return std::nullopt;
}

std::int64_t LostScans::before(std::int64_t timestamp_ns) {
    const auto last = std::exchange(last_ns_, timestamp_ns);
    if (!last || period_ns_ <= 0) return 0;
    // As a double: the difference of two hostile timestamps may not fit.
    const double periods = (static_cast<double>(timestamp_ns) - static_cast<double>(*last)) / period_ns_;
    // A scan that is up to three quarters of a period late is not taken for a missing one.
    constexpr double most = 1e9;  // more is a clock that was set
    if (periods < 1.75 || periods > most) return 0;
    return static_cast<std::int64_t>(periods + 0.25) - 1;
}

}  // namespace iio_input
