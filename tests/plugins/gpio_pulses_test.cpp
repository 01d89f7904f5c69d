// The pulse counter: its number and its rate.
#include <gtest/gtest.h>

#include "gpio/pulses.hpp"

namespace holdfast::test {
namespace {

constexpr std::uint64_t ms = 1'000'000;  // in nanoseconds

TEST(GpioPulses, CountOverTheEndOfTheKernelsNumber) {
    gpio_input::Pulses pulses(1'000'000);
    pulses.take(0xFFFFFFFF, 1);
    EXPECT_EQ(pulses.count(), 0xFFFFFFFF);
    pulses.take(1, 2);
    EXPECT_EQ(pulses.count(), 0x100000001);
}

TEST(GpioPulses, GiveSlowPulsesASteadyRateThatFallsWhileNoneComes) {
    gpio_input::Pulses pulses(100'000'000);
    EXPECT_EQ(pulses.rate(0), 0);
    pulses.take(1, 10'000 * ms);
    EXPECT_EQ(pulses.rate(10'000'000), 0);
    pulses.take(2, 35'000 * ms);  // 25 s later: two intervals of 10 s without one
    EXPECT_DOUBLE_EQ(pulses.rate(40'000'000), 1.0 / 25);
    EXPECT_DOUBLE_EQ(pulses.rate(50'000'000), 1.0 / 25);
    EXPECT_DOUBLE_EQ(pulses.rate(60'000'000), 1.0 / 25);
    EXPECT_DOUBLE_EQ(pulses.rate(85'000'000), 1.0 / 50);
    EXPECT_EQ(pulses.rate(135'000'000), 0);
}

TEST(GpioPulses, LeaveAPauseOutOfTheRateOfWhatComesAfterIt) {
    gpio_input::Pulses pulses(1'000'000'000);
    pulses.take(1, 1000 * ms);
    pulses.take(2, 2000 * ms);
    EXPECT_DOUBLE_EQ(pulses.rate(2'000'000), 1);
    pulses.rate(60'000'000);
    for (std::uint32_t i = 0; i < 11; ++i)
        pulses.take(3 + i, 61'000 * ms + i * 100 * ms);
    EXPECT_DOUBLE_EQ(pulses.rate(70'000'000), 10);
}

}  // namespace
}  // namespace holdfast::test
