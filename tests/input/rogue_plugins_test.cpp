// Plugins that misbehave, each in a real host: what becomes of them, and that a
// well-behaved input alongside loses nothing.

#include <gmock/gmock.h>

#include <fstream>

#include "base/sanitized.hpp"
#include "input_fixture.hpp"

namespace holdfast::test {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::MatchesRegex;

class RoguePlugins : public InputFixture {
  protected:
    // Runs the rogue beside a counter until `done`; the counter must have gone on
    // all the while.
    void run(InputConfig rogue, const std::function<bool()>& done) {
        inputs_.configure({std::move(rogue), counter_input("good", 5ms)});
        ASSERT_TRUE(loop_.run_until(done)) << status("rogue").last_error << "\n" << log_.text();
        const std::size_t before = sink_.count("good");
        ASSERT_TRUE(loop_.run_until([&] { return sink_.count("good") > before + 5; }));
        EXPECT_TRUE(sink_.is_complete("good"));
        EXPECT_EQ(sink_.streams("good").size(), 1u) << "the good one was never started again";
    }
    void run_until_backing_off(const std::string& deed) {
        run(rogue_input(deed), [&] { return status("rogue").state == InputState::backing_off; });
    }
    void run_until_errors(const std::string& deed) {
        run(rogue_input(deed), [&] { return status("rogue").errors >= 3; });
        EXPECT_EQ(status("rogue").state, InputState::running);
        EXPECT_EQ(status("rogue").restarts, 0u);
        EXPECT_EQ(log_.count("a sample failed"), 1u) << log_.text();
    }
};

TEST_F(RoguePlugins, ThatIsNoneFails) {
    InputConfig config = rogue_input("");
    config.plugin = "no_symbol";
    run(config, [&] { return status("rogue").state == InputState::failed; });
    EXPECT_THAT(status("rogue").last_error, HasSubstr("does not export holdfast_plugin_entry"));
}

TEST_F(RoguePlugins, OfAnotherAbiFails) {
    InputConfig config = rogue_input("");
    config.plugin = "wrong_abi";
    run(config, [&] { return status("rogue").state == InputState::failed; });
    EXPECT_THAT(status("rogue").last_error, HasSubstr("ABI 2, this agent has ABI 1"));
}

TEST_F(RoguePlugins, ThatIsMissingBacksOffAndIsNamed) {
    InputConfig config = rogue_input("");
    config.plugin = "nowhere";
    run(config, [&] { return status("rogue").state == InputState::backing_off; });
    EXPECT_THAT(status("rogue").last_error, HasSubstr("there is no plugin \"nowhere\""));
}

TEST_F(RoguePlugins, ThatRefusesItsOptionsFailsForGood) {
    run(rogue_input("refuse"), [&] { return status("rogue").state == InputState::failed; });
    EXPECT_THAT(status("rogue").last_error, HasSubstr("option deed: must not be refuse"));
    EXPECT_EQ(status("rogue").pid, 0);
    EXPECT_TRUE(log_.has("not tried again until its configuration changes"));
}

TEST_F(RoguePlugins, WhoseDeviceIsAbsentIsTriedAgain) {
    run(rogue_input("absent"), [&] { return status("rogue").restarts >= 1; });
    EXPECT_THAT(status("rogue").last_error, HasSubstr("No such device"));
}

TEST_F(RoguePlugins, ThatCrashesInOpenBacksOff) {
    run_until_backing_off("segfault_in_open");
    EXPECT_THAT(status("rogue").last_error,
                MatchesRegex(R"(killed by SIGSEGV in segfault \(rogue\.so\+0x[0-9a-f]+\))"));
}

TEST_F(RoguePlugins, ThatThrowsInOpenBacksOffWithItsText) {
    run_until_backing_off("throw_in_open");
    EXPECT_THAT(status("rogue").last_error, HasSubstr("threw an exception: no luck"));
}

TEST_F(RoguePlugins, ThatCrashesInSampleBacksOffAndStartsAgain) {
    run(rogue_input("segfault"), [&] { return status("rogue").restarts >= 2; });
    EXPECT_THAT(status("rogue").last_error, HasSubstr("killed by SIGSEGV in segfault (rogue.so+0x"));
    EXPECT_TRUE(log_.has("killed by SIGSEGV in segfault (rogue.so+0x")) << log_.text();
    EXPECT_EQ(log_.count(LogLevel::warning), 1u) << log_.text();
}

TEST_F(RoguePlugins, ThatAbortsBacksOff) {
    run_until_backing_off("abort");
    EXPECT_THAT(status("rogue").last_error, HasSubstr("killed by SIGABRT in sample_badly (rogue.so+0x"))
        << "the place in the plugin, not that in the library which it called";
}

TEST_F(RoguePlugins, ThatUsesUpItsStackBacksOff) {
    run_until_backing_off("overflow_stack");
    EXPECT_THAT(status("rogue").last_error, HasSubstr("killed by SIGSEGV in recurse (rogue.so+0x"));
}

TEST_F(RoguePlugins, ThatExitsBacksOffWithItsCode) {
    run_until_backing_off("exit");
    EXPECT_EQ(status("rogue").last_error, "exited with code 3");
}

TEST_F(RoguePlugins, ThatExitsAsIfAllWereWellBacksOff) {
    run_until_backing_off("exit_at_once");
    EXPECT_EQ(status("rogue").last_error, "exited with code 0");
}

TEST_F(RoguePlugins, ThatHangsMissesItsDeadlineAndIsStartedAgain) {
    InputConfig config = rogue_input("hang");
    config.deadline = Micros(100'000);
    run(config, [&] { return status("rogue").restarts >= 1; });
    EXPECT_THAT(status("rogue").last_error, HasSubstr("missed its deadline"));
    EXPECT_GE(sink_.count("rogue"), 1u);
}

TEST_F(RoguePlugins, ThatSpinsMissesItsDeadline) {
    InputConfig config = rogue_input("spin");
    config.deadline = Micros(100'000);
    run(config, [&] { return status("rogue").state == InputState::backing_off; });
    EXPECT_THAT(status("rogue").last_error, HasSubstr("missed its deadline"));
}

TEST_F(RoguePlugins, ThatLeaksIsEndedAtItsMemoryLimit) {
    if (sanitized) GTEST_SKIP() << "sanitizers need memory of their own";
    run_until_backing_off("leak");
    EXPECT_THAT(status("rogue").last_error, MatchesRegex("killed by SIGSEGV in leak .*: the plugin used up "
                                                         "its memory limit of 32768 KiB"));
}

TEST_F(RoguePlugins, ThatThrowsInSampleCostsAnErrorEach) {
    run_until_errors("throw");
    EXPECT_EQ(status("rogue").last_error, "threw an exception: out of luck");
}

TEST_F(RoguePlugins, ThatThrowsNoExceptionClassCostsAnErrorEach) {
    run_until_errors("throw_int");
}

TEST_F(RoguePlugins, ThatFailsIsToldByItsErrno) {
    run_until_errors("fail");
    EXPECT_EQ(status("rogue").last_error, "Input/output error");
}

TEST_F(RoguePlugins, ThatEmitsWhatIsNotUtf8CostsAnErrorEach) {
    run_until_errors("not_utf8");
    EXPECT_EQ(status("rogue").last_error, "emitted a string that is not UTF-8");
    EXPECT_EQ(sink_.streams("rogue").back().n.size(), 0u);
}

TEST_F(RoguePlugins, ThatEmitsAHugeStringCostsAnErrorEach) {
    run_until_errors("huge");
    EXPECT_EQ(status("rogue").last_error, "emitted a string of more than 64 KiB");
}

TEST_F(RoguePlugins, ThatEmitsTenMebibytesCostsAnErrorEach) {
    run_until_errors("enormous");
    EXPECT_EQ(status("rogue").last_error, "emitted a string of more than 64 KiB");
}

TEST_F(RoguePlugins, ThatChangesTheTypeOfAChannelCostsAnErrorEach) {
    run_until_errors("change_type");
    EXPECT_EQ(status("rogue").last_error, "declared a channel again with another type");
    EXPECT_EQ(sink_.streams("rogue").back().n.size(), 0u);
}

TEST_F(RoguePlugins, ThatDeclaresEverMoreChannelsIsHeldToItsLot) {
    run_until_errors("add_channels");
    EXPECT_EQ(status("rogue").last_error, "declared more than 4096 channels");
}

TEST_F(RoguePlugins, ThatEmitsToAnUndeclaredChannelCostsAnErrorEach) {
    run_until_errors("undeclared");
    EXPECT_EQ(status("rogue").last_error, "emitted to a channel that it has not declared");
}

TEST_F(RoguePlugins, ThatEmitsAChannelTwiceCostsAnErrorEach) {
    run_until_errors("twice");
    EXPECT_EQ(status("rogue").last_error, "emitted a reading that has a channel twice");
}

TEST_F(RoguePlugins, ThatEmitsAnotherTypeCostsAnErrorEach) {
    run_until_errors("wrong_type");
    EXPECT_EQ(status("rogue").last_error, "emitted a value of another type than its channel's");
}

TEST_F(RoguePlugins, ThatWatchesButHasNoReadyCostsAnErrorEach) {
    InputConfig config = rogue_input("");
    config.plugin = "sloppy";
    config.options = {{"deed", std::string("watch")}, {"divisor", std::int64_t{1}}};
    run(config, [&] { return status("rogue").errors >= 3; });
    EXPECT_EQ(status("rogue").last_error, "has a descriptor watched, but no ready()");
    EXPECT_EQ(status("rogue").restarts, 0u);
}

TEST_F(RoguePlugins, ThatReportsBadLinesAndGoesOnLosesNothingElse) {
    run(rogue_input("error_lines"),
        [&] { return status("rogue").errors >= 6 && status("rogue").readings >= 3; });
    EXPECT_EQ(status("rogue").last_error, "line 2 is bad");
    EXPECT_TRUE(sink_.is_complete("rogue"));
}

TEST_F(RoguePlugins, ThatEmitsNotANumberIsCountedAndPassedOn) {
    run(rogue_input("nan"), [&] { return status("rogue").non_finite >= 3; });
    EXPECT_EQ(status("rogue").errors, 0u);
}

TEST_F(RoguePlugins, ThatPrintsDoesNoHarm) {
    run(rogue_input("print"), [&] { return status("rogue").readings >= 5; });
    EXPECT_TRUE(sink_.is_complete("rogue"));
}

TEST_F(RoguePlugins, ThatForgesAFrameIsKilledAndBacksOff) {
    run_until_backing_off("forge");
    EXPECT_THAT(status("rogue").last_error, HasSubstr("damaged frame"));
}

TEST_F(RoguePlugins, ThatChattersIsHeldToAFewLinesAMinute) {
    run(rogue_input("chatter"), [&] { return status("rogue").readings >= 5; });
    EXPECT_LE(log_.count("chatter"), 20u);
    EXPECT_GE(log_.count("chatter"), 1u);
}

TEST_F(RoguePlugins, WhoseDeviceIsLostIsClosedAndOpenedInANewHost) {
    const auto diary = directory_ / "diary";
    run(rogue_input("lost", diary.string()), [&] { return status("rogue").readings >= 2; });
    EXPECT_GE(status("rogue").restarts, 1u);
    EXPECT_GE(status("rogue").errors, 1u);
    EXPECT_THAT(status("rogue").last_error, HasSubstr("No such device"));
    EXPECT_EQ(log_.count("a sample failed: No such device"), 1u) << log_.text();
    std::ifstream file(diary);
    std::string first, second, third;
    file >> first >> second >> third;
    EXPECT_EQ(first + " " + second + " " + third, "open close open");
}

// Also one that never returns to its host: it is no less alive for that.
TEST_F(RoguePlugins, ThatFloodsWithinOneSampleDoesNotStarveTheOthers) {
    run(rogue_input("flood"), [&] { return sink_.count("rogue") > 200'000; });
    EXPECT_TRUE(sink_.is_complete("rogue"));
    EXPECT_EQ(status("rogue").restarts, 0u);
}

TEST_F(RoguePlugins, ThatFloodsDoesNotStarveTheOthers) {
    InputConfig flood = counter_input("rogue", 1s, 1000, 0, true);
    run(flood, [&] { return sink_.count("rogue") > 200'000; });
    EXPECT_TRUE(sink_.is_complete("rogue"));
}

}  // namespace
}  // namespace holdfast::test
