// The three clocks of the agent, behind one interface so that tests own the time.
//
// Waiting and scheduling use MonoTime only; a jump of the wall clock never stalls or bursts anything. A
// reading is stamped with the boot clock (CLOCK_BOOTTIME, which goes on during suspend) and gets its wall
// time from the offset between the two.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>

namespace holdfast {

using Micros = std::chrono::microseconds;
using MonoTime = std::chrono::steady_clock::time_point;

// The kernel's /proc/sys/kernel/random/boot_id as 16 bytes; all zero when it can't be read.
using BootId = std::array<std::uint8_t, 16>;

class Clock {
  public:
    virtual ~Clock() = default;
    virtual MonoTime now() const = 0;
    virtual std::int64_t boot_us() const = 0;  // microseconds since boot, CLOCK_BOOTTIME
    virtual std::int64_t wall_us() const = 0;  // microseconds since 1970-01-01 UTC, CLOCK_REALTIME
    // Whether the kernel says that the wall clock is disciplined (adjtimex without STA_UNSYNC).
    virtual bool synchronised() const = 0;
};

class SystemClock final : public Clock {
  public:
    MonoTime now() const override { return std::chrono::steady_clock::now(); }
    std::int64_t boot_us() const override;
    std::int64_t wall_us() const override;
    bool synchronised() const override;
};

// Reads the boot id from the real /proc: it names this boot of the kernel, not of a sensor root.
BootId read_boot_id();

}  // namespace holdfast
