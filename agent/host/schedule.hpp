// When the next sample is due. Passive: told what happened and what time it is.
//
// Samples start one interval apart, counted from start to start, without drift.
// A sample that takes longer than its interval, or starts later than that,
// makes the missed ones fall out; they are counted, and not caught up in a
// burst. While samples fail the interval doubles, up to 5 minutes.
#pragma once

#include <cstdint>
#include <optional>
#include <utility>

#include "base/clock.hpp"

namespace holdfast::host {

// `first` doubled `times` times, but not beyond `most` (nor below `first`).
Micros grown(Micros first, std::uint32_t times, Micros most);

inline constexpr Micros most_retry{300'000'000};

class Schedule {
  public:
    // The first sample is due at once.
    Schedule(Micros interval, MonoTime now) : interval_(interval), due_(now) {}

    // None: never, until sample_after() asks for one.
    std::optional<MonoTime> due() const { return due_; }

    // A call into the plugin (a sample, or an event) starts; what it asks for
    // counts from here.
    void begin_call(MonoTime now) { call_start_ = now; }
    // The plugin asks for its next sample after `delay`, negative: never. Holds
    // for one time.
    void sample_after(Micros delay) { asked_ = delay; }
    // The call was an event: only what it asked for changes the schedule.
    void end_event();
    // The call was the sample that was due. A failing one ignores what was asked
    // for, but "never".
    enum class Outcome { well, failed };
    void end_sample(Outcome outcome, MonoTime now);
    // Samples that fell out since the last time this was asked.
    std::uint64_t take_missed() { return std::exchange(missed_, 0); }

  private:
    void follow(Micros interval, MonoTime now);

    Micros interval_;
    std::optional<MonoTime> due_;
    MonoTime call_start_{};
    std::optional<Micros> asked_;
    std::uint32_t failures_ = 0;  // in a row
    std::uint64_t missed_ = 0;
};

}  // namespace holdfast::host
