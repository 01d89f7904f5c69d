// How long to wait before the next attempt: full jitter, so that a thousand gateways that lost the same
// broker do not come back in the same second. A wait is random below a bound, which begins at `initial` and
// grows by half with each, up to `max`; and not to the double, so that a dozen attempts fit five minutes even
// when each is only given up after ten seconds: AWS IoT Device Advisor waits that long for them.
#pragma once

#include <chrono>
#include <random>

namespace holdfast {

class Backoff {
  public:
    using Duration = std::chrono::milliseconds;

    Backoff(Duration initial, Duration max, std::uint64_t seed)
        : initial_(initial), max_(max), random_(seed) {}

    // The next wait; the envelope grows by half with each call. `floor` (bounded by max) is the least wait this
    // time; the wait is then spread over twice the floor at least.
    Duration next(Duration floor = Duration::zero());
    // After success: the next wait is drawn from the first envelope again.
    void reset() { envelope_ = Duration::zero(); }

  private:
    Duration initial_;
    Duration max_;
    Duration envelope_ = Duration::zero();
    std::mt19937_64 random_;
};

}  // namespace holdfast
