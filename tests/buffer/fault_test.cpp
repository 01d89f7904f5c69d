// What the buffer does when its disk is full, fails, or what is on it is damaged.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

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

TEST(BufferFaults, AFullDiskTurnsMemoryIntoARingAndLosesOnlyWhatIsCounted) {
    for (const int code : {SQLITE_FULL, SQLITE_IOERR_WRITE}) {
        FaultyBuffer faulty(small_memory());
        BufferInDirectory& test = faulty.test;
        faulty.disk.write_result = code;
        for (int i = 0; i < 1'000; ++i) {
            test.append(make_batch(10, "in", Priority::normal, 1'000));
            test.pass(test.config.commit_interval);
        }
        const BufferStatus during = test.buffer->status();
        EXPECT_NE(during.last_error, "");
        EXPECT_GT(during.dropped_readings, 0);
        EXPECT_EQ(during.readings + during.dropped_readings, 10'000);
        EXPECT_LT(during.in_memory_readings * 100, kibibytes(256).count);
        EXPECT_EQ(test.log.count(LogLevel::error), 1) << test.log.text();

        faulty.disk.write_result = SQLITE_OK;
        test.pass(minutes(2));
        const BufferStatus after = test.buffer->status();
        EXPECT_EQ(after.last_error, "");
        EXPECT_EQ(after.dropped_readings, during.dropped_readings);
        EXPECT_EQ(after.committed_readings, 10'000 - during.dropped_readings);
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

TEST(BufferFaults, CloseSaysThatReadingsAreLost) {
    FaultyBuffer faulty;
    faulty.test.append(make_batch());
    faulty.disk.write_result = SQLITE_IOERR_WRITE;
    const auto closed = faulty.test.buffer->close();
    ASSERT_FALSE(closed);
    EXPECT_THAT(closed.error().text, testing::HasSubstr("10 readings"));
}

// --- damaged files

void fill(BufferInDirectory& test, int batches) {
    for (int i = 0; i < batches; ++i)
        test.append(make_batch(10, "in" + std::to_string(i % 3), static_cast<Priority>(i % 3), 1'300));
    test.pass(test.config.commit_interval);
}

void overwrite(const fs::path& file, std::uint64_t offset, std::string_view bytes) {
    std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
    stream.seekp(static_cast<std::streamoff>(offset));
    stream.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

// Ends as a killed process does: the files stay as they are.
void copy_files(const fs::path& from, const fs::path& to) {
    for (const char* name : {"buffer.db", "buffer.db-wal"})
        if (fs::exists(from / name))
            fs::copy_file(from / name, to / name, fs::copy_options::overwrite_existing);
}

std::size_t damaged_sets(const BufferInDirectory& test) {
    std::size_t sets = 0;
    for (const auto& entry : fs::directory_iterator(test.directory.path())) {
        const std::string name = entry.path().filename().string();
        sets += name.starts_with("buffer.db.corrupt-") && !name.ends_with("-wal") ? 1 : 0;
    }
    return sets;
}

TEST(BufferDamage, GarbageIsSetAsideAndTheBufferStartsFresh) {
    BufferInDirectory test;
    test.close();
    for (int round = 0; round < 4; ++round) {
        std::ofstream(test.directory / "buffer.db") << std::string(100'000, 'g');
        test.open();
        EXPECT_TRUE(test.log.has("damaged"));
        EXPECT_EQ(test.buffer->status().readings, 0);
        test.append(make_batch());
        test.pass(test.config.commit_interval);
        EXPECT_EQ(test.buffer->status().committed_readings, 10);
        test.close();
    }
    EXPECT_EQ(damaged_sets(test), 2);
}

TEST(BufferDamage, AnotherProgramsDatabaseIsSetAside) {
    BufferInDirectory test;
    test.close();
    fs::remove(test.directory / "buffer.db");
    sqlite3* other = nullptr;
    sqlite3_open((test.directory / "buffer.db").c_str(), &other);
    sqlite3_exec(other, "CREATE TABLE t(a); INSERT INTO t VALUES (1)", nullptr, nullptr, nullptr);
    sqlite3_close(other);
    test.open();
    EXPECT_TRUE(test.log.has("no buffer of Holdfast"));
    EXPECT_EQ(damaged_sets(test), 1);
}

TEST(BufferDamage, ANewerSchemaIsRefusedAndNothingTouched) {
    BufferInDirectory test;
    fill(test, 10);
    test.close();
    sqlite3* newer = nullptr;
    sqlite3_open((test.directory / "buffer.db").c_str(), &newer);
    sqlite3_exec(newer, "PRAGMA user_version=99", nullptr, nullptr, nullptr);
    sqlite3_close(newer);
    const auto read = [&] {
        std::ifstream file(test.directory / "buffer.db", std::ios::binary);
        return std::string(std::istreambuf_iterator<char>(file), {});
    };
    const std::string before = read();
    const auto opened = Buffer::open(test.directory.path(), test.config, test.clock, test.log);
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().kind, Error::Kind::config);
    EXPECT_THAT(opened.error().text, testing::HasSubstr("newer version of Holdfast (schema 99"));
    EXPECT_EQ(read(), before);
}

TEST(BufferDamage, SalvagesTheRowsThatCanBeRead) {
    BufferInDirectory test;
    fill(test, 3'000);
    BufferInDirectory other;
    other.close();
    test.close();
    copy_files(test.directory.path(), other.directory.path());
    // As after a kill, so that the file is checked; some pages in the middle are zeroed.
    sqlite3* file = nullptr;
    sqlite3_open((other.directory / "buffer.db").c_str(), &file);
    sqlite3_exec(file, "UPDATE meta SET value=0 WHERE key='clean'", nullptr, nullptr, nullptr);
    sqlite3_close(file);
    for (const std::uint64_t page : {200, 201, 500, 800})
        overwrite(other.directory / "buffer.db", page * 4096, std::string(4096, '\0'));
    other.open();
    EXPECT_TRUE(other.log.has("damaged")) << other.log.text();
    const BufferStatus status = other.buffer->status();
    EXPECT_GE(status.batches, 2'980) << other.log.text();
    EXPECT_LT(status.batches, 3'000);
    other.buffer->set_link(true);
    EXPECT_EQ(other.peek_all().size(), status.batches);
}

TEST(BufferDamage, ARowWithAFlippedBitIsDroppedCountedAndTold) {
    BufferInDirectory test;
    fill(test, 3);
    test.close();
    std::fstream file(test.directory / "buffer.db", std::ios::in | std::ios::out | std::ios::binary);
    const std::string content(std::istreambuf_iterator<char>(file), {});
    overwrite(test.directory / "buffer.db", content.find("xxxxxxxx") + 4, "y");
    test.open();
    test.buffer->set_link(true);
    EXPECT_EQ(test.peek_all().size(), 2);
    EXPECT_EQ(test.buffer->status().dropped_readings, 10);
    test.pass(test.config.commit_interval);
    const auto gap = test.buffer->peek();
    ASSERT_TRUE(gap);
    EXPECT_EQ(decode_body(BatchKind::gap, gap->body)->reason, GapReason::damaged);
    EXPECT_EQ(gap->header.count, 10);
}

TEST(BufferDamage, DamageThatShowsAtRunTimeIsSalvagedWithoutARestart) {
    BufferInDirectory test;
    fill(test, 1'500);
    test.close();
    test.open();
    const std::uint64_t epoch = test.buffer->epoch();
    for (std::uint64_t page = 50; page < 300; page += 50)
        overwrite(test.directory / "buffer.db", page * 4096, std::string(4096, '\0'));
    test.buffer->set_link(true);
    std::uint64_t offered = test.peek_all().size();
    test.settle();
    offered += test.peek_all().size();
    EXPECT_TRUE(test.log.has("damaged")) << test.log.text();
    EXPECT_EQ(test.buffer->epoch(), epoch);
    const BufferStatus status = test.buffer->status();
    EXPECT_EQ(status.readings + status.dropped_readings, 15'000);
    EXPECT_GE(status.readings, 14'500);
    EXPECT_GE(offered, 1'400);
    test.append(make_batch());
    test.reopen();
    EXPECT_EQ(test.buffer->status().readings, status.readings + 10);
}

}  // namespace
}  // namespace holdfast::test
