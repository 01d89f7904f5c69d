// What the buffer does when its files are damaged.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "buffer/batch_row.hpp"
#include "buffer/checksum.hpp"
#include "buffer/damage.hpp"
#include "buffer/support.hpp"

namespace holdfast::test {
namespace {

namespace fs = std::filesystem;

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
    execute(test.directory / "buffer.db", "CREATE TABLE t(a); INSERT INTO t VALUES (1)");
    test.open();
    EXPECT_TRUE(test.log.has("no buffer of Holdfast"));
    EXPECT_EQ(damaged_sets(test), 1);
}

TEST(BufferDamage, ANewerSchemaIsRefusedAndNothingTouched) {
    BufferInDirectory test;
    fill(test, 10);
    test.close();
    execute(test.directory / "buffer.db", "PRAGMA user_version=99");
    const std::string before = content_of(test.directory / "buffer.db");
    const auto opened = Buffer::open(test.directory.path(), test.config, test.clock, test.log);
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().kind, Error::Kind::config);
    EXPECT_THAT(opened.error().text, testing::HasSubstr("newer version of Holdfast (schema 99"));
    EXPECT_EQ(content_of(test.directory / "buffer.db"), before);
}

TEST(BufferDamage, SalvagesTheRowsThatCanBeRead) {
    BufferInDirectory test;
    fill(test, 3'000);
    BufferInDirectory other;
    other.close();
    test.close();
    copy_files(test.directory.path(), other.directory.path());
    // As after a kill, so that the file is checked; some pages in the middle are zeroed.
    execute(other.directory / "buffer.db", "UPDATE meta SET value=0 WHERE key='clean'");
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
    const std::string content = content_of(test.directory / "buffer.db");
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
    execute(test.directory / "buffer.db", "UPDATE batches_high SET input=1+input%3");
    test.open();
    test.buffer->set_link(true);
    for (const Batch& batch : test.peek_all())
        EXPECT_TRUE(batch.header.kind == BatchKind::gap || batch.header.priority != Priority::high);
    EXPECT_EQ(test.buffer->status().dropped_readings, 10);
}

TEST(BufferDamage, ADamagedNumberInTheNotesIsFoundAlsoAfterACleanStop) {
    BufferInDirectory test;
    fill(test, 3);
    test.close();
    execute(test.directory / "buffer.db", "UPDATE meta SET value=2 WHERE key='next_seq'");
    test.open();
    EXPECT_TRUE(test.log.has("its notes are damaged")) << test.log.text();
    EXPECT_EQ(test.buffer->status().batches, 3);
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
