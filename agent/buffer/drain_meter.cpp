#include "buffer/drain_meter.hpp"

#include <algorithm>
#include <cmath>

namespace holdfast {

std::int64_t DrainMeter::second_of(MonoTime time) {
    return std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count();
}

DrainMeter::Slot& DrainMeter::slot(MonoTime now) {
    const std::int64_t second = second_of(now);
    Slot& slot = slots_[static_cast<std::size_t>(second % window_s)];
    if (slot.second != second) slot = {second, 0, 0};
    return slot;
}

DrainMeter::Sums DrainMeter::sums(MonoTime now) const {
    Sums sums;
    const std::int64_t oldest = second_of(now) - window_s + 1;
    for (const Slot& slot : slots_) {
        if (slot.second < oldest) continue;
        sums.taken_in += static_cast<double>(slot.taken_in);
        sums.left += static_cast<double>(slot.left);
    }
    // The oldest slot is whole, the newest has only begun.
    const std::chrono::duration<double> begun = now.time_since_epoch() - std::chrono::seconds(oldest);
    const std::chrono::duration<double> running = now - started_;
    const double seconds = std::max(1.0, std::min(begun.count(), running.count()));
    return {sums.taken_in / seconds, sums.left / seconds};
}

double DrainMeter::rate(MonoTime now) const {
    return sums(now).left;
}

std::optional<std::int64_t> DrainMeter::seconds_to_empty(std::uint64_t held, MonoTime now) const {
    const Sums per_second = sums(now);
    const double fewer = per_second.left - per_second.taken_in;
    if (fewer <= 0) return std::nullopt;
    return static_cast<std::int64_t>(std::ceil(static_cast<double>(held) / fewer));
}

}  // namespace holdfast
