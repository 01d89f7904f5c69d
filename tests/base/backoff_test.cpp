#include "base/backoff.hpp"

#include <gtest/gtest.h>

#include <set>

namespace holdfast {
namespace {

using namespace std::chrono_literals;

// The largest of many first waits after `failures` failures: with full jitter it comes close to the envelope.
Backoff::Duration largest_wait(int failures, Backoff::Duration initial, Backoff::Duration max) {
    Backoff::Duration largest{};
    for (std::uint64_t seed = 0; seed < 500; ++seed) {
        Backoff backoff(initial, max, seed);
        for (int i = 0; i < failures; ++i)
            (void)backoff.next();
        largest = std::max(largest, backoff.next());
    }
    return largest;
}

TEST(Backoff, GrowsItsEnvelopeByHalfWithEachFailure) {
    auto envelope = 1000ms;
    for (int failures = 0; failures < 6; ++failures, envelope = envelope * 3 / 2) {
        EXPECT_LE(largest_wait(failures, 1s, 1h), envelope);
        EXPECT_GT(largest_wait(failures, 1s, 1h), envelope * 9 / 10);
    }
}

TEST(Backoff, NeverWaitsLongerThanTheMaximum) {
    Backoff backoff(1s, 5s, 1);
    for (int i = 0; i < 1000; ++i)
        EXPECT_LE(backoff.next(), 5s);
}

TEST(Backoff, NeverWaitsLongerThanAMaximumBelowTheInitialWait) {
    Backoff backoff(10s, 2s, 1);
    for (int i = 0; i < 100; ++i)
        EXPECT_LE(backoff.next(), 2s);
}

TEST(Backoff, SpreadsItsWaitsOverTheWholeEnvelope) {
    Backoff backoff(8s, 8s, 7);
    std::set<int> eighths;
    for (int i = 0; i < 1000; ++i)
        eighths.insert(static_cast<int>(backoff.next().count() / 1000));
    for (int eighth = 0; eighth < 8; ++eighth)
        EXPECT_TRUE(eighths.contains(eighth)) << eighth;
}

TEST(Backoff, GivesDifferentGatewaysDifferentWaits) {
    Backoff one(1h, 1h, 1);
    Backoff other(1h, 1h, 2);
    EXPECT_NE(one.next(), other.next());
}

TEST(Backoff, NeverWaitsLessThanTheFloor) {
    Backoff backoff(1s, 5min, 3);
    for (int i = 0; i < 1000; ++i) {
        const auto wait = backoff.next(60s);
        EXPECT_GE(wait, 60s);
        EXPECT_LE(wait, 5min);
    }
}

TEST(Backoff, SpreadsAWaitThatHasAFloor) {
    std::set<std::int64_t> seconds;
    for (std::uint64_t seed = 0; seed < 100; ++seed)
        seconds.insert(Backoff(1s, 5min, seed).next(60s) / 1s);
    EXPECT_GT(seconds.size(), 30U);
}

TEST(Backoff, BoundsTheFloorByTheMaximum) {
    Backoff backoff(1s, 10s, 3);
    for (int i = 0; i < 100; ++i)
        EXPECT_EQ(backoff.next(60s), 10s);
}

TEST(Backoff, StartsOverAfterReset) {
    Backoff backoff(1s, 1h, 5);
    for (int i = 0; i < 10; ++i)
        (void)backoff.next();
    backoff.reset();
    EXPECT_LE(backoff.next(), 1s);
    EXPECT_LE(backoff.next(), 2s);
}

TEST(Backoff, SurvivesAnyNumberOfFailures) {
    Backoff backoff(1ms, Backoff::Duration::max() / 4, 5);
    for (int i = 0; i < 10'000; ++i)
        EXPECT_GE(backoff.next(), 0ms);
}

}  // namespace
}  // namespace holdfast
