#include <errno.h>
#include <gtest/gtest.h>
#include <signal.h>

#include "input/supervisor.hpp"
#include "support/fake_clock.hpp"
#include "support/recording_log.hpp"

namespace holdfast {
namespace {

using namespace std::chrono_literals;
using Action = Supervisor::Action;

constexpr int exited_with_3 = 3 << 8;
constexpr int exited_with_0 = 0;

InputConfig input(Micros interval = 1s) {
    InputConfig config;
    config.name = "boiler";
    config.plugin = "modbus";
    config.interval = interval;
    return config;
}

class SupervisorTest : public testing::Test {
  protected:
    Action tick() { return supervisor_.tick(clock_.now()); }
    void start() {
        ASSERT_EQ(tick(), Action::start);
        supervisor_.started(clock_.now());
    }
    void hear(const frame::FromHost& frame) { supervisor_.on_frame(frame, clock_.now()); }
    void exit(int status) { supervisor_.exited(status, clock_.now()); }
    // Lets the time come that the supervisor waits for.
    Micros wait() {
        const MonoTime next = *supervisor_.next_tick();
        const auto time = std::chrono::duration_cast<Micros>(next - clock_.now());
        if (time > 0s) clock_.advance(time);
        return time;
    }
    void fail_once() {
        wait();
        start();
        exit(SIGSEGV);
    }
    // The host beats for a while.
    void live(Micros time) {
        for (Micros passed = 0s; passed < time; passed += 2s) {
            clock_.advance(2s);
            hear(frame::Beat{});
            tick();
        }
    }

    test::FakeClock clock_;
    test::RecordingLog log_;
    Supervisor supervisor_{input(), 1, log_, clock_.now()};
};

TEST_F(SupervisorTest, StartsAtOnceAndOnce) {
    start();
    EXPECT_EQ(tick(), Action::none);
    EXPECT_EQ(supervisor_.state(), InputState::running);
    EXPECT_EQ(supervisor_.restarts(), 0u);
}

TEST_F(SupervisorTest, NamesTheSignalThatKilledTheHostAndStartsItAgainAfterAWait) {
    start();
    exit(SIGSEGV);
    EXPECT_EQ(supervisor_.state(), InputState::backing_off);
    EXPECT_EQ(supervisor_.last_error(), "killed by SIGSEGV");
    EXPECT_EQ(tick(), Action::none);
    const Micros waited = wait();
    EXPECT_GE(waited, 250ms);
    EXPECT_LE(waited, 1s);
    start();
    EXPECT_EQ(supervisor_.restarts(), 1u);
}

TEST_F(SupervisorTest, IsRunningAgainOnceTheNewHostShowsLife) {
    fail_once();
    wait();
    start();
    EXPECT_EQ(supervisor_.state(), InputState::backing_off);
    hear(frame::Opened{});
    EXPECT_EQ(supervisor_.state(), InputState::backing_off);
    hear(frame::Readings{});
    EXPECT_EQ(supervisor_.state(), InputState::running);
}

TEST_F(SupervisorTest, TellsAnExitCode) {
    start();
    exit(exited_with_3);
    EXPECT_EQ(supervisor_.last_error(), "exited with code 3");
}

TEST_F(SupervisorTest, KillsAHostThatSaysNothingForThreeIntervalsOrTenSecondsAndABeat) {
    start();
    clock_.advance(11'999ms);
    EXPECT_EQ(tick(), Action::none);
    clock_.advance(1ms);
    EXPECT_EQ(tick(), Action::kill);
    EXPECT_EQ(tick(), Action::none) << "a kill is said once";
    exit(SIGKILL);
    EXPECT_NE(supervisor_.last_error().find("missed its deadline"), std::string::npos);
    EXPECT_EQ(supervisor_.state(), InputState::backing_off);
    EXPECT_EQ(log_.count(LogLevel::warning), 1u) << log_.text();
}

// As a process that sleeps in a driver does.
TEST_F(SupervisorTest, IsNotRunningWhileAKilledHostHasNotEnded) {
    start();
    clock_.advance(12s);
    ASSERT_EQ(tick(), Action::kill);
    EXPECT_EQ(supervisor_.state(), InputState::backing_off);
    EXPECT_NE(supervisor_.last_error().find("missed its deadline"), std::string::npos);
    hear(frame::Readings{});
    EXPECT_EQ(supervisor_.state(), InputState::backing_off) << "what it had sent before is no life";
    exit(SIGKILL);
    EXPECT_NE(supervisor_.last_error().find("missed its deadline"), std::string::npos);
}

TEST_F(SupervisorTest, WaitsThreeIntervalsForAHostWithALongInterval) {
    Supervisor slow(input(1min), 1, log_, clock_.now());
    slow.started(clock_.now());
    clock_.advance(3min);
    EXPECT_EQ(slow.tick(clock_.now()), Action::none);
    clock_.advance(2s);
    EXPECT_EQ(slow.tick(clock_.now()), Action::kill);
}

TEST_F(SupervisorTest, TakesAnyFrameAsASignOfLife) {
    start();
    live(5min);
    EXPECT_EQ(tick(), Action::none);
}

TEST_F(SupervisorTest, DoesNotHoldAPausedHostToItsDeadline) {
    start();
    supervisor_.pause(clock_.now());
    clock_.advance(1h);
    EXPECT_EQ(tick(), Action::none);
    supervisor_.resume(clock_.now());
    EXPECT_EQ(tick(), Action::none);
    clock_.advance(12s);
    EXPECT_EQ(tick(), Action::kill);
}

TEST_F(SupervisorTest, KillsAHostThatIsStuckWhilePausesComeAndGo) {
    start();
    int seconds = 0;
    while (tick() == Action::none && ++seconds < 100) {
        supervisor_.pause(clock_.now());
        clock_.advance(1s);
        supervisor_.resume(clock_.now());
        clock_.advance(1s);
    }
    EXPECT_EQ(seconds, 12) << "seconds in which it could have been heard";
}

TEST_F(SupervisorTest, HasFailedAfterFiveFailuresInARowAndIsTriedEveryFiveMinutes) {
    for (int i = 0; i < 4; ++i) {
        fail_once();
        EXPECT_EQ(supervisor_.state(), InputState::backing_off);
    }
    fail_once();
    EXPECT_EQ(supervisor_.state(), InputState::failed);
    for (int i = 0; i < 3; ++i) {
        const Micros waited = wait();
        EXPECT_GE(waited, 5min);
        EXPECT_LE(waited, 5min + 30s);
        start();
        exit(SIGSEGV);
    }
    EXPECT_EQ(supervisor_.state(), InputState::failed);
}

TEST_F(SupervisorTest, LogsTheBeginningTheGivingUpAndTheRecoveryAndNotEachAttempt) {
    for (int i = 0; i < 8; ++i)
        fail_once();
    EXPECT_EQ(log_.count(LogLevel::warning), 1u) << log_.text();
    EXPECT_EQ(log_.count(LogLevel::error), 1u) << log_.text();
    wait();
    start();
    live(2min);
    EXPECT_EQ(log_.count("runs well again after its host failed 8 times"), 1u) << log_.text();
    EXPECT_EQ(log_.entries().front().fields.at("INPUT"), "boiler");
    EXPECT_EQ(log_.entries().front().fields.at("PLUGIN"), "modbus");
}

TEST_F(SupervisorTest, CountsFailuresAnewAfterAHostThatRanWellForAMinute) {
    for (int i = 0; i < 4; ++i)
        fail_once();
    wait();
    start();
    live(61s);
    exit(SIGSEGV);
    EXPECT_EQ(supervisor_.state(), InputState::backing_off);
    EXPECT_LE(wait(), 1s) << "the wait is short again";
}

TEST_F(SupervisorTest, NeverTriesAgainWhatWasRefusedForGood) {
    start();
    hear(frame::OpenFailed{EINVAL, true, "option bus: no such bus"});
    exit(exited_with_0);
    EXPECT_EQ(supervisor_.state(), InputState::failed);
    EXPECT_NE(supervisor_.last_error().find("option bus: no such bus"), std::string::npos);
    EXPECT_FALSE(supervisor_.next_tick());
    clock_.advance(24h);
    EXPECT_EQ(tick(), Action::none);
}

TEST_F(SupervisorTest, TriesAgainWhatCouldNotBeOpenedYet) {
    start();
    hear(frame::OpenFailed{ENODEV, false, "no such device"});
    exit(exited_with_0);
    EXPECT_EQ(supervisor_.state(), InputState::backing_off);
    wait();
    EXPECT_EQ(tick(), Action::start);
}

class WithoutItsDevice : public SupervisorTest {
  protected:
    void open_fails(std::int32_t code = ENODEV) {
        wait();
        start();
        hear(frame::OpenFailed{code, false, "no such device"});
        exit(exited_with_0);
    }
    void appear() { supervisor_.device_appeared(clock_.now()); }
    // Long enough for the slow retries.
    void give_up(std::int32_t code = ENODEV) {
        for (int i = 0; i < 5; ++i)
            open_fails(code);
        ASSERT_EQ(supervisor_.state(), InputState::failed);
        clock_.advance(1min);
    }
};

TEST_F(WithoutItsDevice, IsTriedHalfASecondAfterOneAppeared) {
    give_up();
    appear();
    clock_.advance(200ms);
    appear();
    EXPECT_EQ(tick(), Action::none) << "udev has not granted it";
    EXPECT_EQ(wait(), 300ms) << "what comes with a device does not put it off";
    EXPECT_EQ(tick(), Action::start);
}

TEST_F(WithoutItsDevice, IsTriedOnceInFiveSecondsInAStormOfNews) {
    give_up();
    int starts = 0;
    for (int i = 0; i < 600; ++i) {
        appear();
        clock_.advance(100ms);
        if (tick() != Action::start) continue;
        ++starts;
        supervisor_.started(clock_.now());
        hear(frame::OpenFailed{ENODEV, false, "no such device"});
        exit(exited_with_0);
    }
    EXPECT_GE(starts, 11);
    EXPECT_LE(starts, 12);
}

TEST_F(WithoutItsDevice, IsTriedAgainWhenOneAppearedDuringTheAttempt) {
    give_up();
    appear();
    wait();
    start();
    appear();
    hear(frame::OpenFailed{ENODEV, false, "no such device"});
    exit(exited_with_0);
    EXPECT_EQ(wait(), 5s);
    EXPECT_EQ(tick(), Action::start);
}

TEST_F(WithoutItsDevice, IsTriedWhenANodeMayHaveBeenMadeOrGranted) {
    for (const std::int32_t code : {ENOENT, ENXIO, EACCES, EPERM}) {
        give_up(code);
        appear();
        EXPECT_EQ(wait(), 500ms) << code;
        start();
        live(2min);
        exit(SIGSEGV);
    }
}

TEST_F(WithoutItsDevice, ButForAnotherReasonKeepsToItsWaits) {
    give_up(EBUSY);
    const auto next = supervisor_.next_tick();
    appear();
    EXPECT_EQ(supervisor_.next_tick(), next);
}

TEST_F(WithoutItsDevice, ThatWasLostAfterReadingsLooksForItAsForTheFirstTime) {
    give_up();
    for (int i = 0; i < 20; ++i) {
        wait();
        start();
        hear(frame::Readings{});
        clock_.advance(2s);
        hear(frame::Failed{ENODEV, 1, "the chip is gone"});
        hear(frame::Gone{});
        exit(exited_with_0);
        EXPECT_EQ(supervisor_.state(), InputState::backing_off);
        EXPECT_LE(*supervisor_.next_tick() - clock_.now(), 1s);
    }
    EXPECT_EQ(supervisor_.last_error(), "lost its device: the chip is gone");
    EXPECT_EQ(log_.count("a sample failed: the chip is gone"), 1U) << log_.text();
    EXPECT_EQ(log_.count(LogLevel::warning), 2U) << "that, and the first open that failed";
}

TEST_F(SupervisorTest, IsStoppedWhenThePluginHasFinished) {
    start();
    hear(frame::Finished{});
    exit(exited_with_0);
    EXPECT_EQ(supervisor_.state(), InputState::stopped);
    EXPECT_EQ(supervisor_.last_error(), "");
    EXPECT_FALSE(supervisor_.next_tick());
}

TEST_F(SupervisorTest, KillsAHostThatBreaksTheProtocol) {
    start();
    supervisor_.broke_protocol("its host sent a damaged frame");
    EXPECT_EQ(tick(), Action::kill);
    exit(SIGKILL);
    EXPECT_EQ(supervisor_.last_error(), "its host sent a damaged frame");
    EXPECT_EQ(supervisor_.state(), InputState::backing_off);
}

TEST_F(SupervisorTest, SaysThatMemoryRanOutWhenTheHostDiedOfIt) {
    start();
    hear(frame::Failed{ENOMEM, 1, "the plugin used up its memory limit of 32768 KiB"});
    exit(SIGSEGV);
    EXPECT_EQ(supervisor_.last_error(),
              "killed by SIGSEGV: the plugin used up its memory limit of 32768 KiB");
}

TEST_F(SupervisorTest, LogsTheFirstFailedSampleAndTheRecoveryWithTheCount) {
    start();
    for (int i = 0; i < 10; ++i) {
        hear(frame::Failed{EIO, 2, "bus error"});
        live(10s);
    }
    EXPECT_EQ(supervisor_.state(), InputState::running);
    EXPECT_EQ(supervisor_.errors(), 20u);
    EXPECT_EQ(supervisor_.last_error(), "bus error");
    EXPECT_EQ(log_.count("bus error"), 1u) << log_.text();
    live(2min);
    EXPECT_FALSE(log_.has("again")) << "beats are no samples";
    hear(frame::Readings{});
    EXPECT_EQ(log_.count("samples well again after 20 failed samples"), 1u) << log_.text();
    hear(frame::Failed{EIO, 1, "bus error"});
    EXPECT_EQ(log_.count("a sample failed: bus error"), 2u) << "a new episode";
}

TEST_F(SupervisorTest, DoesNotFlapWhenReadingsAndErrorsAlternate) {
    start();
    for (int i = 0; i < 1000; ++i) {
        hear(frame::Failed{0, 1, "line 7 is bad"});
        hear(frame::Readings{});
        clock_.advance(1s);
    }
    EXPECT_EQ(log_.entries().size(), 1u) << log_.text();
}

TEST_F(SupervisorTest, CountsMissedSamplesAndLogsThemOnceAnEpisode) {
    start();
    for (int i = 0; i < 100; ++i) {
        hear(frame::Missed{3});
        live(1min);
    }
    EXPECT_EQ(supervisor_.missed(), 300U);
    EXPECT_EQ(supervisor_.errors(), 0U);
    EXPECT_EQ(log_.entries().size(), 1U) << log_.text();
    EXPECT_EQ(log_.count("missed 3 samples, as the one before took longer than the interval"), 1U);
    live(1h);
    hear(frame::Missed{1});
    EXPECT_EQ(log_.count("missed 1 sample, as"), 1U) << "a new episode";
}

TEST_F(SupervisorTest, SaysNothingOfASampleMissedNowAndThenWithAShortInterval) {
    Supervisor fast(input(10ms), 1, log_, clock_.now());
    const auto miss = [&](std::uint32_t count) { fast.on_frame(frame::Missed{count}, clock_.now()); };
    for (int i = 0; i < 50; ++i) {
        miss(3);
        clock_.advance(1min);
    }
    EXPECT_TRUE(log_.entries().empty()) << log_.text();
    for (int i = 0; i < 50; ++i) {
        miss(20);
        clock_.advance(1s);
    }
    EXPECT_EQ(fast.missed(), 150U + 1000U);
    EXPECT_EQ(log_.entries().size(), 1U) << log_.text();
    EXPECT_EQ(log_.count("missed 100 samples"), 1U) << log_.text();
}

TEST_F(SupervisorTest, SaysOfSamplesMissedThroughAPauseThatThereWasNoRoom) {
    start();
    supervisor_.pause(clock_.now());
    clock_.advance(10min);
    supervisor_.resume(clock_.now());
    hear(frame::Missed{599});
    EXPECT_EQ(log_.count("missed 599 samples, as the buffer had no room"), 1U) << log_.text();
}

TEST_F(SupervisorTest, CountsWhatThePluginStartedAgain) {
    start();
    hear(frame::Restarted{"the command ended"});
    hear(frame::Restarted{"the command ended"});
    EXPECT_EQ(supervisor_.restarts(), 2u);
}

TEST_F(SupervisorTest, TakesAFailedStartForAFailure) {
    ASSERT_EQ(tick(), Action::start);
    supervisor_.start_failed(Error{Error::Kind::retry, "cannot start the plugin host: no memory"},
                             clock_.now());
    EXPECT_EQ(supervisor_.state(), InputState::backing_off);
    EXPECT_EQ(supervisor_.last_error(), "cannot start the plugin host: no memory");
    wait();
    EXPECT_EQ(tick(), Action::start);
}

TEST_F(SupervisorTest, TakesTheExitOfARetiredInputForNoFailure) {
    start();
    supervisor_.retire();
    exit(SIGTERM);
    EXPECT_EQ(supervisor_.state(), InputState::stopped);
    EXPECT_EQ(supervisor_.last_error(), "");
    EXPECT_TRUE(log_.entries().empty()) << log_.text();
}

TEST_F(SupervisorTest, KillsAHostThatDoesNotEndAfterItsFarewell) {
    start();
    hear(frame::Finished{});
    clock_.advance(12s);
    EXPECT_EQ(tick(), Action::kill);
    exit(SIGKILL);
    EXPECT_EQ(supervisor_.state(), InputState::stopped);
}

}  // namespace
}  // namespace holdfast
