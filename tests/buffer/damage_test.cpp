// What the buffer does when its files are damaged.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "buffer/batch_row.hpp"
#include "buffer/checksum.hpp"
#include "buffer/damage.hpp"
#include "buffer/raw_reader.hpp"
#include "buffer/support.hpp"
#include "support/make_batch.hpp"

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
    for (const std::uint64_t page : {200U, 201U, 500U, 800U})
        overwrite(other.directory / "buffer.db", page * 4096, std::string(4096, '\0'));
    other.open();
    EXPECT_TRUE(other.log.has("damaged")) << other.log.text();
    other.settle();
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

TEST(BufferDamage, OfARowWithADamagedCountTheReadingsAreCounted) {
    BufferInDirectory test;
    test.append(simple_batch(0, "in", 10));
    test.append(make_batch());
    test.close();
    execute(test.directory / "buffer.db", "UPDATE batches_normal SET count=1000010 WHERE seq=1");
    test.open();
    test.buffer->set_link(true);
    test.peek_all();
    EXPECT_EQ(test.buffer->status().dropped_readings, 10);
    test.pass(test.config.commit_interval);
    EXPECT_EQ(test.buffer->status().readings, 10);
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
    test.settle();
    EXPECT_EQ(test.buffer->status().readings, 30);
}

// A killed process's files with page 9 zeroed: the root of the normal lane.
struct DamagedBuffer {
    BufferInDirectory test;
    std::uint64_t epoch;
    std::map<std::uint64_t, std::string> rows;  // seq, input

    explicit DamagedBuffer(int batches, bool one_input = false) : epoch(test.buffer->epoch()) {
        for (int i = 0; i < batches; ++i)
            test.append(make_batch(10, one_input ? "in" : "in" + std::to_string(i % 3),
                                   static_cast<Priority>(i % 3), 1'300));
        test.close();
        test.open();
        TempDir killed;
        copy_files(test.directory.path(), killed.path());
        test.close();
        copy_files(killed.path(), test.directory.path());
        auto reader = RawReader::open(file());
        while (!reader->scan(1'000)) {
        }
        for (std::optional next = RawReader::Place{}; next;) {
            const auto found = reader->read(*next, 100'000);
            for (const Batch& batch : found.batches)
                rows.emplace(batch.header.seq, batch.header.input);
            next = found.next;
        }
    }
    fs::path file() const { return test.directory / "buffer.db"; }
};

TEST(BufferDamage, ASalvageGoesOnAfterARestartWhereItWas) {
    DamagedBuffer damaged(1'000);
    BufferInDirectory& test = damaged.test;
    zero_page(damaged.file(), 9);
    test.config.max_size = mebibytes(4);  // small transactions
    std::map<std::uint64_t, int> sent;
    int starts = 0;
    for (; sent.size() < 1'000 && starts < 100; ++starts) {
        test.open();
        EXPECT_EQ(test.buffer->epoch(), damaged.epoch);
        test.buffer->set_link(true);
        for (int step = 0; step < 3; ++step)
            test.buffer->step();
        for (const Batch& batch : test.peek_all()) {
            if (batch.header.kind == BatchKind::gap) continue;
            EXPECT_EQ(batch.header.input, damaged.rows.at(batch.header.seq));
            sent[batch.header.seq] += 1;
            test.buffer->ack(batch.header.seq);
        }
        test.close();
    }
    EXPECT_GT(starts, 3);
    EXPECT_EQ(sent.size(), 1'000);
    for (const auto& [seq, times] : sent)
        EXPECT_EQ(times, 1);
    test.open();
    test.settle();
    EXPECT_TRUE(test.log.has("saved 10000 readings")) << test.log.text();
    EXPECT_TRUE(test.log.has("none is lost")) << test.log.text();
    EXPECT_EQ(test.buffer->status().readings, 0);
    EXPECT_EQ(test.buffer->status().dropped_readings, 0);
}

TEST(BufferDamage, WhatIsLostIsCountedAndToldByAGapBetweenItsNeighbours) {
    DamagedBuffer damaged(900, true);
    BufferInDirectory& test = damaged.test;
    for (const std::uint64_t page : {100U, 101U, 102U, 103U})
        zero_page(damaged.file(), page);
    test.open();
    test.settle();
    const BufferStatus status = test.buffer->status();
    EXPECT_GT(status.dropped_readings, 0);
    EXPECT_EQ(status.readings + status.dropped_readings, 9'000);
    test.buffer->set_link(true);
    const auto gap = test.buffer->peek();
    ASSERT_TRUE(gap);
    ASSERT_EQ(gap->header.kind, BatchKind::gap);
    EXPECT_EQ(gap->header.count, status.dropped_readings);
    EXPECT_EQ(gap->header.input, "in");
    EXPECT_EQ(decode_body(BatchKind::gap, gap->body)->reason, GapReason::damaged);
    EXPECT_GT(gap->header.first_us + gap->header.wall_offset_us, 1'795'371'137'123'000);
    EXPECT_TRUE(test.log.has(std::to_string(status.dropped_readings) + " are lost")) << test.log.text();
}

TEST(BufferDamage, WithoutNotesTheEpochIsNewTheSeqsGoOnAndTheGapHasNoCount) {
    DamagedBuffer damaged(300);
    BufferInDirectory& test = damaged.test;
    zero_page(damaged.file(), 3);
    test.open();
    EXPECT_NE(test.buffer->epoch(), damaged.epoch);
    test.append(make_batch());
    test.settle();
    test.buffer->set_link(true);
    std::uint64_t highest = 0;
    std::size_t readings = 0;
    for (const Batch& batch : test.peek_all()) {
        EXPECT_TRUE(batch.header.kind == BatchKind::readings || batch.header.count == 0);
        readings += readings_held(batch.header);
        highest = std::max(highest, batch.header.seq);
    }
    EXPECT_EQ(readings, 3'010);
    EXPECT_GT(highest, damaged.rows.rbegin()->first);
    EXPECT_TRUE(test.log.has("how many more are lost is not known")) << test.log.text();
}

TEST(BufferDamage, AReplacementThatThePowerCutInterruptedIsBroughtToItsEnd) {
    for (const bool wal_was_moved : {false, true}) {
        DamagedBuffer damaged(300);
        BufferInDirectory& test = damaged.test;
        zero_page(damaged.file(), 9);
        test.open();
        test.close();
        // As it was between the renames.
        const auto at = [&](const char* name) { return test.directory / name; };
        fs::rename(damaged.file(), at("buffer.db.fresh"));
        std::ofstream(at(wal_was_moved ? "buffer.db.corrupt-1-wal" : "buffer.db-wal")) << "a WAL";
        test.open();
        test.settle();
        EXPECT_EQ(test.buffer->status().batches, 300);
        EXPECT_EQ(content_of(at("buffer.db.corrupt-1-wal")), "a WAL");
        EXPECT_EQ(damaged_sets(test), 1);
    }
}

TEST(BufferDamage, TheStartDoesNotWaitForTheSalvage) {
    DamagedBuffer damaged(3'000);
    zero_page(damaged.file(), 9);
    damaged.test.open();
    EXPECT_EQ(damaged.test.buffer->status().batches, 0);
    damaged.test.settle();
    EXPECT_EQ(damaged.test.buffer->status().batches, 3'000);
}

TEST(BufferDamage, AnAcknowledgementThatComesBeforeTheRowIsSalvagedHolds) {
    BufferInDirectory test;
    fill(test, 900);
    test.reopen();
    test.buffer->set_link(true);
    const auto first = test.peek_all();  // all are lent
    for (const std::uint64_t page : {101U, 201U})
        zero_page(test.directory / "buffer.db", page);
    for (std::size_t i = 0; i < 100; ++i)
        test.buffer->ack(first[i].header.seq);
    overwrite(test.directory / "buffer.db", 0, std::string(4096, 'g'));
    test.pass(test.config.commit_interval);  // the deletions meet the damage
    ASSERT_TRUE(test.log.has("damaged")) << test.log.text();
    for (std::size_t i = 100; i < 900; ++i)
        test.buffer->give_back(first[i].header.seq);
    std::map<std::uint64_t, int> sent;
    for (const Batch& batch : test.peek_all())
        if (batch.header.kind != BatchKind::gap) sent[batch.header.seq] += 1;
    for (std::size_t i = 0; i < 100; ++i)
        EXPECT_FALSE(sent.contains(first[i].header.seq));
    const BufferStatus status = test.buffer->status();
    EXPECT_EQ(status.readings + status.acked_readings + status.dropped_readings, 9'000);
    EXPECT_GE(sent.size(), 780);
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
