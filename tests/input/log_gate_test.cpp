#include <gtest/gtest.h>

#include "input/log_gate.hpp"

namespace holdfast {
namespace {

using namespace std::chrono_literals;

TEST(LogGate, PassesABoundedNumberOfLinesAMinuteAndSaysHowManyItHeldBack) {
    LogGate gate;
    const MonoTime start{1h};
    std::uint32_t passed = 0;
    for (int i = 0; i < 1000; ++i)
        passed += gate.pass(start + i * 1ms) ? 1 : 0;
    EXPECT_EQ(passed, LogGate::lines_a_minute);
    EXPECT_EQ(gate.take_held_back(start + 59s), 0u);
    EXPECT_EQ(gate.take_held_back(start + 61s), 1000u - LogGate::lines_a_minute);
    EXPECT_EQ(gate.take_held_back(start + 62s), 0u);
    EXPECT_TRUE(gate.pass(start + 62s));
}

}  // namespace
}  // namespace holdfast
