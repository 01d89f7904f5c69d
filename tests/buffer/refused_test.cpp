// What the broker does not take: set aside, shown, sent again or dropped by somebody's word; split when it is
// too large.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "buffer/crash_run.hpp"
#include "buffer/damage.hpp"
#include "buffer/raw_reader.hpp"
#include "support/make_batch.hpp"

namespace holdfast::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

Refusal not_authorised(std::uint64_t seq) {
    return {seq, 0x87, "not authorised", 1};
}

std::vector<RefusedMessage> list_all(Buffer& buffer) {
    std::vector<RefusedMessage> all;
    for (std::optional<std::uint64_t> from = 0; from;) {
        auto page = buffer.list_refused(*from);
        if (!page) throw std::runtime_error(page.error().text);
        for (RefusedMessage& message : page->messages)
            all.push_back(std::move(message));
        from = page->next;
    }
    return all;
}

std::vector<std::uint64_t> listed(Buffer& buffer) {
    std::vector<std::uint64_t> all;
    for (const RefusedMessage& message : list_all(buffer))
        all.push_back(message.batch.header.seq);
    return all;
}

// Numbered readings, so that each can be found again.
Batch readings_from(std::uint64_t first, std::uint32_t count, std::size_t text = 0,
                    Priority priority = Priority::normal) {
    BatchMaker maker("host");
    const auto number = maker.channel("n", ValueType::i64);
    const auto filler = maker.channel("text", ValueType::string);
    const std::string value(text, 'x');
    for (std::uint32_t i = 0; i < count; ++i)
        maker.add(i, {Value::of(number, static_cast<std::int64_t>(first + i)),
                      Value::of(filler, std::string_view(value))});
    Batch batch = maker.batch(0);
    batch.header.priority = priority;
    return batch;
}

class Refused : public ::testing::TestWithParam<Durability> {
  protected:
    Refused() : test_(config()) { test_.buffer->set_link(true); }
    static BufferConfig config() {
        BufferConfig config;
        config.durability = GetParam();
        return config;
    }
    void commit() { test_.pass(test_.config.commit_interval); }
    void take_in(int batches, std::size_t bytes = 300) {
        for (int i = 0; i < batches; ++i)
            test_.append(make_batch(7, "host", Priority::normal, bytes));
        if (GetParam() == Durability::strict) commit();
    }
    BufferInDirectory test_;
};
INSTANTIATE_TEST_SUITE_P(Durabilities, Refused, ::testing::Values(Durability::offline, Durability::strict));

TEST_P(Refused, IsKeptAndNotOfferedAgainAndOthersGoOn) {
    take_in(3);
    const auto lent = test_.peek_all();
    ASSERT_EQ(lent.size(), 3U);
    test_.buffer->set_aside(not_authorised(2));
    test_.buffer->set_aside(not_authorised(2));
    test_.buffer->ack(2);
    test_.buffer->give_back(2);
    test_.buffer->ack(1);
    test_.buffer->give_back(3);
    for (int round = 0; round < 2; ++round) {
        const BufferStatus status = test_.buffer->status();
        EXPECT_EQ(status.refused_messages, 1U);
        EXPECT_EQ(status.refused_readings, 7U);
        EXPECT_EQ(status.readings, 14U) << "what is set aside is held";
        EXPECT_EQ(status.dropped_readings, 0U);
        commit();
    }
    EXPECT_THAT(seqs(test_.peek_all()), ElementsAre(3));
    const auto all = list_all(*test_.buffer);
    ASSERT_EQ(all.size(), 1U);
    EXPECT_EQ(all[0].batch.body, lent[1].body);
    EXPECT_EQ(all[0].refusal.code, 0x87);
    EXPECT_EQ(all[0].refusal.text, "not authorised");
}

TEST_P(Refused, SurvivesARestartAndAKill) {
    take_in(3);
    const auto lent = test_.peek_all();
    const std::int64_t when = test_.clock.wall_us();
    test_.buffer->set_aside({1, 0x97, "quota", 10});
    test_.buffer->set_aside(not_authorised(3));
    test_.buffer->ack(2);
    commit();
    const auto files = test_.copy_files();
    for (const bool kill : {false, true}) {
        test_.close();
        if (kill) test_.put_files(files);
        test_.open();
        test_.buffer->set_link(true);
        EXPECT_THAT(test_.peek_all(), IsEmpty());
        EXPECT_EQ(test_.buffer->status().refused_readings, 14U);
        EXPECT_EQ(test_.buffer->status().readings, 14U);
        EXPECT_FALSE(test_.buffer->status().oldest_age_s) << "it does not wait to be sent";
        const auto all = list_all(*test_.buffer);
        ASSERT_EQ(all.size(), 2U);
        EXPECT_EQ(all[0].refusal.times, 10U);
        EXPECT_EQ(all[0].refusal.wall_us, when);
        EXPECT_EQ(all[1].batch.header.seq, 3U);
        EXPECT_EQ(all[1].batch.body, lent[2].body);
    }
}

TEST_P(Refused, IsSentAgainWithTheSameIdAndBytesWhenSomebodySaysSo) {
    take_in(4);
    const auto lent = test_.peek_all();
    for (const std::uint64_t seq : {1U, 2U, 4U})
        test_.buffer->set_aside(not_authorised(seq));
    test_.buffer->ack(3);
    const auto one = test_.buffer->settle_refused(RefusedVerdict::retry, {2});
    ASSERT_TRUE(one);
    EXPECT_EQ(one->batches, 1U);
    EXPECT_EQ(one->readings, 7U);
    const auto again = test_.buffer->peek();
    ASSERT_TRUE(again);
    EXPECT_EQ(again->header.seq, 2U);
    EXPECT_EQ(again->body, lent[1].body);
    EXPECT_FALSE(test_.buffer->peek());
    EXPECT_THAT(listed(*test_.buffer), ElementsAre(1, 4));
    ASSERT_TRUE(test_.buffer->settle_refused(RefusedVerdict::retry, {}));
    EXPECT_THAT(seqs(test_.peek_all()), ElementsAre(1, 4));
    EXPECT_THAT(listed(*test_.buffer), IsEmpty());
    EXPECT_EQ(test_.buffer->status().refused_messages, 0U);
    test_.reopen();
    test_.buffer->set_link(true);
    EXPECT_THAT(seqs(test_.peek_all()), ElementsAre(1, 2, 4)) << "what was taken back stays so";
}

TEST_P(Refused, IsDroppedWithAGapRecordWhenSomebodySaysSo) {
    take_in(2);
    (void)test_.peek_all();
    test_.buffer->set_aside(not_authorised(1));
    test_.buffer->set_aside(not_authorised(2));
    const auto unknown = test_.buffer->settle_refused(RefusedVerdict::drop, {1, 99});
    ASSERT_FALSE(unknown);
    EXPECT_THAT(unknown.error().text, HasSubstr("-99 is set aside"));
    EXPECT_EQ(test_.buffer->status().dropped_readings, 0U) << "nothing is done then";
    ASSERT_TRUE(test_.buffer->settle_refused(RefusedVerdict::drop, {}));
    EXPECT_EQ(test_.buffer->status().dropped_readings, 14U);
    EXPECT_EQ(test_.buffer->status().readings, 0U);
    EXPECT_FALSE(test_.buffer->peek()) << "the topic is refused, and the gap record would be";
    take_in(1);
    const auto next = test_.buffer->peek();
    ASSERT_TRUE(next);
    test_.buffer->ack(next->header.seq);
    const auto gap = test_.buffer->peek();
    ASSERT_TRUE(gap) << "once a message got through, it goes";
    EXPECT_EQ(gap->header.kind, BatchKind::gap);
    EXPECT_EQ(gap->header.count, 14U);
    EXPECT_EQ(decode_body(BatchKind::gap, gap->body)->reason, GapReason::refused);
    EXPECT_EQ(decode_body(BatchKind::gap, gap->body)->tags.size(), 1U);
    test_.buffer->set_aside(not_authorised(gap->header.seq));
    ASSERT_TRUE(test_.buffer->settle_refused(RefusedVerdict::drop, {}));
    test_.reopen();
    test_.buffer->set_link(true);
    EXPECT_THAT(test_.peek_all(), IsEmpty()) << "a gap record that is dropped leaves no other";
}

TEST_P(Refused, TheOldestGoBeyondTheBoundCountedAndTold) {
    test_.close();
    test_.config.max_size = mebibytes(1);  // a quarter of it may be set aside
    test_.open();
    test_.buffer->set_link(true);
    for (int i = 0; i < 40; ++i) {
        take_in(1, 20'000);
        const auto batch = test_.buffer->peek();
        ASSERT_TRUE(batch) << i;
        test_.buffer->set_aside(not_authorised(batch->header.seq));
        commit();
    }
    const auto kept = listed(*test_.buffer);
    EXPECT_GE(kept.size(), 10U);
    EXPECT_LE(kept.size(), 13U);
    EXPECT_GE(kept.front(), 40U - 13U) << "the newest stay";
    const BufferStatus status = test_.buffer->status();
    EXPECT_EQ(status.refused_messages, kept.size());
    EXPECT_EQ(status.dropped_readings, 7 * (40 - kept.size()));
    EXPECT_EQ(status.readings, 7 * kept.size());
    EXPECT_EQ(test_.log.count("more is set aside than there is room for"), 1U) << test_.log.text();
    test_.reopen();
    test_.buffer->set_link(true);
    const auto gap = test_.buffer->peek();
    ASSERT_TRUE(gap);
    EXPECT_EQ(gap->header.count, status.dropped_readings);
}

TEST_P(Refused, MakesRoomBeforeAnythingElseDoes) {
    test_.close();
    test_.config.max_size = mebibytes(1);
    test_.open();
    test_.buffer->set_link(true);
    take_in(5, 20'000);
    for (const Batch& batch : test_.peek_all())
        test_.buffer->set_aside(not_authorised(batch.header.seq));
    commit();
    test_.buffer->set_link(false);
    for (int i = 0; i < 100 && test_.buffer->status().dropped_readings == 0; ++i) {
        take_in(1, 20'000);
        commit();
    }
    EXPECT_EQ(test_.buffer->status().dropped_readings, 7U);
    EXPECT_EQ(test_.buffer->status().refused_messages, 4U);
}

class OldRefused : public Refused {
  protected:
    static constexpr std::chrono::seconds max_age{100};
    OldRefused() {
        test_.close();
        test_.config.max_age = max_age;
        test_.open();
        test_.buffer->set_link(true);
    }
    void set_aside(int batches) {
        take_in(batches);
        for (const Batch& batch : test_.peek_all())
            test_.buffer->set_aside(not_authorised(batch.header.seq));
        commit();
    }
    std::uint64_t aside() const { return test_.buffer->status().refused_messages; }
};
INSTANTIATE_TEST_SUITE_P(Durabilities, OldRefused,
                         ::testing::Values(Durability::offline, Durability::strict));

TEST_P(OldRefused, GoesWhileNothingElseHappens) {
    set_aside(1);
    for (int half = 0; half < 2; ++half) {
        test_.reopen();
        test_.buffer->set_link(true);
        EXPECT_EQ(aside(), 1U);
        test_.pass(max_age / 2 + std::chrono::seconds(2));
    }
    EXPECT_EQ(aside(), 0U);
    EXPECT_EQ(test_.buffer->status().dropped_readings, 7U);
}

TEST_P(OldRefused, IsDueWhenItGetsOldAndNotBefore) {
    set_aside(1);
    const MonoTime begin = test_.clock.now();
    std::optional<MonoTime> due = test_.buffer->step();
    for (int steps = 0; due && aside() > 0; ++steps) {
        ASSERT_LT(steps, 10) << "nothing wakes it in vain";
        test_.clock.advance(std::chrono::ceil<std::chrono::seconds>(*due - test_.clock.now()));
        due = test_.buffer->step();
    }
    EXPECT_EQ(aside(), 0U);
    EXPECT_LE(test_.clock.now(), begin + max_age);
}

TEST_P(OldRefused, GoesAlsoWhileCommitsAreFrequent) {
    set_aside(1);
    for (int second = 0; second < 102; ++second) {
        take_in(1);
        test_.buffer->ack(test_.buffer->peek()->header.seq);
        test_.pass(std::chrono::seconds(1));
    }
    EXPECT_EQ(aside(), 0U);
    EXPECT_EQ(test_.buffer->status().dropped_readings, 7U);
}

TEST_P(OldRefused, ManyGoAndTheYoungStay) {
    set_aside(100);
    test_.pass(max_age / 2);
    set_aside(3);
    test_.pass(max_age / 2 + std::chrono::seconds(1));
    EXPECT_EQ(aside(), 3U);
}

TEST_P(OldRefused, OneThatIsDamagedKeepsNoneBehindIt) {
    set_aside(3);
    test_.close();
    execute(test_.directory / "buffer.db", "UPDATE batches_normal SET checksum=checksum+1 WHERE seq=1");
    execute(test_.directory / "buffer.db", "DELETE FROM batches_normal WHERE seq=2");
    test_.open();
    test_.pass(max_age + std::chrono::seconds(1));
    EXPECT_EQ(aside(), 0U) << test_.log.text();
}

TEST_P(Refused, OneThatIsDamagedIsShownAndCanBeDropped) {
    take_in(3);
    for (const Batch& batch : test_.peek_all())
        test_.buffer->set_aside(not_authorised(batch.header.seq));
    test_.close();
    execute(test_.directory / "buffer.db", "UPDATE batches_normal SET checksum=checksum+1 WHERE seq=2");
    test_.open();
    const auto all = list_all(*test_.buffer);
    ASSERT_EQ(all.size(), 3U);
    EXPECT_FALSE(all[0].damaged);
    EXPECT_TRUE(all[1].damaged);
    EXPECT_EQ(seq_of_message(all[1].batch.header), 2U);
    EXPECT_EQ(all[1].batch.header.count, 7U);
    EXPECT_EQ(all[1].refusal.text, "not authorised");
    EXPECT_TRUE((*test_.buffer->find_refused(2))->damaged);
    ASSERT_TRUE(test_.buffer->settle_refused(RefusedVerdict::drop, {2}));
    EXPECT_THAT(listed(*test_.buffer), ElementsAre(1, 3));
}

TEST_P(Refused, ReasonIsCutBetweenCharacters) {
    take_in(1);
    ASSERT_TRUE(test_.buffer->peek());
    std::string reason = "x";
    for (int i = 0; i < 300; ++i)
        reason += "\u00e4";
    test_.buffer->set_aside({1, 0x87, reason, 1});
    commit();
    EXPECT_EQ(list_all(*test_.buffer)[0].refusal.text, reason.substr(0, 511));
}

// What the disk says while it is dropped: the page of its row is no longer what it was.
TEST(RefusedMarks, NothingIsSaidToBeDroppedWhenTheDiskIsDamaged) {
    BufferInDirectory test;
    test.buffer->set_link(true);
    for (int i = 0; i < 1'000; ++i)  // more than SQLite keeps of its pages
        test.append(make_batch(10, "in", Priority::normal, 2'000));
    for (const Batch& batch : test.peek_all())
        test.buffer->set_aside(not_authorised(batch.header.seq));
    test.pass(test.config.commit_interval);
    test.reopen();
    const auto file = test.directory / "buffer.db";
    const std::string row = (*test.buffer->find_refused(151))->batch.body.substr(100, 64);
    test.reopen();
    const std::size_t at = content_of(file).find(row);
    ASSERT_NE(at, std::string::npos);
    zero_page(file, at / page_bytes + 1);
    const auto settled = test.buffer->settle_refused(RefusedVerdict::drop, {151});
    EXPECT_EQ(damaged_sets(test), 1U) << "the commit met the damage";
    EXPECT_FALSE(settled);
}

// --- with `block`

TEST(BlockedByRefused, AMessageThatIsSetAsideKeepsNoInputWaiting) {
    BufferConfig config;
    config.when_full = WhenFull::block;
    config.min_free = Bytes{std::uint64_t{1} << 60};  // others have filled the disk
    BufferInDirectory test(config);
    test.buffer->set_link(true);
    test.settle();
    ASSERT_TRUE(test.buffer->has_room()) << "the broker takes it without the disk";
    test.append(make_batch(7));
    ASSERT_TRUE(test.buffer->peek());
    test.buffer->set_aside(not_authorised(1));
    test.pass(test.config.commit_interval);
    ASSERT_EQ(test.buffer->status().refused_messages, 1U) << test.log.text();
    test.pass(std::chrono::minutes(1));
    EXPECT_TRUE(test.buffer->has_room());
}

TEST(BlockedByRefused, TheFileShrinksThoughAMessageIsSetAside) {
    BufferInDirectory test;
    for (int i = 0; i < 200; ++i)
        test.append(make_batch(7, "in", Priority::normal, 3'000));
    test.buffer->set_link(false);
    test.pass(test.config.commit_interval);
    test.buffer->set_link(true);
    for (const Batch& batch : test.peek_all()) {
        if (batch.header.seq % 2 == 0)
            test.buffer->set_aside(not_authorised(batch.header.seq));
        else
            test.buffer->ack(batch.header.seq);
    }
    test.pass(std::chrono::minutes(1));
    ASSERT_EQ(test.buffer->status().refused_messages, 100U);
    EXPECT_LT(test.buffer->status().bytes, 130 * page_bytes) << "a page a message";
}

TEST_P(Refused, IsExportedAndPurgedLikeAllElse) {
    take_in(2);
    (void)test_.peek_all();
    test_.buffer->set_aside(not_authorised(1));
    test_.buffer->give_back(2);
    commit();
    std::size_t shown = 0;
    for (std::optional<Listing::Place> place = Listing::Place{}; place;) {
        const Listing page = test_.buffer->list(*place);
        shown += page.batches.size();
        place = page.next;
    }
    EXPECT_EQ(shown, 2U);
    EXPECT_EQ(test_.buffer->purge(), 14U);
    EXPECT_EQ(test_.buffer->status().refused_messages, 0U);
    EXPECT_EQ(test_.buffer->status().readings, 0U);
}

TEST_P(Refused, ManyAtTheBeginningDoNotHideWhatWaits) {
    take_in(500);
    for (const Batch& batch : test_.peek_all())
        test_.buffer->set_aside(not_authorised(batch.header.seq));
    commit();
    test_.buffer->set_link(false);
    take_in(3);
    commit();
    ASSERT_TRUE(test_.buffer->settle_refused(RefusedVerdict::retry, {200}));
    test_.buffer->set_link(true);
    const auto offered = seqs(test_.peek_all());
    ASSERT_EQ(offered.size(), 4U);
    EXPECT_EQ(offered[0], 200U);
    EXPECT_EQ(listed(*test_.buffer).size(), 499U);
}

TEST(RefusedMarks, AreReadWithoutSQLiteAndSurviveASalvage) {
    BufferInDirectory test;
    test.buffer->set_link(true);
    fill(test, 300);
    for (const Batch& batch : test.peek_all())
        test.buffer->set_aside(not_authorised(batch.header.seq));
    test.pass(test.config.commit_interval);
    test.close();
    const auto file = test.directory / "buffer.db";
    auto reader = RawReader::open(file);
    ASSERT_TRUE(reader);
    while (!reader->scan(100)) {
    }
    ASSERT_EQ(reader->refusals().size(), 300U);
    EXPECT_EQ(reader->refusals().begin()->second.text, "not authorised");
    EXPECT_EQ(reader->lost_pages(), 0U);
    // The notes are damaged: the whole is set aside and taken over row by row.
    execute(file, "UPDATE meta SET value=1 WHERE key='guard'");
    test.open();
    test.settle();
    test.buffer->set_link(true);
    // Without the notes nobody knows whether there was more, and a gap record says so.
    for (const Batch& batch : test.peek_all())
        EXPECT_EQ(batch.header.kind, BatchKind::gap);
    EXPECT_EQ(test.buffer->status().refused_messages, 300U) << test.log.text();
    EXPECT_EQ(test.buffer->status().dropped_readings, 0U);
}

TEST(RefusedMarks, ADamagedOneIsNone) {
    BufferInDirectory test;
    test.buffer->set_link(true);
    fill(test, 3);
    for (const Batch& batch : test.peek_all())
        test.buffer->set_aside(not_authorised(batch.header.seq));
    test.close();
    execute(test.directory / "buffer.db", "UPDATE refused SET code=1 WHERE seq=2");
    test.open();
    test.buffer->set_link(true);
    EXPECT_THAT(seqs(test.peek_all()), ElementsAre(2));
    test.buffer->set_aside(not_authorised(2));
    EXPECT_EQ(listed(*test.buffer).size(), 3U);
}

// --- split

TEST_P(Refused, ABatchThatIsTooLargeIsReplacedByItsParts) {
    test_.append(readings_from(0, 10));
    test_.append(readings_from(10, 10));
    if (GetParam() == Durability::strict) commit();
    ASSERT_EQ(test_.peek_all().size(), 2U);
    test_.append(readings_from(20, 10));
    if (GetParam() == Durability::strict) commit();
    test_.buffer->split({2, 300});
    test_.settle();
    EXPECT_EQ(test_.buffer->status().readings, 30U);
    std::vector<std::int64_t> numbers;
    std::set<std::uint64_t> parts;
    auto offered = test_.peek_all();
    ASSERT_GE(offered.size(), 3U);
    EXPECT_EQ(numbers_in(offered.back())[0], 20) << "the parts come in the place of the whole";
    for (std::size_t i = 0; i + 1 < offered.size(); ++i) {
        for (const std::int64_t number : numbers_in(offered[i]))
            numbers.push_back(number);
        EXPECT_GT(offered[i].header.seq, 3U) << "with ids of their own";
        EXPECT_TRUE(parts.insert(offered[i].header.seq).second);
    }
    EXPECT_THAT(numbers, ElementsAre(10, 11, 12, 13, 14, 15, 16, 17, 18, 19));
    for (const Batch& batch : offered)
        test_.buffer->ack(batch.header.seq);
    test_.buffer->ack(1);
    commit();
    EXPECT_EQ(test_.buffer->status().readings, 0U);
    EXPECT_EQ(test_.buffer->status().acked_readings, 30U);
    test_.reopen();
    test_.buffer->set_link(true);
    EXPECT_THAT(test_.peek_all(), IsEmpty());
}

TEST_P(Refused, WhatIsSplitOnDiskIsThereOnceAfterARestart) {
    for (std::uint64_t i = 0; i < 20; ++i)
        test_.append(readings_from(i * 10, 10, 20, static_cast<Priority>(i % 3)));
    test_.buffer->set_link(false);
    commit();
    test_.buffer->set_link(true);
    for (const Batch& batch : test_.peek_all())
        test_.buffer->split({batch.header.seq, 300});
    test_.settle();
    EXPECT_EQ(test_.buffer->status().readings, 200U);
    EXPECT_EQ(test_.buffer->status().committed_readings, 200U);
    test_.reopen();
    test_.buffer->set_link(true);
    std::vector<std::int64_t> numbers;
    for (const Batch& batch : test_.peek_all()) {
        EXPECT_GT(batch.header.seq, 20U);
        for (const std::int64_t number : numbers_in(batch))
            numbers.push_back(number);
    }
    std::sort(numbers.begin(), numbers.end());
    ASSERT_EQ(numbers.size(), 200U);
    for (std::size_t i = 0; i < numbers.size(); ++i)
        EXPECT_EQ(numbers[i], static_cast<std::int64_t>(i));
}

TEST_P(Refused, WhatCantBeSplitIsSetAside) {
    Batch wrong_count = readings_from(0, 1);
    wrong_count.header.count = 2;
    test_.append(std::move(wrong_count));
    if (GetParam() == Durability::strict) commit();
    ASSERT_EQ(test_.peek_all().size(), 1U);
    test_.buffer->split({1, 10});
    test_.settle();
    commit();
    const auto all = list_all(*test_.buffer);
    ASSERT_EQ(all.size(), 1U);
    EXPECT_THAT(all[0].refusal.text, HasSubstr("can't be split"));
    EXPECT_THAT(test_.peek_all(), IsEmpty());
}

// A buffer that is full has to find room for a new table.
TEST(RefusedSchema, AFullFileOfTheSchemaBeforeIsBroughtUpToDate) {
    BufferConfig config;
    config.max_size = mebibytes(1);
    BufferInDirectory test(config);
    for (int i = 0; i < 400; ++i)
        test.append(make_batch(10, "in", Priority::normal, 4'000));
    test.close();
    execute(test.directory / "buffer.db",
            "DROP TABLE refused; PRAGMA user_version=2; PRAGMA incremental_vacuum");
    test.open();
    EXPECT_GT(test.buffer->status().committed_readings, 1'000U) << test.log.text();
    EXPECT_EQ(test.log.count(LogLevel::error), 0) << test.log.text();
    EXPECT_FALSE(was_set_aside(test.directory.path()));
}

}  // namespace
}  // namespace holdfast::test
