#include "buffer/buffer.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "buffer/support.hpp"

namespace holdfast::test {
namespace {

using std::chrono::seconds;
using testing::ElementsAre;

BufferConfig strict_config() {
    BufferConfig config;
    config.durability = Durability::strict;
    return config;
}

TEST(Buffer, OffersWhatWasTakenInInOrder) {
    BufferInDirectory test;
    test.buffer->set_link(true);
    for (int i = 0; i < 3; ++i)
        test.append(make_batch());
    EXPECT_THAT(seqs(test.peek_all()), ElementsAre(1, 2, 3));
    EXPECT_EQ(test.buffer->status().readings, 30);
}

TEST(Buffer, WritesNothingWhileTheFirstLinkIsExpectedAndComesInTime) {
    BufferInDirectory test;
    test.buffer->expect_link();
    const std::uint64_t written = test.buffer->status().written_bytes;
    test.append(make_batch());
    test.clock.advance(seconds(1));  // commit_interval, were the link down
    (void)test.buffer->step();
    test.buffer->set_link(true);
    EXPECT_THAT(seqs(test.peek_all()), ElementsAre(1));
    test.buffer->ack(1);
    test.clock.advance(seconds(10));
    (void)test.buffer->step();
    EXPECT_EQ(test.buffer->status().written_bytes, written);
}

TEST(Buffer, WritesWhatWaitedTooLongForTheFirstLink) {
    BufferInDirectory test;
    test.buffer->expect_link();
    test.append(make_batch());
    test.clock.advance(seconds(2));  // spill_after
    (void)test.buffer->step();
    EXPECT_EQ(test.buffer->status().in_memory_readings, 0);
    test.append(make_batch());
    test.buffer->set_link(false);
    test.clock.advance(seconds(1));
    (void)test.buffer->step();
    EXPECT_EQ(test.buffer->status().in_memory_readings, 0);
}

// A real clock is later at each look; what is due "now" must still be due.
class TickingClock final : public Clock {
  public:
    MonoTime now() const override { return MonoTime(Micros(boot_us())); }
    std::int64_t boot_us() const override { return ++ticks_; }
    std::int64_t wall_us() const override { return 1'795'371'137'000'000 + ++ticks_; }
    bool synchronised() const override { return true; }

  private:
    mutable std::int64_t ticks_ = 3'600'000'000;
};

TEST(Buffer, DeletesWhatWasAcknowledgedAndShrinksTheFileAtOnce) {
    const TempDir directory;
    const TickingClock clock;
    RecordingLog log;
    auto buffer = std::move(Buffer::open(directory.path(), {}, clock, log).value());
    buffer->set_link(false);
    for (int i = 0; i < 3'000; ++i)
        buffer->append(make_batch(10, "host", Priority::normal, 1'000));
    buffer->set_link(true);
    while (const auto batch = buffer->peek())
        buffer->ack(batch->header.seq);
    const std::uint64_t before = buffer->status().bytes;
    EXPECT_GT(before, 2'000'000U);
    // As the store thread does: again at once while something is due at once.
    std::optional<MonoTime> due;
    do
        due = buffer->step();
    while (due && *due <= clock.now());
    EXPECT_LT(buffer->status().bytes, before / 10);
}

TEST(Buffer, GivesBackTheSameBatchFromDisk) {
    BufferInDirectory test;
    const Batch original = make_batch(7, "host", Priority::high, 5'000);
    test.append(original);
    test.reopen();
    test.buffer->set_link(true);
    const auto found = test.buffer->peek();
    ASSERT_TRUE(found);
    EXPECT_EQ(found->body, original.body);
    EXPECT_EQ(found->header.input, "host");
    EXPECT_EQ(found->header.priority, Priority::high);
    EXPECT_EQ(found->header.kind, BatchKind::readings);
    EXPECT_EQ(found->header.count, 7);
    EXPECT_EQ(found->header.first_us, original.header.first_us);
    EXPECT_EQ(found->header.last_us, original.header.last_us);
    EXPECT_EQ(found->header.boot, original.header.boot);
    EXPECT_EQ(found->header.wall_offset_us, original.header.wall_offset_us);
    EXPECT_EQ(found->header.clock, ClockState::synchronised);
}

TEST(Buffer, OffersNothingWhileTheLinkIsDown) {
    BufferInDirectory test;
    test.append(make_batch());
    EXPECT_FALSE(test.buffer->peek());
}

TEST(Buffer, OffersHighPriorityFirst) {
    BufferInDirectory test;
    test.buffer->set_link(true);
    test.append(make_batch(1, "a", Priority::low));
    test.append(make_batch(1, "b", Priority::normal));
    test.append(make_batch(1, "c", Priority::high));
    EXPECT_THAT(seqs(test.peek_all()), ElementsAre(3, 2, 1));
}

TEST(Buffer, OffersABatchOnceUntilItIsGivenBack) {
    BufferInDirectory test;
    test.buffer->set_link(true);
    test.append(make_batch());
    ASSERT_TRUE(test.buffer->peek());
    EXPECT_FALSE(test.buffer->peek());
    test.buffer->give_back(1);
    EXPECT_THAT(seqs(test.peek_all()), ElementsAre(1));
    test.buffer->ack(1);
    test.buffer->ack(1);
    test.buffer->give_back(1);
    EXPECT_FALSE(test.buffer->peek());
    EXPECT_EQ(test.buffer->status().readings, 0);
    EXPECT_EQ(test.buffer->status().batches, 0);
}

TEST(Buffer, OfflineWritesNothingWhileTheBrokerAcknowledges) {
    BufferInDirectory test;
    test.buffer->set_link(true);
    test.settle();
    const std::uint64_t written = test.buffer->status().written_bytes;
    for (int i = 0; i < 1'000; ++i) {
        test.append(make_batch());
        test.buffer->step();
        const auto batch = test.buffer->peek();
        ASSERT_TRUE(batch);
        test.clock.advance(seconds(1));
        test.buffer->step();
        test.buffer->ack(batch->header.seq);
        test.settle();
    }
    EXPECT_EQ(test.buffer->status().written_bytes, written);
}

TEST(Buffer, OfflineCommitsWithinTheCommitIntervalWhileTheLinkIsDown) {
    BufferInDirectory test;
    test.append(make_batch());
    const auto due = test.buffer->step();
    ASSERT_TRUE(due);
    EXPECT_EQ(*due, test.clock.now() + test.config.commit_interval);
    EXPECT_EQ(test.buffer->status().in_memory_readings, 10);
    EXPECT_EQ(test.buffer->status().committed_readings, 0);
    test.pass(test.config.commit_interval);
    EXPECT_EQ(test.buffer->status().in_memory_readings, 0);
    EXPECT_EQ(test.buffer->status().committed_readings, 10);
}

TEST(Buffer, OfflineSpillsWhatStaysUnacknowledged) {
    BufferInDirectory test;
    test.buffer->set_link(true);
    test.append(make_batch());
    ASSERT_TRUE(test.buffer->peek());
    test.pass(test.config.spill_after - Micros(1));
    EXPECT_EQ(test.buffer->status().committed_readings, 0);
    test.pass(Micros(1));
    EXPECT_EQ(test.buffer->status().committed_readings, 10);
    EXPECT_EQ(test.buffer->status().readings, 10);
    test.buffer->ack(1);
    EXPECT_EQ(test.buffer->status().readings, 0);
    test.pass(test.config.commit_interval);
    test.reopen();
    EXPECT_EQ(test.buffer->status().batches, 0);
}

TEST(Buffer, CommitsAtOnceWhenTheLinkGoesDownAndTheIntervalHasPassed) {
    BufferInDirectory test;
    test.buffer->set_link(true);
    test.append(make_batch());
    test.pass(test.config.commit_interval);
    EXPECT_EQ(test.buffer->status().committed_readings, 0);
    test.buffer->set_link(false);
    test.settle();
    EXPECT_EQ(test.buffer->status().committed_readings, 10);
}

TEST(Buffer, StrictOffersNothingBeforeItIsCommitted) {
    BufferInDirectory test(strict_config());
    test.buffer->set_link(true);
    test.append(make_batch());
    test.settle();
    EXPECT_FALSE(test.buffer->peek());
    test.pass(test.config.commit_interval);
    EXPECT_EQ(test.buffer->status().committed_readings, 10);
    EXPECT_TRUE(test.buffer->peek());
}

TEST(Buffer, CommitIntervalZeroCommitsAtEachStep) {
    BufferConfig config = strict_config();
    config.commit_interval = Micros(0);
    BufferInDirectory test(config);
    test.buffer->set_link(true);
    test.append(make_batch());
    EXPECT_FALSE(test.buffer->peek());
    test.buffer->step();
    EXPECT_TRUE(test.buffer->peek());
}

TEST(Buffer, LiveBatchesGoBeforeTheBacklog) {
    BufferInDirectory test;
    for (int i = 0; i < 100; ++i)
        test.append(make_batch());
    test.pass(test.config.commit_interval);
    test.buffer->set_link(true);
    EXPECT_EQ(test.buffer->peek()->header.seq, 1);
    test.append(make_batch());
    EXPECT_EQ(test.buffer->peek()->header.seq, 101);
    EXPECT_EQ(test.buffer->peek()->header.seq, 2);
}

TEST(Buffer, OldestFirstKeepsTheOrderOfArrival) {
    BufferConfig config;
    config.drain = Drain::oldest_first;
    BufferInDirectory test(config);
    for (int i = 0; i < 100; ++i)
        test.append(make_batch());
    test.pass(test.config.commit_interval);
    test.buffer->set_link(true);
    for (int i = 0; i < 50; ++i)
        test.append(make_batch());
    const auto all = seqs(test.peek_all());
    ASSERT_EQ(all.size(), 150);
    for (std::uint64_t i = 0; i < 150; ++i)
        EXPECT_EQ(all[i], i + 1);
}

TEST(Buffer, BacklogThatIsGivenBackIsOfferedAgainInOrder) {
    BufferInDirectory test;
    for (int i = 0; i < 200; ++i)
        test.append(make_batch());
    test.reopen();
    test.buffer->set_link(true);
    for (int i = 0; i < 100; ++i)
        ASSERT_TRUE(test.buffer->peek());
    for (std::uint64_t seq = 1; seq <= 100; seq += 2)
        test.buffer->ack(seq);
    for (std::uint64_t seq = 2; seq <= 100; seq += 2)
        test.buffer->give_back(seq);
    const auto again = seqs(test.peek_all());
    ASSERT_EQ(again.size(), 150);
    EXPECT_TRUE(std::is_sorted(again.begin(), again.end()));
    EXPECT_EQ(again[0], 2);
    EXPECT_EQ(again[49], 100);
    EXPECT_EQ(again[50], 101);
}

TEST(Buffer, CloseCommitsEverythingLentBatchesIncluded) {
    BufferInDirectory test;
    test.buffer->set_link(true);
    for (int i = 0; i < 5; ++i)
        test.append(make_batch());
    ASSERT_TRUE(test.buffer->peek());
    test.reopen();
    EXPECT_EQ(test.buffer->status().committed_readings, 50);
    test.buffer->set_link(true);
    EXPECT_THAT(seqs(test.peek_all()), ElementsAre(1, 2, 3, 4, 5));
}

TEST(Buffer, SeqsGoOnAfterACleanClose) {
    BufferInDirectory test;
    test.append(make_batch());
    const std::uint64_t epoch = test.buffer->epoch();
    test.reopen();
    EXPECT_EQ(test.buffer->epoch(), epoch);
    test.append(make_batch());
    test.buffer->set_link(true);
    EXPECT_THAT(seqs(test.peek_all()), ElementsAre(2, 1));
}

TEST(Buffer, MemoryAboveItsBoundGoesToDisk) {
    BufferConfig config;
    config.memory = kibibytes(256);
    BufferInDirectory test(config);
    test.buffer->set_link(true);
    for (int i = 0; i < 1'000; ++i)
        test.append(make_batch(10, "in", Priority::normal, 1'000));
    const BufferStatus status = test.buffer->status();
    EXPECT_EQ(status.readings, 10'000);
    EXPECT_GT(status.committed_readings, 7'000);
    EXPECT_EQ(test.peek_all().size(), 1'000);
}

TEST(Buffer, TheFileIsPrivate) {
    BufferInDirectory test;
    const auto permissions = std::filesystem::status(test.directory / "buffer.db").permissions();
    EXPECT_EQ(permissions, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
    EXPECT_FALSE(std::filesystem::exists(test.directory / "buffer.db-shm"));
}

TEST(Buffer, TheFileShrinksAfterTheBacklogIsGone) {
    BufferInDirectory test;
    for (int i = 0; i < 3'000; ++i)
        test.append(make_batch(100, "in", Priority::normal, 1'300));
    test.pass(test.config.commit_interval);
    const std::uint64_t full = test.buffer->status().bytes;
    EXPECT_GT(full, 3'000'000);
    test.buffer->set_link(true);
    while (auto batch = test.buffer->peek())
        test.buffer->ack(batch->header.seq);
    test.pass(test.config.commit_interval);
    test.pass(test.config.commit_interval);
    EXPECT_EQ(test.buffer->status().batches, 0);
    EXPECT_LT(test.buffer->status().bytes, 300'000);
}

TEST(Buffer, TakesFewBytesPerReading) {
    BufferConfig config;
    BufferInDirectory test(config);
    const std::uint64_t written = test.buffer->status().written_bytes;
    for (int second = 0; second < 5; ++second) {
        for (int i = 0; i < 2'000; ++i)
            test.append(make_batch(100, "simulator", Priority::normal, 1'270));
        test.pass(test.config.commit_interval);
    }
    const double readings = 1'000'000;
    ASSERT_TRUE(test.buffer->close());
    EXPECT_LE(static_cast<double>(test.buffer->status().written_bytes - written) / readings, 30);
    EXPECT_LE(static_cast<double>(std::filesystem::file_size(test.directory / "buffer.db")) / readings, 14);
}

}  // namespace
}  // namespace holdfast::test
