// The n-th allocation of SQLite fails, once or from then on, for each n: as with the I/O faults, the agent
// goes on and nothing is lost that is not counted.
//
// HOLDFAST_FAULT_RUNS sets how many n are tried at most in each of the loops.
#include <gtest/gtest.h>

#include "buffer/fault_run.hpp"

namespace holdfast::test {
namespace {

class BufferMemoryFaults : public testing::TestWithParam<std::size_t> {};

TEST_P(BufferMemoryFaults, LoseNothingThatIsNotCounted) {
    const FaultScenario scenario = fault_scenarios().at(GetParam());
    const std::size_t most = how_many("HOLDFAST_FAULT_RUNS", 80, 15);
    for (const auto span : {NthFault::Span::once, NthFault::Span::for_ever}) {
        AllocationFaults allocator;
        const FaultReport report = fail_each(scenario, allocator.fault, span, most, {});
        EXPECT_GT(report.calls, 0);
        EXPECT_EQ(report.problems, std::vector<std::string>());
    }
}

INSTANTIATE_TEST_SUITE_P(While, BufferMemoryFaults, testing::Range<std::size_t>(0, fault_scenarios().size()),
                         [](const auto& parameter) { return fault_scenarios().at(parameter.param).name; });

}  // namespace
}  // namespace holdfast::test
