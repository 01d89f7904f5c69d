// What people ask of a buffer at work: to show what it holds, and to forget it.
#include <gtest/gtest.h>

#include <set>

#include "buffer/damage.hpp"
#include "buffer/support.hpp"

namespace holdfast::test {
namespace {

std::vector<Batch> list_all(Buffer& buffer) {
    std::vector<Batch> all;
    for (std::optional<Listing::Place> place = Listing::Place{}; place;) {
        Listing page = buffer.list(*place);
        for (Batch& batch : page.batches)
            all.push_back(std::move(batch));
        place = page.next;
    }
    return all;
}

void take_in(BufferInDirectory& test, int batches) {
    for (int i = 0; i < batches; ++i)
        test.append(make_batch(10, "in" + std::to_string(i % 3), static_cast<Priority>(i % 3), 300));
}

TEST(BufferListing, ShowsWhatIsOnDiskInMemoryAndLentOnceEachInOrder) {
    BufferInDirectory test;
    take_in(test, 500);
    test.pass(test.config.commit_interval);
    test.buffer->set_link(true);
    for (int i = 0; i < 30; ++i)
        ASSERT_TRUE(test.buffer->peek());
    take_in(test, 100);
    for (int i = 0; i < 10; ++i)
        ASSERT_TRUE(test.buffer->peek());
    const auto all = list_all(*test.buffer);
    EXPECT_EQ(all.size(), 600);
    std::set<std::uint64_t> seqs;
    for (std::size_t i = 0; i < all.size(); ++i) {
        EXPECT_TRUE(seqs.insert(all[i].header.seq).second);
        if (i == 0) continue;
        const auto rank = [&](const Batch& batch) {
            return std::pair(-static_cast<int>(batch.header.priority), batch.header.seq);
        };
        EXPECT_LT(rank(all[i - 1]), rank(all[i]));
    }
    EXPECT_EQ(test.buffer->status().readings, 6'000);
}

TEST(BufferListing, LeavesOutWhatWasAcknowledgedAndShowsGapRecords) {
    BufferInDirectory test;
    take_in(test, 9);
    test.pass(test.config.commit_interval);
    test.buffer->set_link(true);
    test.buffer->ack(test.buffer->peek()->header.seq);
    test.buffer->set_aside({test.buffer->peek()->header.seq, 0x87, "not authorised"});
    ASSERT_TRUE(test.buffer->settle_refused(RefusedVerdict::drop, {}));
    const auto all = list_all(*test.buffer);
    EXPECT_EQ(all.size(), 8);
    EXPECT_EQ(std::count_if(all.begin(), all.end(),
                            [](const Batch& batch) { return batch.header.kind == BatchKind::gap; }),
              1);
}

TEST(BufferPurge, DropsAllThatIsNotLentAndTellsNobodyOfAGap) {
    BufferInDirectory test;
    take_in(test, 3'000);
    test.pass(test.config.commit_interval);
    test.buffer->set_link(true);
    const auto lent = test.buffer->peek();
    ASSERT_TRUE(lent);
    take_in(test, 30);
    EXPECT_EQ(test.buffer->purge(), 30'290);
    EXPECT_EQ(test.buffer->status().readings, 10);
    EXPECT_EQ(test.buffer->status().dropped_readings, 30'290);
    EXPECT_FALSE(test.buffer->peek());
    test.buffer->give_back(lent->header.seq);
    EXPECT_EQ(test.buffer->peek()->header.seq, lent->header.seq);
    test.reopen();
    EXPECT_EQ(test.buffer->status().readings, 10);
    test.append(make_batch());
    test.pass(test.config.commit_interval);
    EXPECT_EQ(test.buffer->status().committed_readings, 20);
}

TEST(BufferPurge, EndsASalvageThatIsUnderWay) {
    BufferInDirectory test;
    take_in(test, 900);
    test.close();
    zero_page(test.directory / "buffer.db", 1);
    test.open();
    EXPECT_GT(test.buffer->status().salvaging_readings, 0);
    EXPECT_EQ(test.buffer->purge(), 9'000);
    test.settle();
    test.reopen();
    test.settle();
    EXPECT_EQ(test.buffer->status().readings, 0);
    EXPECT_EQ(test.buffer->status().salvaging_readings, 0);
}

}  // namespace
}  // namespace holdfast::test
