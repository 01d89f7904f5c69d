// What the buffer does when its disk is full or fails.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <set>

#include "buffer/faulty_vfs.hpp"
#include "buffer/support.hpp"

namespace holdfast::test {
namespace {

using std::chrono::minutes;
namespace fs = std::filesystem;

struct FaultyBuffer {
    FaultyVfs disk;  // first: the buffer closes before it goes
    BufferInDirectory test;
    explicit FaultyBuffer(BufferConfig config = {}) : test(config) {}
};

BufferConfig small_memory() {
    BufferConfig config;
    config.memory = kibibytes(256);
    return config;
}

TEST(BufferFaults, AnHourWithAFullDiskLosesOnlyWhatIsCounted) {
    for (const int code : {SQLITE_FULL, SQLITE_IOERR_WRITE}) {
        FaultyBuffer faulty(small_memory());
        BufferInDirectory& test = faulty.test;
        faulty.disk.write_result = code;
        for (int i = 0; i < 3'600; ++i) {
            test.append(make_batch(10, "in", Priority::normal, 1'000));
            test.pass(test.config.commit_interval);
        }
        const BufferStatus during = test.buffer->status();
        EXPECT_NE(during.last_error, "");
        EXPECT_GT(during.dropped_readings, 0);
        EXPECT_EQ(during.readings + during.dropped_readings, 36'000);
        EXPECT_LT(during.in_memory_readings * 100, kibibytes(256).count);
        EXPECT_EQ(test.log.count(LogLevel::error), 1) << test.log.text();

        faulty.disk.write_result = SQLITE_OK;
        test.pass(minutes(2));
        const BufferStatus after = test.buffer->status();
        EXPECT_EQ(after.last_error, "");
        EXPECT_EQ(after.dropped_readings, during.dropped_readings);
        EXPECT_EQ(after.committed_readings, 36'000 - during.dropped_readings);
        EXPECT_EQ(after.in_memory_readings, 0);
        test.reopen();
        test.buffer->set_link(true);
        const auto gap = test.buffer->peek();
        ASSERT_TRUE(gap);
        ASSERT_EQ(gap->header.kind, BatchKind::gap);
        EXPECT_EQ(gap->header.count, during.dropped_readings);
        EXPECT_EQ(decode_body(BatchKind::gap, gap->body)->reason, GapReason::disk_full);
    }
}

TEST(BufferFaults, DrainsWhileTheDiskCanNotBeWritten) {
    for (const Durability durability : {Durability::offline, Durability::strict}) {
        BufferConfig config;
        config.durability = durability;
        FaultyBuffer faulty(config);
        BufferInDirectory& test = faulty.test;
        faulty.disk.write_result = SQLITE_IOERR_WRITE;
        test.append(make_batch());
        test.pass(test.config.spill_after);
        test.buffer->set_link(true);
        const auto batch = test.buffer->peek();
        ASSERT_TRUE(batch);
        test.buffer->ack(batch->header.seq);
        EXPECT_EQ(test.buffer->status().readings, 0);
        faulty.disk.write_result = SQLITE_OK;
    }
}

TEST(BufferFaults, StartsWithADiskThatCanNotBeWritten) {
    FaultyVfs disk;
    BufferInDirectory test;
    test.append(make_batch());
    test.close();
    disk.write_result = SQLITE_FULL;
    test.open();
    EXPECT_NE(test.buffer->status().last_error, "");
    test.append(make_batch());
    test.buffer->set_link(true);
    const auto batch = test.buffer->peek();
    ASSERT_TRUE(batch);
    EXPECT_GT(batch->header.seq, 1'000'000);  // none of a block that another start may reserve
    disk.write_result = SQLITE_OK;
    test.pass(minutes(2));
    EXPECT_EQ(test.buffer->status().last_error, "");
    EXPECT_EQ(test.buffer->status().committed_readings, 20);
}

TEST(BufferFaults, AFailedSyncLosesNothing) {
    FaultyBuffer faulty;
    BufferInDirectory& test = faulty.test;
    faulty.disk.sync_result = SQLITE_IOERR_FSYNC;
    for (int i = 0; i < 100; ++i) {
        test.append(make_batch());
        test.pass(test.config.commit_interval);
    }
    faulty.disk.sync_result = SQLITE_OK;
    test.pass(minutes(2));
    test.reopen();
    EXPECT_EQ(test.buffer->status().committed_readings, 1'000);
    EXPECT_EQ(test.buffer->status().batches, 100);
    test.buffer->set_link(true);
    std::set<std::uint64_t> found;
    for (const Batch& batch : test.peek_all())
        found.insert(batch.header.seq);
    EXPECT_EQ(found.size(), 100);
}

// A commit whose sync fails is in the WAL all the same, and the next open finds it.
TEST(BufferFaults, WhatWasSentWhileItsCommitWasInDoubtIsNotCountedAgain) {
    FaultyBuffer faulty;
    BufferInDirectory& test = faulty.test;
    test.append(make_batch());
    faulty.disk.sync_result = SQLITE_IOERR_FSYNC;
    test.pass(test.config.commit_interval);
    test.buffer->set_link(true);
    const auto batch = test.buffer->peek();
    ASSERT_TRUE(batch);
    test.buffer->ack(batch->header.seq);
    faulty.disk.sync_result = SQLITE_OK;
    test.pass(minutes(2));
    EXPECT_EQ(test.buffer->status().last_error, "");
    EXPECT_EQ(test.buffer->status().acked_readings, 10);
    EXPECT_EQ(test.buffer->status().readings, 0);
    test.reopen();
    EXPECT_EQ(test.buffer->status().readings, 0);
}

TEST(BufferFaults, StartsWithoutItsDatabaseAndTakesItOverWhenItCanBeOpened) {
    FaultyBuffer faulty;
    BufferInDirectory& test = faulty.test;
    for (int i = 0; i < 5; ++i)
        test.append(make_batch());
    test.close();
    faulty.disk.open_result = SQLITE_CANTOPEN;
    test.open();
    EXPECT_NE(test.buffer->status().last_error, "");
    EXPECT_EQ(test.buffer->status().readings, 0);
    const std::uint64_t epoch = test.buffer->epoch();
    for (int i = 0; i < 5; ++i)
        test.append(make_batch());
    test.buffer->set_link(true);
    const auto sent = test.buffer->peek();
    ASSERT_TRUE(sent);
    test.buffer->ack(sent->header.seq);
    test.buffer->set_link(false);
    faulty.disk.open_result = SQLITE_OK;
    test.pass(minutes(2));
    EXPECT_EQ(test.buffer->status().last_error, "");
    EXPECT_EQ(test.buffer->status().committed_readings, 90);
    test.reopen();
    EXPECT_EQ(test.buffer->epoch(), epoch);
    test.buffer->set_link(true);
    std::set<std::uint64_t> found;
    for (const Batch& batch : test.peek_all())
        found.insert(batch.header.seq);
    EXPECT_EQ(found.size(), 9);
    EXPECT_FALSE(found.contains(sent->header.seq));
}

TEST(BufferFaults, StartsWhenItsDirectoryCanNotBeMade) {
    BufferInDirectory test;
    test.close();
    fs::remove_all(test.directory.path());
    std::ofstream(test.directory.path()) << "a file";
    test.open();
    EXPECT_THAT(test.buffer->status().last_error, testing::HasSubstr("cannot make the directory"));
    test.append(make_batch());
    test.pass(minutes(2));
    EXPECT_EQ(test.buffer->status().in_memory_readings, 10);
    fs::remove(test.directory.path());
    test.pass(minutes(2));
    EXPECT_EQ(test.buffer->status().last_error, "");
    EXPECT_EQ(test.buffer->status().committed_readings, 10);
}

// What the agent's own user may do; tests often run as root, who may do everything.
class AsNobody {
  public:
    AsNobody() { EXPECT_EQ(::seteuid(65'534), 0); }
    ~AsNobody() { EXPECT_EQ(::seteuid(0), 0); }
};

TEST(BufferFaults, SaysWhoHasToOwnItsFilesAndGoesOnWhenTheyDo) {
    if (::geteuid() != 0) GTEST_SKIP() << "only root can give files away";
    BufferInDirectory test;
    test.append(make_batch());
    test.close();
    const fs::path file = test.directory / "buffer.db";
    ASSERT_EQ(::chown(test.directory.path().c_str(), 65'534, 65'534), 0);
    {
        const AsNobody nobody;
        test.open();
        EXPECT_THAT(
            test.buffer->status().last_error,
            testing::HasSubstr("buffer.db belongs to root and not to nobody: chown nobody " + file.string()));
        test.append(make_batch());
        test.pass(minutes(2));
    }
    EXPECT_EQ(test.log.count(LogLevel::error), 1) << test.log.text();
    ASSERT_EQ(::chown(file.c_str(), 65'534, 65'534), 0);
    ASSERT_EQ(::chmod(test.directory.path().c_str(), 0500), 0);
    {
        const AsNobody nobody;
        test.pass(minutes(2));
        EXPECT_THAT(test.buffer->status().last_error, testing::HasSubstr("chmod u+rwx"));
    }
    ASSERT_EQ(::chmod(test.directory.path().c_str(), 0700), 0);
    const AsNobody nobody;
    test.pass(minutes(2));
    EXPECT_EQ(test.buffer->status().last_error, "");
    EXPECT_EQ(test.buffer->status().committed_readings, 20);
    test.close();
}

TEST(BufferFaults, ADirectoryInTheDatabasesPlaceIsSetAside) {
    BufferInDirectory test;
    test.close();
    fs::remove(test.directory / "buffer.db");
    fs::create_directories(test.directory / "buffer.db" / "kept");
    test.open();
    test.append(make_batch());
    test.pass(test.config.commit_interval);
    EXPECT_EQ(test.buffer->status().committed_readings, 10);
    EXPECT_TRUE(fs::is_directory(test.directory / "buffer.db.corrupt-1" / "kept"));
}

TEST(BufferFaults, CloseSaysThatReadingsAreLost) {
    FaultyBuffer faulty;
    faulty.test.append(make_batch());
    faulty.disk.write_result = SQLITE_IOERR_WRITE;
    const auto closed = faulty.test.buffer->close();
    ASSERT_FALSE(closed);
    EXPECT_THAT(closed.error().text, testing::HasSubstr("10 readings"));
}

}  // namespace
}  // namespace holdfast::test
