// A clock that stands still until the test moves it. Thread-safe, so that a test may move it under a running
// thread.
#pragma once

#include <atomic>

#include "base/clock.hpp"

namespace holdfast::test {

class FakeClock final : public Clock {
  public:
    // Begins an hour after boot, at some time in 2026, synchronised.
    MonoTime now() const override { return MonoTime(Micros(boot_us())); }
    std::int64_t boot_us() const override { return boot_us_; }
    std::int64_t wall_us() const override { return boot_us_ + wall_offset_us_; }
    bool synchronised() const override { return synchronised_; }

    // All three clocks go on together.
    void advance(Micros by) { boot_us_ += by.count(); }
    // Only the wall clock jumps, as when somebody sets it.
    void set_wall_us(std::int64_t wall_us) { wall_offset_us_ = wall_us - boot_us_; }
    void set_synchronised(bool synchronised) { synchronised_ = synchronised; }

  private:
    std::atomic<std::int64_t> boot_us_ = 3'600'000'000;
    std::atomic<std::int64_t> wall_offset_us_ = 1'795'371'137'123'000 - 3'600'000'000;
    std::atomic<bool> synchronised_ = true;
};

}  // namespace holdfast::test
