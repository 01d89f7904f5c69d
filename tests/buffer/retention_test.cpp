// What goes when a bound is reached: by policy, age and free disk.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "buffer/batch_database.hpp"
#include "buffer/faulty_vfs.hpp"
#include "buffer/support.hpp"

namespace holdfast::test {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

BufferConfig small_config(WhenFull when_full) {
    BufferConfig config;
    config.max_size = mebibytes(1);
    config.when_full = when_full;
    return config;
}

std::map<std::string, std::uint64_t> readings_by_input(const std::vector<Batch>& batches) {
    std::map<std::string, std::uint64_t> readings;
    for (const Batch& batch : batches)
        readings[batch.header.input] += readings_held(batch.header);
    return readings;
}

std::vector<Batch> gaps_of(const std::vector<Batch>& batches) {
    std::vector<Batch> gaps;
    for (const Batch& batch : batches)
        if (batch.header.kind == BatchKind::gap) gaps.push_back(batch);
    return gaps;
}

GapReason reason_of(const Batch& gap) {
    return decode_body(BatchKind::gap, gap.body)->reason;
}

void fill(BufferInDirectory& test, int batches, const std::string& input = "in",
          Priority priority = Priority::normal) {
    for (int i = 0; i < batches; ++i) {
        test.append(make_batch(10, input, priority, 1'300));
        if (i % 20 == 0) test.pass(test.config.commit_interval);
    }
    test.pass(test.config.commit_interval);
}

// --- drop_newest

TEST(BufferDropNewest, KeepsTheBeginningOfAnOutage) {
    BufferInDirectory test(small_config(WhenFull::drop_newest));
    fill(test, 2'000);
    const BufferStatus status = test.buffer->status();
    EXPECT_GT(status.dropped_readings, 0);
    EXPECT_EQ(status.readings + status.dropped_readings, 20'000);
    EXPECT_EQ(test.log.count(LogLevel::warning), 1) << test.log.text();
    test.reopen();
    test.buffer->set_link(true);
    const auto all = test.peek_all();
    const std::uint64_t kept = status.readings / 10;
    for (const Batch& batch : all) {
        if (batch.header.kind != BatchKind::gap) {
            EXPECT_LT(batch.header.seq, kept + 100);  // the beginning, but for what just fitted in
        }
    }
    EXPECT_EQ(readings_by_input(all)["in"], status.readings);
    ASSERT_EQ(gaps_of(all).size(), 1);
    EXPECT_EQ(gaps_of(all)[0].header.count, status.dropped_readings);
    EXPECT_EQ(reason_of(gaps_of(all)[0]), GapReason::max_size);
}

TEST(BufferDropNewest, HighPriorityStillPushesOutTheNewestOfLow) {
    BufferInDirectory test(small_config(WhenFull::drop_newest));
    fill(test, 2'000, "low", Priority::low);
    const std::uint64_t low_before = test.buffer->status().readings;
    fill(test, 100, "high", Priority::high);
    test.buffer->set_link(true);
    const auto all = test.peek_all();
    auto readings = readings_by_input(all);
    EXPECT_EQ(readings["high"], 1'000);
    EXPECT_LT(readings["low"], low_before);
    EXPECT_GT(readings["low"], 0);
    for (const Batch& batch : all)
        if (batch.header.input == "low" && batch.header.kind == BatchKind::readings) {
            EXPECT_LE(batch.header.seq, readings["low"] / 10);
        }
}

// --- block

TEST(BufferBlock, AsksTheInputsToWaitBeforeItIsFullAndLosesNothing) {
    BufferInDirectory test(small_config(WhenFull::block));
    int batches = 0;
    for (; test.buffer->has_room() && batches < 5'000; ++batches) {
        test.append(make_batch(10, "in", Priority::normal, 1'300));
        test.settle();
        if (batches % 20 == 0) test.pass(test.config.commit_interval);
    }
    EXPECT_FALSE(test.buffer->has_room());
    EXPECT_TRUE(test.buffer->status().inputs_wait);
    // What is under way when the inputs are stopped still finds room on disk.
    for (std::uint64_t bytes = 0; bytes < inbox_limit(test.config).count; bytes += 1'300, ++batches)
        test.append(make_batch(10, "in", Priority::normal, 1'300));
    test.pass(test.config.commit_interval);
    const BufferStatus status = test.buffer->status();
    EXPECT_EQ(status.committed_readings, static_cast<std::uint64_t>(batches) * 10);
    EXPECT_EQ(status.dropped_readings, 0);
    EXPECT_LE(status.bytes, test.config.max_size.count);
    EXPECT_EQ(test.log.count(LogLevel::warning), 1) << test.log.text();
}

TEST(BufferBlock, DoesNotFillMemoryWhileTheFirstLinkIsBeingMade) {
    BufferInDirectory test(small_config(WhenFull::block));
    test.buffer->expect_link();
    for (int i = 0; test.buffer->has_room() && i < 5'000; ++i) {
        test.append(make_batch(10, "in", Priority::normal, 1'300));
        test.settle();
    }
    EXPECT_FALSE(test.buffer->has_room());
    test.buffer->set_link(false);
    test.pass(test.config.commit_interval);
    EXPECT_EQ(test.buffer->status().in_memory_readings, 0);
}

TEST(BufferBlock, HoldsInMemoryWhatComesAllTheSameAndTakesItInWhenThereIsRoom) {
    for (const Durability durability : {Durability::offline, Durability::strict}) {
        BufferConfig config = small_config(WhenFull::block);
        config.durability = durability;
        BufferInDirectory test(config);
        fill(test, 1'500);
        const BufferStatus full = test.buffer->status();
        EXPECT_EQ(full.readings, 15'000);
        EXPECT_EQ(full.dropped_readings, 0);
        EXPECT_GT(full.in_memory_readings, 0);
        EXPECT_LE(full.bytes, test.config.max_size.count);
        EXPECT_FALSE(test.buffer->has_room());
        test.buffer->set_link(true);
        std::uint64_t delivered = 0;
        std::set<std::uint64_t> seqs;
        for (int turns = 0; turns < 10'000 && delivered < 15'000; ++turns) {
            while (auto batch = test.buffer->peek()) {
                EXPECT_TRUE(seqs.insert(batch->header.seq).second);
                delivered += batch->header.count;
                test.buffer->ack(batch->header.seq);
            }
            test.pass(test.config.commit_interval);
        }
        EXPECT_EQ(delivered, 15'000);
        EXPECT_TRUE(test.buffer->has_room());
        EXPECT_EQ(test.buffer->status().readings, 0);
    }
}

TEST(BufferBlock, WaitsWhileTheDiskFails) {
    FaultyVfs disk;
    BufferConfig config = small_config(WhenFull::block);
    config.memory = kibibytes(256);
    BufferInDirectory test(config);
    disk.write_result = SQLITE_IOERR_WRITE;
    int batches = 0;
    for (; test.buffer->has_room() && batches < 1'000; ++batches) {
        test.append(make_batch(10, "in", Priority::normal, 1'300));
        test.pass(test.config.commit_interval);
    }
    EXPECT_LT(batches, 1'000);
    EXPECT_EQ(test.buffer->status().dropped_readings, 0);
    disk.write_result = SQLITE_OK;
    test.pass(minutes(2));
    EXPECT_TRUE(test.buffer->has_room());
    EXPECT_EQ(test.buffer->status().committed_readings, static_cast<std::uint64_t>(batches) * 10);
}

// --- max_age

TEST(BufferMaxAge, DropsWhatIsTooOldAndTellsSo) {
    BufferConfig config;
    config.max_age = hours(24);
    BufferInDirectory test(config);
    fill(test, 100, "old");
    test.pass(hours(12));
    fill(test, 100, "new");
    test.pass(hours(11));
    EXPECT_EQ(test.buffer->status().dropped_readings, 0);
    test.pass(hours(2));
    EXPECT_EQ(test.buffer->status().dropped_readings, 1'000);
    EXPECT_EQ(test.log.count(LogLevel::warning), 1) << test.log.text();
    test.buffer->set_link(true);
    const auto all = test.peek_all();
    EXPECT_EQ(readings_by_input(all), (std::map<std::string, std::uint64_t>{{"new", 1'000}, {"old", 0}}));
    ASSERT_EQ(gaps_of(all).size(), 1);
    EXPECT_EQ(reason_of(gaps_of(all)[0]), GapReason::max_age);
    EXPECT_EQ(gaps_of(all)[0].header.count, 1'000);
}

TEST(BufferMaxAge, AJumpOfTheWallClockMakesNothingOld) {
    BufferConfig config;
    config.max_age = hours(24);
    BufferInDirectory test(config);
    fill(test, 50);
    test.clock.set_wall_us(2'145'913'200'000'000);  // 2038
    test.pass(minutes(1));
    test.clock.set_wall_us(0);
    test.pass(minutes(1));
    test.reopen();
    test.pass(minutes(1));
    EXPECT_EQ(test.buffer->status().readings, 500);
    EXPECT_EQ(test.buffer->status().dropped_readings, 0);
}

TEST(BufferMaxAge, CountsRunningTimeOverRestarts) {
    BufferConfig config;
    config.max_age = hours(24);
    BufferInDirectory test(config);
    fill(test, 50);
    for (int i = 0; i < 3; ++i) {
        test.pass(hours(7));
        test.close();
        test.clock.advance(hours(1'000));  // the agent does not run
        test.open();
        EXPECT_EQ(test.buffer->status().readings, 500);
    }
    test.pass(hours(4));
    EXPECT_EQ(test.buffer->status().readings, 0);
    EXPECT_EQ(test.buffer->status().dropped_readings, 500);
}

TEST(BufferMaxAge, WhatIsLentDoesNotAge) {
    BufferConfig config;
    config.max_age = hours(1);
    BufferInDirectory test(config);
    fill(test, 1);
    test.buffer->set_link(true);
    const auto lent = test.buffer->peek();
    ASSERT_TRUE(lent);
    test.pass(hours(2));
    EXPECT_EQ(test.buffer->status().dropped_readings, 0);
    test.buffer->ack(lent->header.seq);
    EXPECT_EQ(test.buffer->status().readings, 0);
}

// --- free disk

// All that the file system has is to be kept free, so that the file may not grow at all.
BufferConfig no_free_disk() {
    BufferConfig config;
    config.min_free = Bytes{std::uint64_t{1} << 60};
    config.memory = kibibytes(256);
    return config;
}

TEST(BufferFreeDisk, StaysInMemoryWhileTheFileIsSmallAndMayNotGrow) {
    BufferInDirectory test(no_free_disk());
    const std::uint64_t before = test.buffer->status().bytes;
    fill(test, 1'000);
    const BufferStatus status = test.buffer->status();
    EXPECT_EQ(status.readings + status.dropped_readings, 10'000);
    EXPECT_GT(status.in_memory_readings, 1'000);
    EXPECT_LE(status.bytes, before + 300'000);
    EXPECT_THAT(status.last_error, testing::HasSubstr("min_free"));
    test.buffer->set_link(true);
    const auto all = test.peek_all();
    std::uint64_t told = 0;
    for (const Batch& gap : gaps_of(all)) {
        EXPECT_EQ(reason_of(gap), GapReason::disk_full);
        told += gap.header.count;
    }
    EXPECT_EQ(told, status.dropped_readings);
}

TEST(BufferFreeDisk, MakesRoomWithinTheFileThatItHas) {
    BufferInDirectory test;
    fill(test, 3'000);
    test.close();
    test.config.min_free = Bytes{std::uint64_t{1} << 60};
    test.open();
    const std::uint64_t before = test.buffer->status().bytes;
    fill(test, 1'000, "new");
    const BufferStatus status = test.buffer->status();
    EXPECT_EQ(status.last_error, "");
    EXPECT_GT(status.dropped_readings, 0);
    EXPECT_EQ(status.readings + status.dropped_readings, 40'000);
    EXPECT_LE(status.bytes, before + FileBudget(test.config.max_size).wal_bytes);
    test.buffer->set_link(true);
    auto all = test.peek_all();
    EXPECT_EQ(readings_by_input(all)["new"], 10'000);
    ASSERT_EQ(gaps_of(all).size(), 1);
    EXPECT_EQ(reason_of(gaps_of(all)[0]), GapReason::disk_full);
}

TEST(BufferFreeDisk, DefaultLeavesATwentiethAtMostAndDoesNotDisturb) {
    BufferInDirectory test;
    fill(test, 1'000);
    EXPECT_EQ(test.buffer->status().committed_readings, 10'000);
}

}  // namespace
}  // namespace holdfast::test
