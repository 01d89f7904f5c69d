// A process that is killed while it works: what it had committed is there, and no id comes twice.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <set>

#include "buffer/support.hpp"

namespace holdfast::test {
namespace {

// What the child says after each commit.
struct Committed {
    std::uint64_t readings = 0;
};

// Runs `work` in a child that reports through the pipe and is killed after `reports` of them; returns the
// last one.
template <typename Work>
Committed run_and_kill(int reports, Work work) {
    int ends[2];
    if (::pipe(ends) != 0) throw std::runtime_error("no pipe");
    const pid_t child = ::fork();
    if (child == 0) {
        ::close(ends[0]);
        work([&](Committed state) { return ::write(ends[1], &state, sizeof state) == sizeof state; });
        ::_exit(0);
    }
    ::close(ends[1]);
    Committed last;
    for (int i = 0; i < reports; ++i)
        if (::read(ends[0], &last, sizeof last) != sizeof last) break;
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    for (Committed later; ::read(ends[0], &later, sizeof later) == sizeof later;)
        last = later;
    ::close(ends[0]);
    return last;
}

TEST(BufferCrash, AKillLosesNothingCommittedAndNoIdComesTwice) {
    const TempDir directory;
    const FakeClock clock;
    RecordingLog log;
    BufferConfig config;
    config.commit_interval = Micros(0);
    std::uint64_t epoch = 0;
    std::uint64_t committed = 0;
    for (int round = 0; round < 10; ++round) {
        const Committed last = run_and_kill(1 + round * 3, [&](auto report) {
            auto buffer = Buffer::open(directory.path(), config, clock, log);
            if (!buffer) return;
            for (int i = 0; i < 100'000; ++i) {
                for (int n = 0; n < 10; ++n)
                    (*buffer)->append(make_batch(10, "in", static_cast<Priority>(n % 3), 500));
                (*buffer)->step();
                if (!report({(*buffer)->status().committed_readings})) return;
            }
        });
        EXPECT_GE(last.readings, committed);
        auto buffer = Buffer::open(directory.path(), config, clock, log);
        ASSERT_TRUE(buffer) << buffer.error().text;
        if (round == 0) epoch = (*buffer)->epoch();
        EXPECT_EQ((*buffer)->epoch(), epoch);
        EXPECT_GE((*buffer)->status().committed_readings, last.readings);
        EXPECT_EQ((*buffer)->status().committed_readings % 100, 0);  // a commit is whole or not at all
        committed = (*buffer)->status().committed_readings;

        (*buffer)->set_link(true);
        std::set<std::uint64_t> ids;
        std::uint64_t readings = 0;
        while (auto batch = (*buffer)->peek()) {
            EXPECT_TRUE(ids.insert(batch->header.seq).second) << batch->header.seq;
            readings += batch->header.count;
        }
        EXPECT_EQ(readings, committed);
        const std::uint64_t highest = ids.empty() ? 0 : *ids.rbegin();
        (*buffer)->append(make_batch());
        const auto fresh = (*buffer)->peek();
        ASSERT_TRUE(fresh);
        EXPECT_GT(fresh->header.seq, highest);
        (*buffer)->ack(fresh->header.seq);
        ASSERT_TRUE((*buffer)->close());
    }
    EXPECT_EQ(log.count(LogLevel::error), 0) << log.text();
}

TEST(BufferCrash, SeqsThatWereOnlyInMemoryAreNotGivenOutAgain) {
    const TempDir directory;
    const FakeClock clock;
    RecordingLog log;
    const Committed last = run_and_kill(1, [&](auto report) {
        auto buffer = Buffer::open(directory.path(), {}, clock, log);
        if (!buffer) return;
        (*buffer)->set_link(true);
        std::uint64_t seq = 0;
        for (int i = 0; i < 1'000; ++i) {
            (*buffer)->append(make_batch());
            const auto batch = (*buffer)->peek();
            seq = batch->header.seq;
            (*buffer)->ack(seq);
        }
        report({seq});
        ::pause();
    });
    EXPECT_EQ(last.readings, 1'000);
    auto buffer = Buffer::open(directory.path(), {}, clock, log);
    ASSERT_TRUE(buffer);
    (*buffer)->set_link(true);
    (*buffer)->append(make_batch());
    EXPECT_GT((*buffer)->peek()->header.seq, 1'000);
    ASSERT_TRUE((*buffer)->close());
}

}  // namespace
}  // namespace holdfast::test
