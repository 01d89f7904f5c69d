// Inputs with real hosts: what runs, stops, pauses and comes again.

#include <fcntl.h>
#include <gmock/gmock.h>
#include <signal.h>
#include <sys/stat.h>

#include "base/sanitized.hpp"
#include "input_fixture.hpp"

namespace holdfast::test {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class InputsTest : public InputFixture {};

TEST_F(InputsTest, TakesInEverythingThatAPluginEmitsUntilItHasFinished) {
    inputs_.configure({counter_input("counter", 1s, 1000, 100'000, true)});
    ASSERT_TRUE(loop_.run_until([&] { return status("counter").state == InputState::stopped; }))
        << log_.text();
    EXPECT_EQ(sink_.count("counter"), 100'000u);
    EXPECT_TRUE(sink_.is_complete("counter"));
    EXPECT_EQ(status("counter").readings, 100'000u);
    EXPECT_EQ(status("counter").pid, 0);
    EXPECT_EQ(status("counter").last_error, "");
    EXPECT_EQ(status("counter").errors, 0u);
    ASSERT_TRUE(status("counter").last_reading_wall_us);
    EXPECT_LE(*status("counter").last_reading_wall_us, clock_.wall_us());
    EXPECT_GT(*status("counter").last_reading_wall_us, clock_.wall_us() - 60'000'000);
}

TEST_F(InputsTest, StartsAKilledHostAgainWhileOthersLoseNothing) {
    inputs_.configure({counter_input("victim", 5ms), counter_input("good", 5ms)});
    ASSERT_TRUE(loop_.run_until([&] { return sink_.count("victim") > 3; })) << log_.text();
    const pid_t first = status("victim").pid;
    ASSERT_EQ(::kill(first, SIGKILL), 0);
    ASSERT_TRUE(loop_.run_until([&] { return status("victim").state == InputState::backing_off; }));
    EXPECT_EQ(status("victim").last_error, "killed by SIGKILL");
    EXPECT_EQ(status("victim").pid, 0);
    ASSERT_TRUE(loop_.run_until(
        [&] { return sink_.streams("victim").size() == 2 && sink_.streams("victim")[1].n.size() > 3; }));
    EXPECT_EQ(status("victim").state, InputState::running);
    EXPECT_EQ(status("victim").restarts, 1u);
    EXPECT_NE(status("victim").pid, first);
    EXPECT_EQ(sink_.streams("good").size(), 1u);
    EXPECT_TRUE(sink_.is_complete("good"));
    EXPECT_TRUE(sink_.is_complete("victim"));
}

TEST_F(InputsTest, LosesNothingThroughAPauseAndHoldsTheHostBack) {
    inputs_.configure({counter_input("fast", 1s, 100, 0, true)});
    ASSERT_TRUE(loop_.run_until([&] { return sink_.count("fast") > 1000; })) << log_.text();
    inputs_.pause();
    const std::size_t at_pause = sink_.count("fast");
    loop_.run_for(300ms);
    EXPECT_EQ(sink_.count("fast"), at_pause);
    inputs_.resume();
    // What the socket holds is bounded: had the host gone on all the while, much
    // more would be waiting.
    ASSERT_TRUE(loop_.run_until([&] { return sink_.count("fast") > at_pause + 200'000; }));
    EXPECT_TRUE(sink_.is_complete("fast"));
    EXPECT_EQ(status("fast").restarts, 0u);
}

TEST_F(InputsTest, CountsTheSamplesThatAHostMissesInAPause) {
    inputs_.configure({counter_input("poller", 1ms, 5'000)});
    ASSERT_TRUE(loop_.run_until([&] { return sink_.count("poller") > 0; })) << log_.text();
    inputs_.pause();
    loop_.run_for(500ms);  // the socket is full long before
    inputs_.resume();
    EXPECT_TRUE(loop_.run_until([&] { return status("poller").missed >= 100; })) << log_.text();
    EXPECT_TRUE(sink_.is_complete("poller"));
    EXPECT_EQ(status("poller").errors, 0u);
}

TEST_F(InputsTest, BlocksAHostThatIsNotReadFrom) {
    inputs_.configure({counter_input("fast", 1s, 100, 0, true)});
    ASSERT_TRUE(loop_.run_until([&] { return sink_.count("fast") > 1000; })) << log_.text();
    inputs_.pause();
    const auto process_state = [&] {
        std::ifstream stat("/proc/" + std::to_string(status("fast").pid) + "/stat");
        std::string pid, name, state;
        stat >> pid >> name >> state;
        return state;
    };
    loop_.run_for(500ms);
    EXPECT_TRUE(loop_.run_until([&] { return process_state() == "S"; })) << "asleep in send";
}

TEST_F(InputsTest, DealsWithAnExitDuringAPauseAfterTheLastReadings) {
    inputs_.configure({counter_input("short", 1s, 100, 100)});
    inputs_.pause();
    loop_.run_for(300ms);
    EXPECT_EQ(sink_.count("short"), 0u);
    inputs_.resume();
    ASSERT_TRUE(loop_.run_until([&] { return status("short").state == InputState::stopped; })) << log_.text();
    EXPECT_EQ(sink_.count("short"), 100u);
}

// Its process is reaped, and its number may be another's by now.
TEST_F(InputsTest, ShowsNoProcessOfAHostThatEndedDuringAPause) {
    inputs_.configure({counter_input("short", 1s, 100, 100)});
    inputs_.pause();
    pid_t seen = 0;
    ASSERT_TRUE(loop_.run_until([&] {
        const pid_t now = status("short").pid;
        seen = std::max(seen, now);
        return seen > 0 && now == 0;
    }));
    EXPECT_EQ(::kill(seen, 0), -1);
    EXPECT_EQ(status("short").state, InputState::running) << "what it sent comes first";
}

TEST_F(InputsTest, StopTakesInWhatWasSentAndLeavesNoProcess) {
    inputs_.configure({counter_input("fast", 1s, 100, 0, true), counter_input("slow", 1h)});
    ASSERT_TRUE(loop_.run_until([&] { return sink_.count("fast") > 1000 && sink_.count("slow") == 1; }));
    const std::vector<pid_t> hosts = {status("fast").pid, status("slow").pid};
    inputs_.stop();
    for (const pid_t host : hosts)
        EXPECT_EQ(::kill(host, 0), -1);
    EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1) << "no zombie";
    EXPECT_TRUE(sink_.is_complete("fast"));
    EXPECT_EQ(status("fast").state, InputState::stopped);
    EXPECT_EQ(status("fast").last_error, "");
}

TEST_F(InputsTest, StopEndsAHostThatIsStuck) {
    const auto diary = directory_ / "diary";
    inputs_.configure({rogue_input("hang", diary.string())});
    const auto hangs = [&] {
        std::ifstream file(diary);
        const std::string text(std::istreambuf_iterator<char>(file), {});
        return text.find("hangs") != std::string::npos;
    };
    ASSERT_TRUE(loop_.run_until(hangs)) << log_.text();
    inputs_.stop();
    EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1) << "it is gone";
    EXPECT_EQ(status("rogue").state, InputState::stopped);
}

TEST_F(InputsTest, LeavesAloneWhatAConfigurationDoesNotChange) {
    inputs_.configure(
        {counter_input("same", 5ms), counter_input("changed", 5ms), counter_input("gone", 5ms)});
    ASSERT_TRUE(loop_.run_until(
        [&] { return sink_.count("same") && sink_.count("changed") && sink_.count("gone"); }));
    const pid_t same = status("same").pid;
    const pid_t changed = status("changed").pid;
    InputConfig tagged = counter_input("same", 5ms);
    tagged.tags = {{"room", "b2"}};
    inputs_.configure({tagged, counter_input("changed", 6ms), counter_input("new", 5ms)});
    ASSERT_TRUE(
        loop_.run_until([&] { return sink_.count("new") > 0 && sink_.streams("changed").size() == 2; }));
    EXPECT_EQ(status("same").pid, same);
    EXPECT_NE(status("changed").pid, changed);
    EXPECT_EQ(status("gone").name, "");
    EXPECT_EQ(inputs_.status().size(), 3u);
    EXPECT_TRUE(sink_.is_complete("same"));
}

TEST_F(InputsTest, SaysWhyTheHostProgramCannotBeStarted) {
    InputEnvironment environment = test_environment();
    environment.host_program = "/nonexistent/plugin-host";
    Inputs inputs(loop_, clock_, log_, environment, sink_);
    inputs.configure({counter_input("counter", 1s)});
    ASSERT_TRUE(loop_.run_until([&] { return inputs.status()[0].state == InputState::backing_off; }));
    EXPECT_THAT(inputs.status()[0].last_error, HasSubstr("/nonexistent/plugin-host: No such file"));
}

TEST_F(InputsTest, TakesNoReadingFromTheFuture) {
    inputs_.configure({counter_input("counter", 5ms)});
    ASSERT_TRUE(loop_.run_until([&] { return sink_.count("counter") > 5; }));
    EXPECT_LE(sink_.streams("counter")[0].times_us.back(), clock_.boot_us());
}

TEST_F(InputsTest, DoesNotCatchUpInABurstWhatASlowSampleMissed) {
    inputs_.configure({rogue_input("doze")});
    ASSERT_TRUE(loop_.run_until([&] { return sink_.count("rogue") >= 20; })) << log_.text();
    // In any span of time there are no more samples than intervals, but for the one at either end.
    const std::vector<std::int64_t>& times = sink_.streams("rogue")[0].times_us;
    for (std::size_t i = 0; i < times.size(); ++i)
        for (std::size_t j = i; j < times.size(); ++j)
            ASSERT_LE(static_cast<std::int64_t>(j - i), (times[j] - times[i]) / 10'000 + 2)
                << i << " to " << j;
    EXPECT_EQ(status("rogue").restarts, 0u);
}

class ListenerTest : public InputFixture {
  protected:
    ListenerTest() {
        const std::string path = (directory_ / "fifo").string();
        ::mkfifo(path.c_str(), 0600);
        fifo_ = UniqueFd(::open(path.c_str(), O_RDWR | O_CLOEXEC));
        InputConfig config;
        config.name = config.plugin = "listener";
        config.options = {{"path", path}};
        inputs_.configure({config});
    }
    void say(std::string_view text) {
        ASSERT_EQ(::write(fifo_.get(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
    }
    UniqueFd fifo_;
};

TEST_F(ListenerTest, IsCalledWhenItsDescriptorIsReadyAndNotSampled) {
    say("a\nb\nc\n");
    ASSERT_TRUE(loop_.run_until([&] { return sink_.count("listener") == 3; })) << log_.text();
    say("d\n");
    ASSERT_TRUE(loop_.run_until([&] { return sink_.count("listener") == 4; }));
    EXPECT_TRUE(sink_.is_complete("listener"));
    say("end\n");
    EXPECT_TRUE(loop_.run_until([&] { return status("listener").state == InputState::stopped; }));
}

TEST_F(ListenerTest, GoesOnAfterAFailedEvent) {
    say("bad\nbad\na\n");
    ASSERT_TRUE(loop_.run_until([&] { return sink_.count("listener") == 1; })) << log_.text();
    EXPECT_EQ(status("listener").errors, 2u);
    EXPECT_EQ(status("listener").last_error, "Protocol error");
    EXPECT_EQ(status("listener").state, InputState::running);
}

TEST(DescribePlugin, ReadsTheDescriptor) {
    const auto plugin = describe_plugin(test_environment(), "counter");
    ASSERT_TRUE(plugin) << plugin.error().text;
    EXPECT_EQ(plugin->name, "counter");
    EXPECT_EQ(plugin->version, "1.2.3");
    EXPECT_EQ(plugin->summary, "counts, for tests");
    ASSERT_EQ(plugin->options.size(), 4u);
    EXPECT_EQ(plugin->options[1].type, OptionType::boolean);
    EXPECT_EQ(plugin->options[1].default_text, "false");
    EXPECT_EQ(plugin->options[3].default_text, std::nullopt);
    EXPECT_EQ(plugin->options[3].choices, (std::vector<std::string>{"flat", "round"}));
}

TEST(DescribePlugin, SaysWhatIsWrongWithAPlugin) {
    for (const auto& [name, why] :
         {std::pair("no_symbol", "does not export"), std::pair("wrong_abi", "rebuild it"),
          std::pair("nowhere", "there is no plugin")}) {
        const auto plugin = describe_plugin(test_environment(), name);
        ASSERT_FALSE(plugin);
        EXPECT_EQ(plugin.error().kind, Error::Kind::config);
        EXPECT_THAT(plugin.error().text, HasSubstr(why));
    }
    // A sanitizer's search for leaks has a process of its own, which a killed host leaves behind.
    if (!sanitized) {
        EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1) << "no host is left";
    }
}

struct CheckOptions : testing::Test {
    static Result<std::vector<std::string>> check(const std::string& deed) {
        return check_options(test_environment(), rogue_input(deed));
    }
};

TEST_F(CheckOptions, SaysWhatThePluginComplainsOf) {
    const auto mistakes = check("refuse_in_check");
    ASSERT_TRUE(mistakes) << mistakes.error().text;
    EXPECT_THAT(*mistakes, ElementsAre("path: is a word", "deed: must not be refuse_in_check"));
}

TEST_F(CheckOptions, TakesAnythingElseForNoComplaint) {
    for (const char* deed :
         {"", "absent_in_check", "throw_in_check", "chatter_in_check", "segfault_in_open"}) {
        const auto mistakes = check(deed);
        ASSERT_TRUE(mistakes) << deed << ": " << mistakes.error().text;
        EXPECT_THAT(*mistakes, IsEmpty()) << deed;
    }
}

TEST_F(CheckOptions, NeverOpensThePlugin) {
    const TempDir directory;
    const std::string file = directory / "opened";
    ASSERT_TRUE(check_options(test_environment(), rogue_input("", file)));
    EXPECT_FALSE(std::filesystem::exists(file));
}

TEST_F(CheckOptions, SaysThatThePluginCouldNotBeAsked) {
    const auto crashed = check("segfault_in_check");
    ASSERT_FALSE(crashed);
    EXPECT_EQ(crashed.error().kind, Error::Kind::retry);
    EXPECT_THAT(crashed.error().text, HasSubstr("the plugin rogue could not be asked about these options: "));
    EXPECT_THAT(crashed.error().text, HasSubstr("in segfault (rogue.so+0x"));
    const auto hung = check("hang_in_check");
    ASSERT_FALSE(hung);
    EXPECT_EQ(hung.error().kind, Error::Kind::retry);
    EXPECT_THAT(hung.error().text, HasSubstr("it took more than 5 s"));
}

TEST_F(CheckOptions, HasNoComplaintOfAPluginThatCannotTell) {
    const auto mistakes = check_options(test_environment(), counter_input("counter", 1s));
    ASSERT_TRUE(mistakes);
    EXPECT_THAT(*mistakes, IsEmpty());
}

}  // namespace
}  // namespace holdfast::test
