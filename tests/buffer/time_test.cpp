// Clocks: readings taken before the clock was set, jumps, and the pace of the backlog.
#include <gtest/gtest.h>

#include "buffer/drain_meter.hpp"
#include "buffer/drain_pace.hpp"
#include "buffer/support.hpp"
#include "support/make_batch.hpp"

namespace holdfast::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr std::int64_t in_1970 = 10'000'000;
constexpr std::int64_t in_2026 = 1'795'371'137'123'000;

// A batch as the pipeline makes it now.
Batch batch_now(const BufferInDirectory& test) {
    Batch batch = make_batch();
    batch.header.boot = read_boot_id();
    batch.header.first_us = batch.header.last_us = test.clock.boot_us();
    batch.header.wall_offset_us = test.clock.wall_us() - test.clock.boot_us();
    batch.header.clock = test.clock.synchronised() ? ClockState::synchronised : ClockState::unsynchronised;
    return batch;
}

std::int64_t wall_of(const Batch& batch) {
    return batch.header.first_us + batch.header.wall_offset_us;
}

struct UnsetClock {
    BufferInDirectory test;
    UnsetClock() {
        test.clock.set_synchronised(false);
        test.clock.set_wall_us(in_1970);
        test.append(batch_now(test));
    }
    void set_clock() {
        test.clock.set_synchronised(true);
        test.clock.set_wall_us(in_2026);
    }
};

// A reading each second, so that it can be split.
Batch splittable_now(const BufferInDirectory& test) {
    Batch batch = batch_now(test);
    BatchMaker maker("host");
    const auto number = maker.channel("n", ValueType::i64);
    for (int i = 0; i < 4; ++i)
        maker.add(batch.header.first_us + i * 1'000'000, {Value::of(number, std::int64_t{i})});
    const Batch made = maker.batch(0);
    batch.header.count = made.header.count;
    batch.body = made.body;
    return batch;
}

TEST(BufferClock, CorrectsThePartsOfWhatWasNeverSent) {
    for (const bool on_disk : {false, true}) {
        BufferInDirectory test;
        test.clock.set_synchronised(false);
        test.clock.set_wall_us(in_1970);
        test.append(splittable_now(test));
        if (on_disk) test.pass(test.config.commit_interval);
        test.buffer->set_link(true);
        ASSERT_TRUE(test.buffer->peek());
        test.clock.set_synchronised(true);
        test.clock.set_wall_us(in_2026);
        test.pass(milliseconds(1'500));
        test.buffer->split({1, 40});
        test.settle();
        const auto parts = test.peek_all();
        EXPECT_GE(parts.size(), 2U) << on_disk;
        for (const Batch& part : parts)
            EXPECT_EQ(part.header.clock, ClockState::corrected) << on_disk;
    }
}

TEST(BufferClock, CorrectsWhatWasTakenInBeforeTheClockWasSet) {
    for (const bool on_disk : {false, true}) {
        UnsetClock unset;
        BufferInDirectory& test = unset.test;
        if (on_disk) test.pass(test.config.commit_interval);
        test.clock.advance(minutes(1));
        unset.set_clock();
        test.buffer->set_link(true);
        const std::int64_t taken_us = in_2026 - (test.clock.boot_us() - 3'600'000'000);
        const auto batch = test.buffer->peek();
        ASSERT_TRUE(batch);
        EXPECT_EQ(batch->header.clock, ClockState::corrected);
        EXPECT_EQ(wall_of(*batch), taken_us);
    }
}

TEST(BufferClock, SaysThatTimesCanNotBeTrustedWhenTheClockNeverWasSet) {
    UnsetClock unset;
    unset.test.buffer->set_link(true);
    const auto batch = unset.test.buffer->peek();
    ASSERT_TRUE(batch);
    EXPECT_EQ(batch->header.clock, ClockState::unsynchronised);
    EXPECT_EQ(wall_of(*batch), in_1970);
}

TEST(BufferClock, AMessageThatWasSentBeforeTheClockWasSetKeepsItsTimes) {
    for (const bool on_disk : {false, true}) {
        UnsetClock unset;
        BufferInDirectory& test = unset.test;
        if (on_disk) test.pass(test.config.commit_interval);
        test.buffer->set_link(true);
        const auto sent = test.buffer->peek();
        ASSERT_TRUE(sent);
        test.buffer->set_link(false);
        test.buffer->give_back(sent->header.seq);
        unset.set_clock();
        test.pass(minutes(1));
        for (const bool restarted : {false, true}) {
            if (restarted) test.reopen();
            test.buffer->set_link(true);
            const auto again = test.buffer->peek();
            ASSERT_TRUE(again);
            EXPECT_EQ(wall_of(*again), wall_of(*sent));
            EXPECT_NE(again->header.clock, ClockState::corrected);
            test.buffer->set_link(false);
            test.buffer->give_back(again->header.seq);
            test.pass(minutes(1));
        }
    }
}

TEST(BufferClock, TheCorrectionOfABootIsKeptAndStaysTheSame) {
    UnsetClock unset;
    BufferInDirectory& test = unset.test;
    test.pass(test.config.commit_interval);
    unset.set_clock();
    test.pass(seconds(2));
    const auto once = [&] {
        test.buffer->set_link(true);
        const auto batch = test.buffer->peek();
        test.buffer->set_link(false);
        test.buffer->give_back(batch->header.seq);
        return wall_of(*batch);
    };
    const std::int64_t corrected = once();
    EXPECT_GT(corrected, in_2026 - 10'000'000);
    test.clock.set_wall_us(in_2026 + 777'000'000);  // somebody sets the clock again
    test.pass(minutes(1));
    EXPECT_EQ(once(), corrected);
    test.reopen();
    EXPECT_EQ(once(), corrected);
}

TEST(BufferClock, WithoutACommitNothingIsWrittenForTheClock) {
    UnsetClock unset;
    BufferInDirectory& test = unset.test;
    test.buffer->set_link(true);
    const auto batch = test.buffer->peek();
    test.buffer->ack(batch->header.seq);
    const std::uint64_t written = test.buffer->status().written_bytes;
    unset.set_clock();
    test.pass(minutes(5));
    EXPECT_EQ(test.buffer->status().written_bytes, written);
}

TEST(BufferClock, OrderDoesNotFollowTheWallClock) {
    BufferInDirectory test;
    std::vector<std::uint64_t> order;
    for (const std::int64_t wall : {in_2026, in_1970, in_2026 + 9'000'000'000, std::int64_t{5}}) {
        test.clock.set_wall_us(wall);
        test.append(batch_now(test));
        test.pass(test.config.commit_interval);
    }
    test.reopen();
    test.buffer->set_link(true);
    EXPECT_EQ(seqs(test.peek_all()), (std::vector<std::uint64_t>{1, 2, 3, 4}));
}

TEST(BufferClock, TheAgeOfTheOldestIsInRunningTime) {
    BufferInDirectory test;
    EXPECT_EQ(test.buffer->status().oldest_age_s, std::nullopt);
    test.append(make_batch());
    test.clock.set_wall_us(in_2026 + 9'000'000'000'000);
    test.pass(minutes(2));
    EXPECT_EQ(test.buffer->status().oldest_age_s, 120);
    test.reopen();
    test.pass(seconds(30));
    EXPECT_EQ(test.buffer->status().oldest_age_s, 150);
}

// --- pace

// Fills the disk, then sends for a minute, each batch acknowledged at once; returns the readings of the
// backlog and the live ones.
std::pair<std::uint64_t, std::uint64_t> send_a_minute(BufferConfig config) {
    BufferInDirectory test(config);
    for (int i = 0; i < 1'000; ++i)
        test.append(make_batch(10));
    test.pass(test.config.commit_interval);
    test.buffer->set_link(true);
    std::uint64_t backlog = 0;
    std::uint64_t live = 0;
    for (int tick = 0; tick < 600; ++tick) {
        test.append(make_batch(1, "live"));
        while (auto batch = test.buffer->peek()) {
            (batch->header.input == "live" ? live : backlog) += batch->header.count;
            test.buffer->ack(batch->header.seq);
        }
        test.pass(milliseconds(100));
    }
    return {backlog, live};
}

TEST(BufferPace, DrainRateHoldsTheBacklogAndNotWhatIsNew) {
    BufferConfig config;
    config.drain_rate = 20;
    const auto [backlog, live] = send_a_minute(config);
    EXPECT_GE(backlog, 1'180);
    EXPECT_LE(backlog, 1'220);
    EXPECT_EQ(live, 600);
}

TEST(BufferPace, OldestFirstHoldsWhatIsNewBehindTheBacklog) {
    BufferConfig config;
    config.drain_rate = 20;
    config.drain = Drain::oldest_first;
    const auto [backlog, live] = send_a_minute(config);
    EXPECT_GE(backlog, 1'180);
    EXPECT_LE(backlog, 1'220);
    EXPECT_EQ(live, 0);
}

TEST(BufferPace, WithoutALimitTheBacklogGoesAtOnce) {
    const auto [backlog, live] = send_a_minute({});
    EXPECT_EQ(backlog, 10'000);
    EXPECT_EQ(live, 600);
}

TEST(BufferPace, SaysWhenToAskAgain) {
    BufferConfig config;
    config.drain_rate = 10;
    BufferInDirectory test(config);
    test.append(make_batch(10));
    test.append(make_batch(10));
    test.pass(test.config.commit_interval);
    test.buffer->set_link(true);
    ASSERT_TRUE(test.buffer->peek());
    EXPECT_FALSE(test.buffer->peek());
    const auto due = test.buffer->step();
    ASSERT_TRUE(due);
    EXPECT_LE(*due, test.clock.now() + seconds(1));
    test.clock.advance(seconds(1));
    EXPECT_TRUE(test.buffer->peek());
}

TEST(DrainPace, WhatWasNotUsedIsNotSavedUp) {
    const MonoTime start{seconds(1'000)};
    DrainPace pace(100);
    EXPECT_EQ(pace.wait(start), std::nullopt);
    pace.spend(200, start);
    EXPECT_EQ(pace.wait(start + seconds(1)), start + seconds(2));
    EXPECT_EQ(pace.wait(start + seconds(50)), std::nullopt);
    pace.spend(100, start + seconds(50));
    EXPECT_EQ(pace.wait(start + seconds(50)), start + seconds(51));
}

TEST(DrainMeter, TellsRateAndTimeToEmpty) {
    MonoTime now{seconds(1'000)};
    DrainMeter meter(now);
    for (int i = 0; i < 20; ++i, now += seconds(1)) {
        meter.left(500, now);
        meter.taken_in(100, now);
    }
    EXPECT_NEAR(meter.rate(now - milliseconds(1)), 500, 60);
    EXPECT_NEAR(static_cast<double>(*meter.seconds_to_empty(40'000, now - milliseconds(1))), 100, 15);
    now += seconds(30);
    EXPECT_EQ(meter.rate(now), 0);
    EXPECT_EQ(meter.seconds_to_empty(40'000, now), std::nullopt);
}

TEST(DrainMeter, NoTimeToEmptyWhileMoreComesThanGoes) {
    const MonoTime now{seconds(1'000)};
    DrainMeter meter(now);
    meter.left(100, now);
    meter.taken_in(200, now);
    EXPECT_EQ(meter.seconds_to_empty(1'000, now), std::nullopt);
}

}  // namespace
}  // namespace holdfast::test
