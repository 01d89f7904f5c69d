// The exec input with real commands: what becomes of their output, their time-out, their end, and of all they
// leave behind.
#include <dirent.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <cmath>
#include <fstream>

#include "plugin_files.hpp"
#include "support/temp_dir.hpp"

namespace holdfast::test {
namespace {

TestHost::Options shell(const std::string& script, TestHost::Options more = {}) {
    more.emplace("command", TestHost::list({"sh", "-c", script}));
    return more;
}

std::size_t open_descriptors() {
    std::size_t count = 0;
    DIR* directory = ::opendir("/proc/self/fd");
    while (::readdir(directory) != nullptr)
        ++count;
    ::closedir(directory);
    return count;
}

// Whether the process runs; a zombie does not.
bool runs(pid_t pid) {
    std::ifstream stat("/proc/" + std::to_string(pid) + "/stat");
    std::string content;
    std::getline(stat, content);
    const std::size_t end_of_name = content.rfind(')');
    return end_of_name != std::string::npos && content.at(end_of_name + 2) != 'Z';
}

bool has_children() {
    return ::waitpid(-1, nullptr, WNOHANG) == 0 || errno != ECHILD;
}

class Exec : public ::testing::Test {
  protected:
    void SetUp() override { ::prctl(PR_SET_CHILD_SUBREAPER, 1); }  // as the real host is

    TestHost& host(TestHost::Options options) {
        host_.emplace(shipped_plugin("exec"), std::move(options));
        host_->interval_us = interval_us_;
        EXPECT_EQ(host_->open(), 0);
        return *host_;
    }
    // One run of the command, to its end.
    void run() {
        ASSERT_EQ(host_->sample(), 0);
        ASSERT_TRUE(host_->run_until([&] { return host_->watched.size() == 1; }))
            << "the command did not end";
    }

    std::int64_t interval_us_ = 10'000'000;
    std::optional<TestHost> host_;
};

TEST_F(Exec, MakesAReadingOfEachLine) {
    TestHost& h = host(shell(R"(echo '{"a":1,"b":"x"}'; echo; printf '{"a":2.5,"c":true}')"));
    run();
    ASSERT_EQ(h.readings.size(), 2U);
    EXPECT_EQ(h.readings[0].get<double>("a"), 1);
    EXPECT_EQ(h.readings[0].get<std::string>("b"), "x");
    EXPECT_EQ(h.readings[1].get<double>("a"), 2.5);
    EXPECT_TRUE(h.readings[1].get<bool>("c"));
    EXPECT_TRUE(h.errors.empty());
}

TEST_F(Exec, TakesInfluxLinesWithTagsAndTime) {
    TestHost& h =
        host(shell("echo 'w,room=b2 t=21.5 1795371137123000000'", {{"format", std::string("influx")}}));
    run();
    ASSERT_EQ(h.readings.size(), 1U);
    EXPECT_EQ(h.readings[0].get<double>("w.t"), 21.5);
    EXPECT_EQ(h.readings[0].tags.at("room"), "b2");
    EXPECT_EQ(h.readings[0].wall_time_us, 1795371137123000);
}

TEST_F(Exec, TakesBareNumbersAndNan) {
    TestHost& h = host(shell("echo 3; echo nan", {{"format", std::string("value")}}));
    run();
    ASSERT_EQ(h.readings.size(), 2U);
    EXPECT_EQ(h.readings[0].get<double>("value"), 3);
    EXPECT_TRUE(std::isnan(h.readings[1].get<double>("value")));
}

TEST_F(Exec, SettlesAChannelsTypeAtItsFirstValue) {
    TestHost& h = host(shell(R"(echo '{"a":1}'; echo '{"a":"x"}'; echo '{"a":2}'; echo '{"a":null}'
                                echo '{"s":"x"}'; echo '{"s":null,"a":4}'; echo '{"a":1,"a":2}')"));
    run();
    ASSERT_EQ(h.readings.size(), 5U);
    EXPECT_TRUE(std::isnan(h.readings[2].get<double>("a")));
    EXPECT_EQ(h.readings[4].values.size(), 1U);
    ASSERT_EQ(h.errors.size(), 2U);
    EXPECT_EQ(h.errors[0], "channel 'a' is a number since its first value, and now a string");
    EXPECT_EQ(h.errors[1], "channel 'a' stands twice in the line");
}

TEST_F(Exec, SkipsGarbageLineByLineAsOneErrorEach) {
    TestHost& h = host(shell(R"(printf '{"a":1}\ngarbage\n{"a":"\377"}\n{"a":2\0}\n{"a":2}\n')"));
    run();
    EXPECT_EQ(h.readings.size(), 2U);
    ASSERT_EQ(h.errors.size(), 3U);
    EXPECT_EQ(h.errors[1], "the line is not UTF-8");
    EXPECT_EQ(h.errors[2], "the line holds a zero byte");
}

TEST_F(Exec, TakesALineOf64KiBAndSkipsALongerOne) {
    // {"a":"xxx..."} is 8 bytes and the text.
    TestHost& h = host(shell(R"(line() { printf '{"a":"'; head -c $1 /dev/zero | tr '\0' x; echo '"}'; }
                                line 65528; line 65529; line 5000000; line 1)"));
    run();
    ASSERT_EQ(h.readings.size(), 2U);
    EXPECT_EQ(h.readings[0].get<std::string>("a").size(), 65528U);
    EXPECT_EQ(h.readings[1].get<std::string>("a"), "x");
    EXPECT_EQ(h.errors, std::vector<std::string>(2, "a line of more than 64 KiB"));
}

TEST_F(Exec, CountsAnExitStatusWithTheLastLineOfStderr) {
    TestHost& h = host(shell("echo first >&2; echo bus is stuck >&2; exit 3"));
    run();
    EXPECT_EQ(h.errors, std::vector<std::string>{"the command ended with exit status 3: bus is stuck"});
    EXPECT_TRUE(h.has_log("stderr: first"));
    run();
    EXPECT_EQ(h.errors.size(), 2U);
}

TEST_F(Exec, CountsASignal) {
    TestHost& h = host(shell("kill -SEGV $$"));
    run();
    EXPECT_TRUE(h.has_error("signal 11"));
}

TEST_F(Exec, LogsStderrWithinBounds) {
    TestHost& h = host(shell(
        R"(i=0; while [ $i -lt 500 ]; do echo "line $i" >&2; i=$((i+1)); done; printf 'last\033' >&2; exit 1)"));
    run();
    EXPECT_EQ(h.logs.size(), 20U);
    EXPECT_TRUE(h.has_error("last?"));
}

TEST_F(Exec, SaysWhenTheProgramCannotBeStarted) {
    TestHost& h = host({{"command", TestHost::list({"/no/such/program"})}});
    EXPECT_EQ(h.sample(), -ENOENT);
    EXPECT_TRUE(h.has_error("cannot start '/no/such/program'"));
    EXPECT_EQ(h.watched.size(), 1U);
    EXPECT_FALSE(has_children());
}

TEST_F(Exec, RefusesACommandWithoutAProgramAndVariablesWithoutAName) {
    for (const TestHost::Options& options :
         {TestHost::Options{{"command", TestHost::list({})}},
          TestHost::Options{{"command", TestHost::list({""})}},
          shell("true", {{"environment", TestHost::Items{{"A=B", "c"}}}})}) {
        TestHost h(shipped_plugin("exec"), options);
        EXPECT_EQ(h.open(), -EINVAL);
    }
}

TEST_F(Exec, GivesTheCommandItsEnvironmentNoInputAndStandardSignals) {
    ::signal(SIGPIPE, SIG_IGN);
    TestHost& h = host(shell(R"(read x && exit 1
                                echo "{\"a\":\"$GREETING\",\"path\":\"${PATH:+yes}\"}"
                                ignored=$(sed -n 's/^SigIgn:[[:space:]]*//p' /proc/self/status)
                                echo "{\"ignored\":\"$ignored\",\"fds\":\"$(echo /proc/self/fd/*)\"}")",
                             {{"environment", TestHost::Items{{"GREETING", "hello there"}}}}));
    run();
    ::signal(SIGPIPE, SIG_DFL);
    ASSERT_EQ(h.readings.size(), 2U);
    EXPECT_EQ(h.readings[0].get<std::string>("a"), "hello there");
    EXPECT_EQ(h.readings[0].get<std::string>("path"), "yes");
    EXPECT_EQ(h.readings[1].get<std::string>("ignored"), "0000000000000000");
}

TEST_F(Exec, LooksForTheProgramInThePathItIsGiven) {
    const TempDir directory;
    std::filesystem::permissions(directory.write("hidden-sensor", "#!/bin/sh\necho 7\n"),
                                 std::filesystem::perms::owner_all);
    TestHost& h = host({{"command", TestHost::list({"hidden-sensor"})},
                        {"format", std::string("value")},
                        {"environment", TestHost::Items{{"PATH", directory.path().string()}}}});
    run();
    EXPECT_EQ(h.readings.at(0).get<double>("value"), 7);
}

TEST_F(Exec, KillsTheWholeGroupOfACommandThatHangs) {
    interval_us_ = 1'000'000;
    // The grandchild ignores what can be ignored and holds the pipe open.
    TestHost& h = host(shell(R"(sh -c 'trap "" TERM HUP INT; sleep 1000 & echo $$; echo $!; wait' & wait)",
                             {{"format", std::string("value")}}));
    run();
    ASSERT_EQ(h.readings.size(), 2U);
    for (const auto& reading : h.readings)
        EXPECT_FALSE(runs(static_cast<pid_t>(reading.get<double>("value"))));
    EXPECT_EQ(h.errors, std::vector<std::string>{"the command took longer than 1000 ms and was killed"});
    EXPECT_FALSE(has_children());
    // And it is run again as if nothing had been.
    run();
    EXPECT_EQ(h.readings.size(), 4U);
}

TEST_F(Exec, HoldsATimeoutOfItsOwnApartFromTheInterval) {
    TestHost& h = host(shell("sleep 1000", {{"timeout", std::int64_t{100'000}}}));
    run();
    EXPECT_TRUE(h.has_error("100 ms"));
}

TEST_F(Exec, StartsNoSecondCommandWhileOneRuns) {
    TestHost& h = host(shell("echo 1; exec sleep 1000", {{"format", std::string("value")}}));
    ASSERT_EQ(h.sample(), 0);
    ASSERT_TRUE(h.run_until([&] { return h.readings.size() == 1; }));
    EXPECT_EQ(h.sample(), -EAGAIN);
    EXPECT_EQ(h.readings.size(), 1U);
}

TEST_F(Exec, EndsWhatTheCommandLeftInItsGroup) {
    TestHost& h = host(shell("sleep 1000 & echo $!", {{"format", std::string("value")}}));
    run();
    EXPECT_FALSE(runs(static_cast<pid_t>(h.readings.at(0).get<double>("value"))));
    EXPECT_TRUE(h.errors.empty());
    EXPECT_FALSE(has_children());
}

TEST_F(Exec, KillsTheGroupOnClose) {
    TestHost& h = host(shell("sleep 1000 & echo $!; wait",
                             {{"format", std::string("value")}, {"mode", std::string("stream")}}));
    ASSERT_EQ(h.sample(), 0);
    ASSERT_TRUE(h.run_until([&] { return h.readings.size() == 1; }));
    const auto grandchild = static_cast<pid_t>(h.readings[0].get<double>("value"));
    EXPECT_TRUE(runs(grandchild));
    h.close();
    EXPECT_FALSE(runs(grandchild));
    EXPECT_FALSE(has_children());
}

TEST_F(Exec, LeaksNeitherDescriptorsNorProcessesOverManyRuns) {
    TestHost& h = host({{"command", TestHost::list({"echo", "1"})}, {"format", std::string("value")}});
    run();
    const std::size_t before = open_descriptors();
    for (int i = 0; i < 200; ++i)
        run();
    EXPECT_EQ(open_descriptors(), before);
    EXPECT_EQ(h.readings.size(), 201U);
    EXPECT_FALSE(has_children());
}

TEST_F(Exec, StreamsALineAtOnce) {
    TestHost& h = host(
        shell("echo 1; sleep 1000", {{"format", std::string("value")}, {"mode", std::string("stream")}}));
    ASSERT_EQ(h.sample(), 0);
    EXPECT_EQ(h.sample_after_us, -1);
    EXPECT_TRUE(h.run_until([&] { return h.readings.size() == 1; }));
    EXPECT_TRUE(h.errors.empty());
}

TEST_F(Exec, StartsAStreamAgainWhenItEnds) {
    TestHost& h =
        host(shell("echo $$; exit 4", {{"format", std::string("value")}, {"mode", std::string("stream")}}));
    ASSERT_EQ(h.sample(), 0);
    ASSERT_TRUE(h.run_until([&] { return h.readings.size() == 2; }));
    EXPECT_NE(h.readings[0].get<double>("value"), h.readings[1].get<double>("value"));
    EXPECT_EQ(h.restarts, std::vector<std::string>{"the command ended with exit status 4"});
    EXPECT_GE(h.errors.size(), 1U);
}

TEST_F(Exec, TriesAStreamAgainThatCannotBeStarted) {
    const TempDir directory;
    const std::string program = (directory / "late").string();
    TestHost& h = host({{"command", TestHost::list({program})},
                        {"format", std::string("value")},
                        {"mode", std::string("stream")}});
    ASSERT_EQ(h.sample(), 0);
    EXPECT_TRUE(h.has_error("cannot start"));
    std::filesystem::permissions(directory.write("late", "#!/bin/sh\necho 5\nsleep 1000\n"),
                                 std::filesystem::perms::owner_all);
    EXPECT_TRUE(h.run_until([&] { return h.readings.size() == 1; }));
    EXPECT_EQ(h.restarts.size(), 1U);
}

TEST_F(Exec, KillsAStreamThatIsSilentForItsTimeout) {
    TestHost& h = host(shell("echo 1; sleep 1000", {{"format", std::string("value")},
                                                    {"mode", std::string("stream")},
                                                    {"timeout", std::int64_t{100'000}}}));
    ASSERT_EQ(h.sample(), 0);
    EXPECT_TRUE(h.run_until([&] { return h.has_error("printed no line for 100 ms"); }));
    EXPECT_FALSE(has_children());
}

}  // namespace
}  // namespace holdfast::test
