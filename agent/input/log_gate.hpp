// Bounds how many log lines of a plugin get through: a burst, then so many a minute. What was held back is
// counted and said. Passive.
#pragma once

#include <cstdint>

#include "base/clock.hpp"

namespace holdfast {

class LogGate {
  public:
    static constexpr std::uint32_t lines_a_minute = 20;

    // Whether a line may pass.
    bool pass(MonoTime now);
    // Lines held back in minutes that are over; once.
    std::uint64_t take_held_back(MonoTime now);

  private:
    void turn(MonoTime now);

    MonoTime minute_end_{};
    std::uint32_t passed_ = 0;
    std::uint64_t held_back_ = 0;  // in this minute
    std::uint64_t over_ = 0;       // in those before
};

}  // namespace holdfast
