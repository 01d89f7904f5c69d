// How fast the buffer empties: readings per second over the last ten seconds. Passive; belongs to the buffer.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "base/clock.hpp"

namespace holdfast {

class DrainMeter {
  public:
    explicit DrainMeter(MonoTime now) : started_(now) {}

    void taken_in(std::uint64_t readings, MonoTime now) { slot(now).taken_in += readings; }
    void left(std::uint64_t readings, MonoTime now) { slot(now).left += readings; }

    // Readings acknowledged per second.
    double rate(MonoTime now) const;
    // Until `held` readings are gone if all goes on like this; none: they are not getting fewer.
    std::optional<std::int64_t> seconds_to_empty(std::uint64_t held, MonoTime now) const;

  private:
    static constexpr std::int64_t window_s = 10;
    struct Slot {
        std::int64_t second = -1;
        std::uint64_t taken_in = 0;
        std::uint64_t left = 0;
    };
    struct Sums {
        double taken_in = 0;  // per second
        double left = 0;
    };
    static std::int64_t second_of(MonoTime time);
    Slot& slot(MonoTime now);
    Sums sums(MonoTime now) const;

    MonoTime started_;
    std::array<Slot, window_s> slots_;
};

}  // namespace holdfast
