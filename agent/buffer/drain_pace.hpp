// Holds the backlog to [buffer] drain_rate. Passive; belongs to the buffer.
#pragma once

#include <cstdint>
#include <optional>

#include "base/clock.hpp"

namespace holdfast {

class DrainPace {
  public:
    // Readings per second; 0: no limit.
    explicit DrainPace(std::uint64_t rate) : rate_(rate) {}

    // When the next batch of the backlog may go; none: now. A batch goes as a whole, so what it has beyond
    // the allowance is made up for by waiting.
    std::optional<MonoTime> wait(MonoTime now) const {
        if (rate_ == 0 || now >= free_at_) return std::nullopt;
        return free_at_;
    }

    // That many readings went.
    void spend(std::uint64_t readings, MonoTime now) {
        if (rate_ == 0) return;
        // What was not used is not saved up for a burst.
        if (free_at_ < now) free_at_ = now;
        free_at_ += Micros(static_cast<std::int64_t>(readings * 1'000'000 / rate_));
    }

  private:
    std::uint64_t rate_;
    MonoTime free_at_{};
};

}  // namespace holdfast
