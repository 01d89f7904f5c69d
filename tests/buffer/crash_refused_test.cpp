// Power goes while messages are set aside, taken back, dropped and split: each reading is there once, where
// it was last put for certain.
#include <gtest/gtest.h>

#include <iostream>

#include "buffer/crash_run.hpp"
#include "support/make_batch.hpp"

namespace holdfast::test {
namespace {

// What is certain of a reading, by position in the recording.
struct Fate {
    std::size_t committed = Promise::never;   // it is there from then on,
    std::size_t acked = Promise::never;       // until then
    std::size_t aside = Promise::never;       // and set aside from then on,
    std::size_t taken_back = Promise::never;  // until then
};

class RefusedRun {
  public:
    explicit RefusedRun(std::uint64_t seed)
        : random_(seed), disk_(std::make_unique<RecordingVfs>()), test_(small_buffer(), fast_directory()) {
        test_.open();
        test_.buffer->set_link(true);
        for (int round = 0; round < 6; ++round) {
            for (int i = 0; i < 6; ++i)
                append();
            if (round % 2 == 0) commit();
            settle_lent();
            commit();
            if (round % 3 == 2) take_back();
        }
        recording_ = disk_->recording();
        test_.close();
        disk_.reset();
    }

    const Recording& recording() const { return recording_; }

    std::string check(const std::filesystem::path& directory, std::size_t cut) const {
        FakeClock clock;
        RecordingLog log;
        auto opened = Buffer::open(directory, test_.config, clock, log);
        if (!opened) return "it does not open: " + opened.error().text;
        if (log.count(LogLevel::error) + log.count(LogLevel::warning) > 0)
            return "it complains: " + log.text();
        Buffer& buffer = **opened;
        std::map<std::int64_t, bool> found;  // whether it is set aside
        std::string wrong;
        const auto find = [&](const Batch& batch, bool is_aside) {
            for (const std::int64_t number : numbers_in(batch))
                if (!found.emplace(number, is_aside).second)
                    wrong = "reading " + std::to_string(number) + " is there twice";
        };
        const auto listing = buffer.list_refused(0);
        if (!listing || listing->next) return "what is set aside can't be listed";
        for (const RefusedMessage& message : listing->messages)
            find(message.batch, true);
        buffer.set_link(true);
        while (const auto batch = buffer.peek())
            find(*batch, false);
        if (!wrong.empty()) return wrong;
        for (const auto& [number, fate] : fates_) {
            const std::string name = "reading " + std::to_string(number);
            const auto there = found.find(number);
            if (there == found.end() && fate.committed <= cut && fate.acked > cut) return name + " is lost";
            const bool must_be_aside = fate.aside <= cut && fate.taken_back > cut;
            if (must_be_aside && there != found.end() && !there->second)
                return name + " was set aside and is offered";
        }
        if (auto closed = buffer.close(); !closed) return "it does not close: " + closed.error().text;
        return integrity(directory / "buffer.db");
    }

  private:
    void append() {
        BatchMaker maker("in" + std::to_string(random_() % 2));
        const auto number = maker.channel("n", ValueType::i64);
        const auto text = maker.channel("text", ValueType::string);
        for (std::size_t i = 2 + random_() % 8; i > 0; --i) {
            const std::string noise = std::to_string(random_());
            fates_.emplace(next_, Fate{});
            maker.add(next_, {Value::of(number, next_), Value::of(text, std::string_view(noise))});
            ++next_;
        }
        Batch batch = maker.batch(0);
        batch.header.priority = static_cast<Priority>(random_() % 3);
        test_.append(std::move(batch));
    }

    void commit() {
        test_.pass(std::chrono::seconds(3));
        if (test_.buffer->status().in_memory_readings > 0) throw std::runtime_error("not committed");
        for (auto& [number, fate] : fates_)
            fate.committed = std::min(fate.committed, disk_->position());
        for (const std::int64_t number : now_aside_)
            fates_[number].aside = disk_->position();
        now_aside_.clear();
    }

    void settle_lent() {
        for (const Batch& batch : test_.peek_all()) {
            const std::uint64_t seq = batch.header.seq;
            const auto choice = random_() % 4;
            for (const std::int64_t number : numbers_in(batch)) {
                if (choice == 0) fates_[number].acked = disk_->position();
                if (choice == 1) now_aside_.push_back(number);
            }
            if (choice == 0) test_.buffer->ack(seq);
            if (choice == 1) test_.buffer->set_aside({seq, 0x87, "not authorised", 1});
            if (choice == 2) test_.buffer->split({seq, 60 + random_() % 300});
            if (choice == 3) test_.buffer->give_back(seq);
        }
    }

    void take_back() {
        const auto listing = test_.buffer->list_refused(0);
        for (const RefusedMessage& message : listing->messages) {
            if (random_() % 2 == 0) continue;
            for (const std::int64_t number : numbers_in(message.batch))
                fates_[number].taken_back = disk_->position();
            if (!test_.buffer->settle_refused(RefusedVerdict::retry, {seq_of_message(message.batch.header)}))
                throw std::runtime_error("not taken back");
        }
    }

    std::mt19937_64 random_;
    std::unique_ptr<RecordingVfs> disk_;  // until the run is over
    BufferInDirectory test_;
    std::map<std::int64_t, Fate> fates_;  // by the number of the reading
    std::vector<std::int64_t> now_aside_;
    std::int64_t next_ = 0;
    Recording recording_;
};

TEST(BufferCrashRefused, EachReadingIsThereOnceWheneverPowerGoes) {
    std::size_t images = 0;
    for (std::uint64_t seed = 1; seed <= 2; ++seed) {
        const RefusedRun run(seed);
        cut_power(run.recording(), how_many("HOLDFAST_CRASH_IMAGES", 150, 20), [&](const Cut& cut) {
            images += 1;
            const TempDir directory(fast_directory());
            write_image(cut.files, directory.path());
            EXPECT_EQ(run.check(directory.path(), cut.at), "")
                << "seed " << seed << ", cut " << cut.at << ", image " << cut.image;
        });
    }
    std::cout << "[ IMAGES   ] " << images << std::endl;
}

}  // namespace
}  // namespace holdfast::test
