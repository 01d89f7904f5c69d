#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "buffer/support.hpp"

namespace holdfast::test {
namespace {

using testing::Each;
using testing::Ge;

BufferConfig small_config(Bytes max_size = mebibytes(1)) {
    BufferConfig config;
    config.max_size = max_size;
    return config;
}

std::uint64_t bytes_on_disk(const BufferInDirectory& test) {
    std::uint64_t bytes = 0;
    for (const auto& entry : std::filesystem::directory_iterator(test.directory.path()))
        bytes += entry.file_size();
    return bytes;
}

std::uint64_t readings_in(const std::vector<Batch>& batches, BatchKind kind) {
    std::uint64_t readings = 0;
    for (const Batch& batch : batches)
        if (batch.header.kind == kind) readings += batch.header.count;
    return readings;
}

TEST(BufferBounds, FileAndWalStayWithinMaxSizeAtAllTimes) {
    for (const std::size_t body : {100U, 1'300U, 5'000U, 60'000U}) {
        BufferInDirectory test(small_config());
        std::uint64_t most = 0;
        const auto batches = static_cast<int>(mebibytes(3).count / body);
        for (int i = 0; i < batches; ++i) {
            test.append(make_batch(10, "in" + std::to_string(i % 7), static_cast<Priority>(i % 3), body));
            if (i % (batches / 20) == 0) test.pass(test.config.commit_interval);
            most = std::max(most, bytes_on_disk(test));
        }
        EXPECT_LE(most, test.config.max_size.count) << "bodies of " << body;
        EXPECT_GT(most, test.config.max_size.count / 2) << "bodies of " << body;
        EXPECT_EQ(test.buffer->status().last_error, "");
    }
}

TEST(BufferBounds, EvictsOldestFirstWhenBudgetIsExceeded) {
    BufferInDirectory test(small_config());
    for (int i = 0; i < 2'000; ++i) {
        test.append(make_batch(10, "in", Priority::normal, 1'300));
        if (i % 20 == 0) test.pass(test.config.commit_interval);
    }
    test.pass(test.config.commit_interval);
    const BufferStatus status = test.buffer->status();
    EXPECT_GT(status.dropped_readings, 0);
    EXPECT_EQ(status.readings + status.dropped_readings, 20'000);
    test.reopen();
    test.buffer->set_link(true);
    const auto all = test.peek_all();
    ASSERT_FALSE(all.empty());
    // The gap record comes first; what follows is the newest, without a hole.
    EXPECT_EQ(all[0].header.kind, BatchKind::gap);
    const std::vector<Batch> rest(all.begin() + 1, all.end());
    EXPECT_EQ(rest.back().header.seq - rest.front().header.seq, rest.size() - 1);
    EXPECT_EQ(readings_in(rest, BatchKind::readings), status.readings);
}

TEST(BufferBounds, TheGapRecordTellsExactlyWhatWasDropped) {
    BufferInDirectory test(small_config());
    for (int i = 0; i < 2'000; ++i) {
        Batch batch = make_batch(10, i % 2 == 0 ? "even" : "odd", Priority::normal, 1'300);
        batch.header.first_us = 1'000 * i;
        batch.header.last_us = 1'000 * i + 500;
        test.append(std::move(batch));
        if (i % 20 == 0) test.pass(test.config.commit_interval);
    }
    test.pass(test.config.commit_interval);
    const std::uint64_t dropped = test.buffer->status().dropped_readings;
    EXPECT_GT(dropped, 0);
    test.buffer->set_link(true);
    std::map<std::string, std::uint64_t> gaps;
    for (int records = 0; records < 2; ++records) {
        const auto gap = test.buffer->peek();
        ASSERT_TRUE(gap);
        ASSERT_EQ(gap->header.kind, BatchKind::gap);
        EXPECT_EQ(gap->header.first_us, gap->header.input == "even" ? 0 : 1'000);
        gaps[gap->header.input] = gap->header.count;
        const auto body = decode_body(BatchKind::gap, gap->body);
        ASSERT_TRUE(body);
        EXPECT_EQ(body->reason, GapReason::max_size);
        ASSERT_EQ(body->tags.size(), 1);
        EXPECT_EQ(body->tags[0].value, "b2");
    }
    EXPECT_EQ(gaps.size(), 2);
    EXPECT_EQ(gaps["even"] + gaps["odd"], dropped);
    EXPECT_EQ(test.log.count(LogLevel::warning), 1);
}

TEST(BufferBounds, LowPriorityIsDroppedFirst) {
    BufferInDirectory test(small_config());
    for (int i = 0; i < 150; ++i)
        test.append(make_batch(1, "low", Priority::low, 1'300));
    test.pass(test.config.commit_interval);
    for (int i = 0; i < 400; ++i)
        test.append(make_batch(1, "high", Priority::high, 1'300));
    test.pass(test.config.commit_interval);
    EXPECT_GT(test.buffer->status().dropped_readings, 0);
    test.buffer->set_link(true);
    std::map<std::string, std::uint64_t> held;
    for (const Batch& batch : test.peek_all())
        if (batch.header.kind == BatchKind::readings) held[batch.header.input] += 1;
    EXPECT_EQ(held["high"], 400);
    EXPECT_EQ(held["low"] + test.buffer->status().dropped_readings, 150);
}

TEST(BufferBounds, LowPriorityNeverPushesOutHigh) {
    BufferInDirectory test(small_config());
    for (int i = 0; i < 1'000; ++i)
        test.append(make_batch(1, "high", Priority::high, 1'300));
    test.pass(test.config.commit_interval);
    const std::uint64_t held = test.buffer->status().readings;
    for (int i = 0; i < 100; ++i)
        test.append(make_batch(1, "low", Priority::low, 1'300));
    test.pass(test.config.commit_interval);
    test.buffer->set_link(true);
    std::uint64_t high = 0;
    for (const Batch& batch : test.peek_all())
        high += batch.header.input == "high" && batch.header.kind == BatchKind::readings ? 1 : 0;
    EXPECT_EQ(high, held);
}

TEST(BufferBounds, LentBatchesAreNeverDropped) {
    BufferInDirectory test(small_config());
    for (int i = 0; i < 100; ++i)
        test.append(make_batch(1, "in", Priority::normal, 1'300));
    test.pass(test.config.commit_interval);
    test.buffer->set_link(true);
    for (int i = 0; i < 10; ++i)
        ASSERT_TRUE(test.buffer->peek());
    test.buffer->set_link(false);
    for (int i = 0; i < 2'000; ++i)
        test.append(make_batch(1, "in", Priority::normal, 1'300));
    test.pass(test.config.commit_interval);
    for (std::uint64_t seq = 1; seq <= 10; ++seq)
        test.buffer->give_back(seq);
    test.buffer->set_link(true);
    std::uint64_t found = 0;
    for (const Batch& batch : test.peek_all())
        found += batch.header.seq <= 10 ? 1 : 0;
    EXPECT_EQ(found, 10);
}

TEST(BufferBounds, AnEpisodeIsTwoLinesInTheLog) {
    BufferInDirectory test(small_config());
    for (int i = 0; i < 2'000; ++i) {
        test.append(make_batch(10, "in", Priority::normal, 1'300));
        if (i % 10 == 0) test.pass(test.config.commit_interval);
    }
    EXPECT_EQ(test.log.entries().size(), 1);
    test.buffer->set_link(true);
    while (auto batch = test.buffer->peek())
        test.buffer->ack(batch->header.seq);
    test.pass(test.config.commit_interval);
    test.pass(test.config.commit_interval);
    EXPECT_EQ(test.log.entries().size(), 2) << test.log.text();
    EXPECT_TRUE(
        test.log.has(std::to_string(test.buffer->status().dropped_readings) + " readings were dropped"));
}

TEST(BufferBounds, ALoweredMaxSizeIsReached) {
    BufferInDirectory test(small_config(mebibytes(8)));
    for (int i = 0; i < 4'000; ++i)
        test.append(make_batch(1, "in", Priority::normal, 1'300));
    test.close();
    test.config.max_size = mebibytes(2);
    test.open();
    test.append(make_batch(1, "in", Priority::normal, 1'300));
    test.pass(test.config.commit_interval);
    test.pass(test.config.commit_interval);
    EXPECT_LE(bytes_on_disk(test), mebibytes(2).count);
    const BufferStatus status = test.buffer->status();
    EXPECT_GT(status.readings, 500);
    EXPECT_EQ(status.readings + status.dropped_readings, 4'001);
}

TEST(BufferBounds, MemoryStaysFlatWhileTheLinkIsDown) {
    BufferConfig config;
    config.memory = mebibytes(1);
    BufferInDirectory test(config);
    for (int i = 0; i < 5'000; ++i)
        test.append(make_batch(1, "in", Priority::normal, 1'300));
    // In memory is only what was not committed for size: less than the bound.
    EXPECT_LT(test.buffer->status().in_memory_readings * 1'300, mebibytes(1).count);
    EXPECT_EQ(test.buffer->status().readings, 5'000);
}

}  // namespace
}  // namespace holdfast::test
