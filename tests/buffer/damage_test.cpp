// What the buffer does when its files are damaged.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>

#include <algorithm>
#include <fstream>

#include "buffer/batch_row.hpp"
#include "buffer/checksum.hpp"
#include "buffer/support.hpp"

namespace holdfast::test {
namespace {

namespace fs = std::filesystem;

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
    const Batch marked = make_batch();
    test.append(marked);
    fill(test, 2);
    test.close();
    std::fstream file(test.directory / "buffer.db", std::ios::in | std::ios::out | std::ios::binary);
    const std::string content(std::istreambuf_iterator<char>(file), {});
    const std::size_t at = content.find(marked.body.substr(20));
    ASSERT_NE(at, std::string::npos);
    overwrite(test.directory / "buffer.db", at + 4, std::string(1, static_cast<char>(content[at + 4] ^ 1)));
    test.open();
    test.buffer->set_link(true);
    auto all = test.peek_all();
    test.pass(test.config.commit_interval);
    for (Batch& later : test.peek_all())
        all.push_back(std::move(later));
    ASSERT_EQ(all.size(), 3);
    EXPECT_EQ(test.buffer->status().dropped_readings, 10);
    const auto gap = std::find_if(all.begin(), all.end(),
                                  [](const Batch& batch) { return batch.header.kind == BatchKind::gap; });
    ASSERT_NE(gap, all.end());
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

TEST(BufferDamage, ARowWhoseInputWasChangedIsDroppedAndNotSentUnderAnotherName) {
    BufferInDirectory test;
    fill(test, 3);
    test.close();
    sqlite3* file = nullptr;
    sqlite3_open((test.directory / "buffer.db").c_str(), &file);
    sqlite3_exec(file, "UPDATE batches_high SET input=1+input%3", nullptr, nullptr, nullptr);
    sqlite3_close(file);
    test.open();
    test.buffer->set_link(true);
    for (const Batch& batch : test.peek_all())
        EXPECT_TRUE(batch.header.kind == BatchKind::gap || batch.header.priority != Priority::high);
    EXPECT_EQ(test.buffer->status().dropped_readings, 10);
}

TEST(BatchRow, TakesTheChecksumOfSchemaVersion1WhichLeavesOutTheInput) {
    const Batch batch = make_batch();
    std::string fields;
    for (const std::int64_t field :
         {std::int64_t{0}, std::int64_t{0}, std::int64_t{batch.header.count}, batch.header.first_us,
          batch.header.last_us, batch.header.wall_offset_us})
        for (int i = 0; i < 8; ++i)
            fields.push_back(static_cast<char>(field >> 8 * i));
    const auto old = static_cast<std::int32_t>(crc32c(batch.body + fields));
    EXPECT_TRUE(batch_row::checksum_matches(batch.header, batch.body, old));
    EXPECT_NE(batch_row::checksum_of(batch.header, batch.body), old);
    EXPECT_FALSE(batch_row::checksum_matches(batch.header, batch.body, old + 1));
}

}  // namespace
}  // namespace holdfast::test
