#include "base/clock.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <string>

#include "support/fake_clock.hpp"

namespace holdfast {
namespace {

TEST(SystemClock, DoesNotGoBackwards) {
    const SystemClock clock;
    const auto mono = clock.now();
    const auto boot = clock.boot_us();
    EXPECT_LE(mono, clock.now());
    EXPECT_LE(boot, clock.boot_us());
    EXPECT_GT(boot, 0);
}

TEST(SystemClock, CountsWallTimeInMicrosecondsSince1970) {
    const SystemClock clock;
    const std::int64_t before = std::int64_t{::time(nullptr)} * 1'000'000;
    const std::int64_t wall = clock.wall_us();
    EXPECT_GE(wall, before - 1'000'000);  // time() may lag by a tick
    EXPECT_LE(wall, (std::int64_t{::time(nullptr)} + 1) * 1'000'000);
}

TEST(BootId, IsThatOfTheKernel) {
    std::string text;
    if (!std::getline(std::ifstream("/proc/sys/kernel/random/boot_id"), text))
        GTEST_SKIP() << "no boot id here";
    std::erase(text, '-');
    std::string hex;
    for (const std::uint8_t byte : read_boot_id()) {
        hex += "0123456789abcdef"[byte >> 4];
        hex += "0123456789abcdef"[byte & 15];
    }
    EXPECT_EQ(hex, text);
}

TEST(FakeClock, MovesAllClocksTogetherAndTheWallAlone) {
    test::FakeClock clock;
    const auto mono = clock.now();
    const auto boot = clock.boot_us();
    const auto wall = clock.wall_us();
    clock.advance(Micros(5));
    EXPECT_EQ(clock.now() - mono, Micros(5));
    EXPECT_EQ(clock.boot_us() - boot, 5);
    EXPECT_EQ(clock.wall_us() - wall, 5);
    clock.set_wall_us(42);
    EXPECT_EQ(clock.wall_us(), 42);
    EXPECT_EQ(clock.boot_us() - boot, 5);
}

}  // namespace
}  // namespace holdfast
