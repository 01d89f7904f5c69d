// Random work on the buffer, held against a model of it: every reading is held, acknowledged, merged into a
// coarser one, or counted as dropped and told by a gap record. A failing run is made as short as it goes on
// failing, and printed.
//
// HOLDFAST_MODEL_SEEDS=N runs so many seeds (default 48), from HOLDFAST_MODEL_FIRST on (default 1).
#include <gtest/gtest.h>

#include <cstdlib>
#include <functional>
#include <map>
#include <random>
#include <set>
#include <sstream>

#include "buffer/faulty_vfs.hpp"
#include "buffer/support.hpp"
#include "support/make_batch.hpp"

namespace holdfast::test {
namespace {

enum class Verb {
    append,
    peek,
    ack,
    give_back,
    pass,
    link,
    disk,
    clock,
    restart,
    crash,
    set_aside,
    split,
    retry,
    drop
};

struct Step {
    Verb verb;
    std::uint64_t a = 0;
    std::uint64_t b = 0;
};
using Steps = std::vector<Step>;

std::string describe(const Step& step) {
    constexpr const char* names[] = {"append", "peek",    "ack",   "give_back", "pass",  "link",  "disk",
                                     "clock",  "restart", "crash", "set_aside", "split", "retry", "drop"};
    std::ostringstream out;
    out << names[static_cast<std::size_t>(step.verb)] << '(' << step.a << ", " << step.b << ')';
    return out.str();
}

Steps make_steps(std::uint64_t seed, int count) {
    std::mt19937_64 random(seed);
    Steps steps;
    for (int i = 0; i < count; ++i) {
        const std::uint64_t choice = random() % 112;
        const Verb verb = choice < 40    ? Verb::append
                          : choice < 62  ? Verb::peek
                          : choice < 74  ? Verb::ack
                          : choice < 78  ? Verb::give_back
                          : choice < 88  ? Verb::pass
                          : choice < 93  ? Verb::link
                          : choice < 95  ? Verb::disk
                          : choice < 97  ? Verb::clock
                          : choice < 99  ? Verb::restart
                          : choice < 100 ? Verb::crash
                          : choice < 104 ? Verb::set_aside
                          : choice < 108 ? Verb::split
                          : choice < 111 ? Verb::retry
                                         : Verb::drop;
        steps.push_back({verb, random(), random()});
    }
    return steps;
}

BufferConfig config_of(std::uint64_t seed) {
    BufferConfig config;
    config.max_size = mebibytes(seed % 3 == 0 ? 1 : 64);
    config.memory = seed % 2 == 0 ? kibibytes(200) : mebibytes(8);
    config.durability = seed % 4 < 2 ? Durability::offline : Durability::strict;
    config.drain = seed % 5 < 3 ? Drain::live_first : Drain::oldest_first;
    config.commit_interval = Micros(seed % 7 == 0 ? 0 : 1'000'000);
    config.drain_rate = seed % 11 == 0 ? 50'000 : 0;
    config.max_age = std::chrono::seconds(seed % 13 == 0 ? 60 : 30 * 86'400);
    constexpr WhenFull policies[] = {WhenFull::drop_oldest, WhenFull::thin, WhenFull::drop_newest,
                                     WhenFull::block};
    config.when_full = policies[seed / 3 % 4];
    return config;
}

// One run; `wrong` says what first broke a promise.
class Run {
  public:
    explicit Run(const BufferConfig& config) : test_(config) {}

    std::string play(const Steps& steps) {
        for (const Step& step : steps) {
            take(step);
            check_counts();
            if (!wrong_.empty()) return describe(step) + ": " + wrong_;
        }
        finish();
        faulty_.write_result = SQLITE_OK;
        return wrong_;
    }

  private:
    void require(bool holds, const std::string& what) {
        if (!holds && wrong_.empty()) wrong_ = what;
    }
    template <typename A, typename B>
    void require_equal(A a, B b, const std::string& what) {
        require(a == b, what + ": " + std::to_string(a) + " and " + std::to_string(b));
    }

    void take(const Step& step) {
        switch (step.verb) {
            case Verb::append:
                return append(step);
            case Verb::peek:
                return peek(step.a % 20);
            case Verb::ack:
            case Verb::give_back:
            case Verb::set_aside:
            case Verb::split:
                return settle(step);
            case Verb::retry:
            case Verb::drop:
                return settle_refused(step);
            case Verb::pass:
                return test_.pass(Micros(step.a % (step.b % 10 == 0 ? 100'000'000 : 1'500'000)));
            case Verb::link:
                link_up_ = step.a % 3 > 0;
                return test_.buffer->set_link(link_up_);
            case Verb::disk:
                faulty_.write_result = step.a % 3 == 0 ? SQLITE_FULL : SQLITE_OK;
                return;
            case Verb::clock:
                test_.clock.set_wall_us(static_cast<std::int64_t>(step.a % 4'000'000'000'000'000));
                return test_.clock.set_synchronised(step.b % 2 == 0);
            case Verb::restart:
                return restart();
            case Verb::crash:
                return crash();
        }
    }

    // Readings that are numbered, so that merged ones tell how many they stand for.
    void append(const Step& step) {
        std::mt19937_64 random(step.a);
        for (std::uint64_t i = 1 + step.b % 30; i > 0 && test_.buffer->has_room(); --i) {
            const auto count = static_cast<std::uint32_t>(1 + random() % 100);
            BatchMaker maker("in" + std::to_string(random() % 4));
            const std::uint32_t channel = maker.channel("value", ValueType::f64);
            for (std::uint32_t n = 0; n < count; ++n)
                maker.add(test_.clock.boot_us() + n,
                          {Value::of(channel, static_cast<double>(random() % 1'000'000))});
            Batch batch = maker.batch(0);
            batch.header.priority = static_cast<Priority>(random() % 3);
            batch.header.boot = read_boot_id();
            batch.header.clock =
                test_.clock.synchronised() ? ClockState::synchronised : ClockState::unsynchronised;
            appended_ += count;
            test_.append(std::move(batch));
        }
        test_.settle();
    }

    void peek(std::uint64_t most) {
        for (; most > 0; --most) {
            auto batch = test_.buffer->peek();
            if (!batch) return;
            require(link_up_, "offered without a link");
            see(*batch);
            require(lent_.emplace(batch->header.seq, batch->header).second, "lent twice");
        }
    }

    // A message is the same however often it is sent.
    void see(const Batch& batch) {
        const std::uint64_t id = seq_of_message(batch.header);
        require(!acked_.contains(id), "offered after it was acknowledged");
        if (batch.header.clock == ClockState::unsynchronised) sent_unsynchronised_.insert(id);
        const auto [known, is_new] =
            seen_.emplace(id, std::to_string(batch.header.wall_offset_us) + batch.body);
        require(is_new || known->second == std::to_string(batch.header.wall_offset_us) + batch.body,
                "an id comes back with other bytes");
    }

    void settle(const Step& step) {
        std::mt19937_64 random(step.a);
        for (std::uint64_t i = step.b % 20; i > 0 && !lent_.empty(); --i) {
            const auto chosen =
                std::next(lent_.begin(), static_cast<std::ptrdiff_t>(random() % lent_.size()));
            if (step.verb == Verb::ack)
                acknowledge(chosen->second);
            else if (step.verb == Verb::give_back)
                test_.buffer->give_back(chosen->first);
            else if (step.verb == Verb::split && chosen->second.count > 1 &&
                     chosen->second.kind != BatchKind::gap)
                test_.buffer->split({chosen->first, 100 + random() % 3'000});
            else
                test_.buffer->set_aside({chosen->first, 0x87, "no", 1});
            lent_.erase(chosen);
        }
    }

    // Some of what is set aside, or all of it.
    void settle_refused(const Step& step) {
        std::mt19937_64 random(step.a);
        const auto listing = test_.buffer->list_refused(0);
        if (!listing) return;
        std::vector<std::uint64_t> messages;
        for (const RefusedMessage& message : listing->messages)
            if (random() % 2 == 0) messages.push_back(seq_of_message(message.batch.header));
        const bool all = step.b % 4 == 0;
        if (messages.empty() && !all) return;
        if (step.verb == Verb::retry) {
            (void)test_.buffer->settle_refused(RefusedVerdict::retry,
                                               all ? std::vector<std::uint64_t>{} : messages);
            return;
        }
        // A gap record that is dropped leaves no other.
        for (const RefusedMessage& message : listing->messages)
            if (message.batch.header.kind == BatchKind::gap) gaps_are_exact_ = false;
        const std::uint64_t before = dropped();
        const auto dropped_now =
            test_.buffer->settle_refused(RefusedVerdict::drop, all ? std::vector<std::uint64_t>{} : messages);
        if (dropped_now) require(dropped() >= before + dropped_now->readings, "dropped and not counted");
        dropped_by_word_ += dropped() - before;
    }

    void acknowledge(const BatchHeader& header) {
        (header.kind == BatchKind::gap ? gaps_ : delivered_) += header.count;
        acked_.insert(seq_of_message(header));
        test_.buffer->ack(header.seq);
    }

    void restart() {
        faulty_.write_result = SQLITE_OK;
        require(test_.buffer->close().has_value(), "close failed");
        gone_before_ += dropped_since_start();
        thinned_before_ += test_.buffer->status().thinned_readings;
        reopen();
    }

    // What is not committed is lost with the process; what is acknowledged and not yet deleted comes again.
    void crash() {
        faulty_.write_result = SQLITE_OK;
        test_.settle();
        const BufferStatus before = test_.buffer->status();
        gone_before_ += dropped_since_start();
        thinned_before_ += before.thinned_readings;
        const BufferInDirectory::Files files = test_.copy_files();
        (void)test_.buffer->close();
        test_.put_files(files);
        reopen();
        acked_.clear();
        for (const std::uint64_t id : sent_unsynchronised_)
            seen_.erase(id);
        const std::uint64_t after = test_.buffer->status().readings;
        require(after + dropped_since_start() + test_.buffer->status().thinned_readings >=
                    before.committed_readings,
                "committed readings are gone after a kill");
        // Gap records may be lost or come again likewise: from here on only the sums of readings are
        // followed.
        gaps_are_exact_ = false;
        delivered_ = appended_ - dropped() - thinned() - after;
    }

    void reopen() {
        test_.open();
        lent_.clear();
        link_up_ = false;
    }

    std::uint64_t dropped_since_start() const { return test_.buffer->status().dropped_readings; }
    std::uint64_t dropped() const { return gone_before_ + dropped_since_start(); }
    std::uint64_t thinned() const { return thinned_before_ + test_.buffer->status().thinned_readings; }

    void check_counts() {
        const BufferStatus status = test_.buffer->status();
        require_equal(status.readings, status.in_memory_readings + status.committed_readings,
                      "held is not what is in memory and on disk");
        require_equal(status.readings + delivered_ + dropped() + thinned(), appended_,
                      "readings are missing or too many");
        require(status.bytes <= test_.config.max_size.count, "larger than max_size");
        if (test_.config.when_full == WhenFull::block && test_.config.max_age > std::chrono::hours(1))
            require_equal(dropped(), dropped_by_word_, "dropped although inputs wait");
        require(status.refused_readings <= status.readings, "what is set aside is not held");
    }

    void finish() {
        restart();
        require(test_.buffer->settle_refused(RefusedVerdict::retry, {}).has_value(), "can't be retried");
        require_equal(test_.buffer->status().refused_messages, 0U, "still set aside");
        test_.buffer->set_link(true);
        link_up_ = true;
        for (int turns = 0; turns < 100'000 && test_.buffer->status().batches > 0; ++turns) {
            while (auto batch = test_.buffer->peek()) {
                see(*batch);
                acknowledge(batch->header);
            }
            test_.pass(Micros(1'000'000));
        }
        require_equal(delivered_ + dropped() + thinned(), appended_, "not everything was delivered");
        if (gaps_are_exact_) require_equal(gaps_, dropped(), "gap records do not tell what was dropped");
        require_equal(test_.buffer->status().batches, 0U, "batches are left");
        require_equal(test_.buffer->status().readings, 0U, "readings are left");
    }

    FaultyVfs faulty_;
    BufferInDirectory test_;
    std::map<std::uint64_t, BatchHeader> lent_;
    std::map<std::uint64_t, std::string> seen_;    // by id
    std::set<std::uint64_t> acked_;                // ids
    std::set<std::uint64_t> sent_unsynchronised_;  // ids; a kill forgets that they were sent
    std::uint64_t appended_ = 0;
    std::uint64_t delivered_ = 0;
    std::uint64_t gaps_ = 0;  // readings that delivered gap records tell of
    std::uint64_t gone_before_ = 0;
    std::uint64_t thinned_before_ = 0;
    std::uint64_t dropped_by_word_ = 0;
    bool gaps_are_exact_ = true;
    bool link_up_ = false;
    std::string wrong_;
};

std::string play(const Steps& steps, const BufferConfig& config) {
    return Run(config).play(steps);
}

// Leaves out what the failure does not need: halves first, single steps at the end.
Steps shrink(Steps steps, const BufferConfig& config) {
    for (std::size_t chunk = steps.size() / 2; chunk > 0; chunk /= 2)
        for (std::size_t at = 0; at + chunk <= steps.size();) {
            Steps fewer = steps;
            const auto from = fewer.begin() + static_cast<std::ptrdiff_t>(at);
            fewer.erase(from, from + static_cast<std::ptrdiff_t>(chunk));
            if (play(fewer, config).empty())
                at += chunk;
            else
                steps = std::move(fewer);
        }
    return steps;
}

TEST(BufferModel, EveryReadingIsHeldDeliveredMergedOrCountedAsDropped) {
    const char* wanted = std::getenv("HOLDFAST_MODEL_SEEDS");
    const std::uint64_t seeds = wanted != nullptr ? std::strtoull(wanted, nullptr, 10) : 24;
    const char* first = std::getenv("HOLDFAST_MODEL_FIRST");
    const std::uint64_t begin = first != nullptr ? std::strtoull(first, nullptr, 10) : 1;
    for (std::uint64_t seed = begin; seed < begin + seeds; ++seed) {
        const Steps steps = make_steps(seed, 300);
        const BufferConfig config = config_of(seed);
        if (play(steps, config).empty()) continue;
        const Steps least = shrink(steps, config);
        std::ostringstream story;
        for (const Step& step : least)
            story << "  " << describe(step) << '\n';
        FAIL() << "seed " << seed << ": " << play(least, config) << "\nafter\n" << story.str();
    }
}

}  // namespace
}  // namespace holdfast::test
