// Random work on the buffer, held against a model of it: every reading is held, acknowledged, or counted as
// dropped and told by a gap record.
#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>

#include "buffer/faulty_vfs.hpp"
#include "buffer/support.hpp"

namespace holdfast::test {
namespace {

class Model {
  public:
    Model(std::uint64_t seed, BufferConfig config) : random_(seed), test_(config) {}

    void run(int steps) {
        for (int i = 0; i < steps && !testing::Test::HasFailure(); ++i) {
            one_step();
            check_counts();
        }
        finish();
    }

  private:
    std::uint64_t below(std::uint64_t limit) { return random_() % limit; }

    void one_step() {
        const std::uint64_t choice = below(100);
        if (choice < 40) {
            append();
        } else if (choice < 65) {
            peek();
        } else if (choice < 80) {
            settle_one(below(4) > 0);
        } else if (choice < 90) {
            test_.pass(Micros(below(1'500'000)));
        } else if (choice < 95) {
            set_link(below(3) > 0);
        } else if (choice < 97) {
            faulty_.write_result = below(4) == 0 ? SQLITE_FULL : SQLITE_OK;
        } else if (choice == 97) {
            test_.clock.set_wall_us(static_cast<std::int64_t>(below(2'000'000'000'000'000)));
        } else {
            reopen();
        }
    }

    void append() {
        const std::uint64_t batches = 1 + below(30);
        for (std::uint64_t i = 0; i < batches; ++i) {
            const auto count = static_cast<std::uint32_t>(1 + below(100));
            appended_ += count;
            test_.append(make_batch(count, "in" + std::to_string(below(4)), static_cast<Priority>(below(3)),
                                    20 + below(3'000)));
        }
    }

    void peek() {
        for (std::uint64_t i = below(20); i > 0; --i) {
            auto batch = test_.buffer->peek();
            if (!batch) return;
            EXPECT_TRUE(link_up_);
            const std::uint64_t seq = batch->header.seq;
            EXPECT_FALSE(acked_.contains(seq)) << "offered after it was acknowledged";
            EXPECT_TRUE(lent_.emplace(seq, batch->header).second) << "lent twice";
        }
    }

    void settle_one(bool delivered) {
        for (std::uint64_t i = below(20); i > 0 && !lent_.empty(); --i) {
            const auto chosen = std::next(lent_.begin(), static_cast<std::ptrdiff_t>(below(lent_.size())));
            if (delivered) {
                if (chosen->second.kind == BatchKind::gap)
                    gaps_ += chosen->second.count;
                else
                    delivered_ += chosen->second.count;
                acked_.insert(chosen->first);
                test_.buffer->ack(chosen->first);
            } else {
                test_.buffer->give_back(chosen->first);
            }
            lent_.erase(chosen);
        }
    }

    void set_link(bool up) {
        link_up_ = up;
        test_.buffer->set_link(up);
    }

    void reopen() {
        faulty_.write_result = SQLITE_OK;
        ASSERT_TRUE(test_.buffer->close());
        dropped_before_ += test_.buffer->status().dropped_readings;
        test_.open();
        lent_.clear();
        link_up_ = false;
    }

    std::uint64_t dropped() const { return dropped_before_ + test_.buffer->status().dropped_readings; }

    void check_counts() {
        const BufferStatus status = test_.buffer->status();
        EXPECT_EQ(status.readings, status.in_memory_readings + status.committed_readings);
        EXPECT_EQ(status.readings + delivered_ + dropped(), appended_);
        EXPECT_LE(status.bytes, test_.config.max_size.count);
    }

    void finish() {
        reopen();
        set_link(true);
        while (auto batch = test_.buffer->peek()) {
            (batch->header.kind == BatchKind::gap ? gaps_ : delivered_) += batch->header.count;
            test_.buffer->ack(batch->header.seq);
        }
        EXPECT_EQ(delivered_ + dropped(), appended_);
        EXPECT_EQ(gaps_, dropped());
        EXPECT_EQ(test_.buffer->status().batches, 0);
        EXPECT_EQ(test_.buffer->status().readings, 0);
    }

    std::mt19937_64 random_;
    FaultyVfs faulty_;
    BufferInDirectory test_;
    std::map<std::uint64_t, BatchHeader> lent_;
    std::set<std::uint64_t> acked_;
    std::uint64_t appended_ = 0;
    std::uint64_t delivered_ = 0;
    std::uint64_t gaps_ = 0;  // readings that delivered gap records tell of
    std::uint64_t dropped_before_ = 0;
    bool link_up_ = false;
};

class BufferModel : public testing::TestWithParam<std::uint64_t> {};

TEST_P(BufferModel, EveryReadingIsHeldDeliveredOrCountedAsDropped) {
    const std::uint64_t seed = GetParam();
    BufferConfig config;
    config.max_size = mebibytes(seed % 3 == 0 ? 1 : 64);
    config.memory = seed % 2 == 0 ? kibibytes(200) : mebibytes(8);
    config.durability = seed % 4 < 2 ? Durability::offline : Durability::strict;
    config.drain = seed % 5 < 3 ? Drain::live_first : Drain::oldest_first;
    config.commit_interval = Micros(seed % 7 == 0 ? 0 : 1'000'000);
    Model(seed, config).run(400);
}

INSTANTIATE_TEST_SUITE_P(Seeds, BufferModel, testing::Range<std::uint64_t>(1, 25));

}  // namespace
}  // namespace holdfast::test
