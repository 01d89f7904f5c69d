#include <gtest/gtest.h>

#include "host/schedule.hpp"

namespace holdfast::host {
namespace {

using namespace std::chrono_literals;
using Outcome = Schedule::Outcome;

class ScheduleTest : public testing::Test {
  protected:
    // Lets one sample run at its due time (or later), for `duration`.
    void run_sample(Outcome outcome = Outcome::well, Micros duration = 1ms, Micros late = 0ms) {
        const MonoTime at = *schedule_.due() + late;
        schedule_.begin_call(at);
        schedule_.end_sample(outcome, at + duration);
    }
    Micros due() const { return std::chrono::duration_cast<Micros>(*schedule_.due() - start_); }

    const MonoTime start_{1000s};
    Schedule schedule_{1s, start_};
};

TEST_F(ScheduleTest, TakesTheFirstSampleAtOnce) {
    EXPECT_EQ(due(), 0s);
}

TEST_F(ScheduleTest, CountsFromStartToStartWithoutDrift) {
    for (int i = 0; i < 100; ++i)
        run_sample(Outcome::well, 400ms, 300us);
    EXPECT_EQ(due(), 100s);
}

TEST_F(ScheduleTest, SkipsMissedSamplesInsteadOfCatchingUp) {
    run_sample(Outcome::well, 3500ms);
    EXPECT_EQ(due(), 4s);
    run_sample();
    EXPECT_EQ(due(), 5s);
}

TEST_F(ScheduleTest, CountsTheSamplesThatFallOut) {
    run_sample(Outcome::well, 3500ms);
    EXPECT_EQ(schedule_.take_missed(), 3U);
    EXPECT_EQ(schedule_.take_missed(), 0U) << "each is told of once";
    run_sample(Outcome::well, 1s);
    EXPECT_EQ(schedule_.take_missed(), 0U) << "the next is just due";
    run_sample(Outcome::well, 1001ms);
    run_sample(Outcome::well, 1ms, 5500ms);  // held back before it could start
    EXPECT_EQ(schedule_.take_missed(), 1U + 5U);
}

TEST_F(ScheduleTest, TakesOrCountsEverySampleThatWasDue) {
    std::uint64_t taken = 0;
    for (int i = 0; i < 100; ++i, ++taken)
        run_sample(Outcome::well, i * 37ms, i * 91ms);
    EXPECT_EQ(Micros(1s) * (taken + schedule_.take_missed()), due());
}

TEST_F(ScheduleTest, CountsNoSampleThatWasAskedForAsMissed) {
    schedule_.begin_call(start_);
    schedule_.sample_after(0s);
    schedule_.end_sample(Outcome::well, start_ + 10s);
    EXPECT_EQ(schedule_.take_missed(), 0U);
}

TEST_F(ScheduleTest, StaysOnItsGridWhenASampleEndsExactlyAtTheNextStart) {
    run_sample(Outcome::well, 1s);
    EXPECT_EQ(due(), 1s);
}

TEST_F(ScheduleTest, DoublesTheIntervalWhileSamplesFailAndReturnsAtTheFirstSuccess) {
    for (const Micros expected : {2s, 6s, 14s}) {
        run_sample(Outcome::failed);
        EXPECT_EQ(due(), expected);
    }
    run_sample();
    EXPECT_EQ(due(), 15s);
}

TEST_F(ScheduleTest, NeverWaitsLongerThanFiveMinutesAfterAFailure) {
    for (int i = 0; i < 100; ++i)
        run_sample(Outcome::failed);
    const Micros before = due();
    run_sample(Outcome::failed);
    EXPECT_EQ(due() - before, 5min);
}

TEST_F(ScheduleTest, KeepsAnIntervalThatIsLongerThanFiveMinutesWhenItFails) {
    schedule_ = Schedule(1h, start_);
    run_sample(Outcome::failed);
    EXPECT_EQ(due(), 1h);
}

TEST_F(ScheduleTest, ObeysSampleAfterForOneTime) {
    schedule_.begin_call(start_);
    schedule_.sample_after(250ms);
    schedule_.end_sample(Outcome::well, start_ + 1ms);
    EXPECT_EQ(due(), 250ms);
    run_sample();
    EXPECT_EQ(due(), 1250ms);
}

TEST_F(ScheduleTest, IsDueAtOnceWhenAskedForNoDelay) {
    schedule_.begin_call(start_);
    schedule_.sample_after(0s);
    schedule_.end_sample(Outcome::well, start_ + 1ms);
    EXPECT_EQ(due(), 0s);
}

TEST_F(ScheduleTest, NeverComesBackAfterANegativeDelayUntilAnEventAsksForIt) {
    schedule_.begin_call(start_);
    schedule_.sample_after(-1s);
    schedule_.end_sample(Outcome::well, start_ + 1ms);
    EXPECT_FALSE(schedule_.due());
    schedule_.begin_call(start_ + 5s);
    schedule_.sample_after(2s);
    schedule_.end_event();
    EXPECT_EQ(due(), 7s);
}

TEST_F(ScheduleTest, LetsAnEventThatAsksForNothingChangeNothing) {
    run_sample();
    schedule_.begin_call(start_ + 500ms);
    schedule_.end_event();
    EXPECT_EQ(due(), 1s);
}

TEST_F(ScheduleTest, DoesNotSpinOnASampleThatFailsAndAsksToBeCalledAtOnce) {
    schedule_.begin_call(start_);
    schedule_.sample_after(0s);
    schedule_.end_sample(Outcome::failed, start_ + 1ms);
    EXPECT_EQ(due(), 2s);
}

}  // namespace
}  // namespace holdfast::host
