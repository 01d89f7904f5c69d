// Makes readings out of nothing, at a set rate or as fast as they are taken, numbered so that a lost or a
// doubled one shows.
//
// Reading n is due at start + n / rate on the monotonic clock, whatever the delays of single calls: the rate
// does not drift. A call that comes late emits all that is due, each with its right age; what is more than a
// second late moves the schedule.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <holdfast/plugin.hpp>

namespace simulator {

class Simulator {
  public:
    static constexpr bool opens_without_device = true;
    using Clock = std::int64_t (*)();  // microseconds, monotonic

    // Throws EINVAL when an option is out of range.
    explicit Simulator(holdfast::plugin::Host host, Clock clock = holdfast::plugin::monotonic_us);
    void sample();

  private:
    enum class Shape { counter, sine, random };

    bool done() const { return count_ > 0 && n_ >= count_; }
    void emit_due();
    void emit_burst();
    void emit_next(std::int64_t age_us);
    double value(std::size_t channel);
    std::int64_t due_us(std::int64_t n) const;

    holdfast::plugin::Host host_;
    Clock clock_;
    Shape shape_;
    double rate_;
    std::int64_t count_;
    std::string run_;
    std::uint64_t random_;
    std::vector<holdfast::plugin::Channel<double>> channels_;
    holdfast::plugin::Channel<std::int64_t> n_channel_;
    holdfast::plugin::Channel<std::string_view> run_channel_;
    holdfast::plugin::Reading reading_;
    std::int64_t n_ = 0;
    std::int64_t start_us_ = -1;  // when reading 0 was due; -1: not sampled yet
};

}  // namespace simulator
