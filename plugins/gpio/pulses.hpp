// Counts pulses and says how fast they come. No clock and no descriptor in it: it is told of edges and asked.
#pragma once

#include <cstdint>
#include <optional>

namespace gpio_input {

class Pulses {
  public:
    // After `idle_us` without a pulse the rate is 0.
    explicit Pulses(std::int64_t idle_us) : idle_us_(idle_us) {}

    // An edge of the kernel's number `line_seqno`, which counts all edges since the line was taken, at a time
    // of CLOCK_MONOTONIC. Edges come in order; those that the kernel dropped are counted by the gap.
    void take(std::uint32_t line_seqno, std::uint64_t timestamp_ns);

    // All pulses since the line was taken.
    std::int64_t count() const { return count_; }
    // Pulses a second; asked once an interval. It is over the time from pulse to pulse and not over the
    // interval, so that slow pulses give a steady rate; while none comes, it falls as the wait grows.
    double rate(std::int64_t now_us);

  private:
    struct Pulse {
        std::int64_t count;
        std::int64_t time_ns;
    };

    std::int64_t idle_us_;
    std::uint32_t last_seqno_ = 0;
    std::int64_t count_ = 0;
    std::optional<Pulse> first_;      // of this interval
    std::optional<Pulse> last_;       // of all
    std::optional<Pulse> reference_;  // the last one before this interval
    bool was_quiet_ = false;          // the interval before had no pulse
    double rate_ = 0;
};

}  // namespace gpio_input
