#include "base/backoff.hpp"

#include <algorithm>

namespace holdfast {

Backoff::Duration Backoff::next(Duration floor) {
    envelope_ = envelope_ == Duration::zero() ? std::min(initial_, max_) : std::min(envelope_ * 3 / 2, max_);
    const auto low = std::min(floor, max_).count();
    // Twice the floor at least: a thousand waits of exactly the floor would end in the same second.
    const auto high = std::max(envelope_.count(), low > max_.count() / 2 ? max_.count() : 2 * low);
    return Duration(std::uniform_int_distribution<Duration::rep>(low, high)(random_));
}

}  // namespace holdfast
