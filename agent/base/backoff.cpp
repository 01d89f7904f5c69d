#include "base/backoff.hpp"

#include <algorithm>

namespace holdfast {

Backoff::Duration Backoff::next(Duration floor) {
    envelope_ = envelope_ == Duration::zero() ? std::min(initial_, max_) : std::min(envelope_ * 2, max_);
    const auto low = std::min(floor, max_).count();
    const auto high = std::max(envelope_.count(), low);
    return Duration(std::uniform_int_distribution<Duration::rep>(low, high)(random_));
}

}  // namespace holdfast
