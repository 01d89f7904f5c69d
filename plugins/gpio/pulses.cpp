#include "pulses.hpp"

#include <algorithm>

namespace gpio_input {

void Pulses::take(std::uint32_t line_seqno, std::uint64_t timestamp_ns) {
    count_ += static_cast<std::uint32_t>(line_seqno - last_seqno_);  // the kernel's number wraps around
    last_seqno_ = line_seqno;
    last_ = Pulse{count_, static_cast<std::int64_t>(timestamp_ns)};
    if (!first_) first_ = last_;
}

double Pulses::rate(std::int64_t now_us) {
    if (first_) {
        // Where several come after a pause, the pause is no part of how fast they come.
        const bool after_pause = was_quiet_ && last_->count - first_->count >= 1;
        const Pulse from = reference_ && !after_pause ? *reference_ : *first_;
        if (last_->time_ns > from.time_ns)
            rate_ = static_cast<double>(last_->count - from.count) /
                    (static_cast<double>(last_->time_ns - from.time_ns) / 1e9);
    } else if (last_) {
        const std::int64_t waited_us = now_us - last_->time_ns / 1000;
        if (waited_us >= idle_us_)
            rate_ = 0;
        else if (waited_us > 0)
            rate_ = std::min(rate_, 1e6 / static_cast<double>(waited_us));
    }
    was_quiet_ = !first_;
    reference_ = last_;
    first_.reset();
    return rate_;
}

}  // namespace gpio_input
