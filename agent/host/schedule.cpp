#include "host/schedule.hpp"

#include <algorithm>
#include <utility>

namespace holdfast::host {

Micros grown(Micros first, std::uint32_t times, Micros most) {
    Micros wait = first;
    for (std::uint32_t i = 0; i < times && wait < most; ++i)
        wait *= 2;
    return std::max(first, std::min(wait, most));
}

void Schedule::end_event() {
    if (const auto asked = std::exchange(asked_, std::nullopt)) {
        due_.reset();
        if (*asked >= Micros::zero()) due_ = call_start_ + *asked;
    }
}

void Schedule::end_sample(Outcome outcome, MonoTime now) {
    if (asked_ && *asked_ < Micros::zero()) return end_event();
    if (outcome == Outcome::failed) {
        asked_.reset();
        follow(grown(interval_, ++failures_, most_retry), now);
        return;
    }
    failures_ = 0;
    if (asked_) return end_event();
    follow(interval_, now);
}

void Schedule::follow(Micros interval, MonoTime now) {
    const MonoTime start = due_.value_or(call_start_);
    const MonoTime next = start + interval;
    const auto missed = next < now ? (now - next + interval - Micros(1)) / interval : 0;
    due_ = next + missed * interval;
    missed_ += static_cast<std::uint64_t>(missed);
}

}  // namespace holdfast::host
