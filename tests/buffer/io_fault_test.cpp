// The n-th call to the buffer's files fails, once or from then on, for each n: the agent goes on, its counts
// are right, and once the fault is over nothing is missing but what was counted as dropped.
//
// HOLDFAST_FAULT_RUNS sets how many n are tried at most in each of the loops.
#include <gtest/gtest.h>

#include <iostream>

#include "buffer/fault_run.hpp"

namespace holdfast::test {
namespace {

using Kind = NthFaultVfs::Kind;
using Span = NthFault::Span;

class BufferIoFaults : public testing::TestWithParam<std::size_t> {};

TEST_P(BufferIoFaults, LoseNothingThatIsNotCounted) {
    const FaultScenario scenario = fault_scenarios().at(GetParam());
    const std::size_t most = how_many("HOLDFAST_FAULT_RUNS", 80, 15);
    for (const Kind kind : {Kind::all_but_reads, Kind::writes_full, Kind::reads})
        for (const Span span : {Span::once, Span::for_ever}) {
            NthFaultVfs disk(kind);
            const FaultReport report =
                fail_each(scenario, disk.fault, span, most, {.set_aside = kind == Kind::reads});
            EXPECT_GT(report.calls, 0);
            EXPECT_EQ(report.problems, std::vector<std::string>()) << static_cast<int>(kind);
        }
}

INSTANTIATE_TEST_SUITE_P(While, BufferIoFaults, testing::Range<std::size_t>(0, fault_scenarios().size()),
                         [](const auto& parameter) { return fault_scenarios().at(parameter.param).name; });

// Compound: power goes, and while the buffer starts on what is left, its disk fails.
TEST(BufferIoFaultsAfterAPowerCut, LoseNothing) {
    CrashRun run(small_buffer());
    for (int round = 0; round < 4; ++round) {
        for (int i = 0; i < 6; ++i)
            run.append(static_cast<Priority>(i % 3), 3'000);
        run.pass(run.config().commit_interval);
    }
    run.buffer().set_link(true);
    for (int i = 0; i < 10; ++i)
        run.peek();
    run.acknowledge();
    run.pass(run.config().commit_interval);
    run.finish();

    std::size_t starts = 0;
    const auto start = [&](const Cut& cut, std::size_t n, Kind kind, Span span) {
        const TempDir directory(fast_directory());
        write_image(cut.files, directory.path());
        bool struck = false;
        {
            NthFaultVfs disk(kind);
            disk.fault.arm(n, span);
            const FakeClock clock;
            RecordingLog log;
            auto opened = Buffer::open(directory.path(), run.config(), clock, log);
            struck = disk.fault.struck();
        }
        starts += 1;
        const std::string problem = run.check(directory.path(), cut.at, {.set_aside = kind == Kind::reads});
        EXPECT_EQ(problem, "") << "cut " << cut.at << ", image " << cut.image << ", call " << n << ", kind "
                               << static_cast<int>(kind) << (span == Span::once ? " once" : " for ever");
        return struck && !testing::Test::HasFailure();
    };
    cut_power(run.recording(), how_many("HOLDFAST_FAULT_RUNS", 40, 6), [&](const Cut& cut) {
        for (const Kind kind : {Kind::all_but_reads, Kind::writes_full, Kind::reads})
            for (const Span span : {Span::once, Span::for_ever})
                // From another call on for each image, so that together they meet all of them.
                for (std::size_t n = 1 + cut.at % 5; start(cut, n, kind, span); n += 5) {
                }
    });
    std::cout << "[ FAULTS   ] " << starts << " starts after a power cut" << std::endl;
}

}  // namespace
}  // namespace holdfast::test
