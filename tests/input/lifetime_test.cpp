// Nothing that a plugin started outlives its host, and nothing outlives the
// daemon.

#include <signal.h>
#include <sys/prctl.h>

#include <fstream>
#include <set>

#include "input/orphans.hpp"
#include "input_fixture.hpp"

namespace holdfast::test {
namespace {

using namespace std::chrono_literals;

// Processes that the rogue's family wrote down.
std::set<pid_t> read_family(const std::filesystem::path& file) {
    std::set<pid_t> family;
    std::ifstream in(file);
    for (std::string word; in >> word;)
        if (const pid_t pid = std::atoi(word.c_str()); pid > 0) family.insert(pid);
    return family;
}

bool is_gone(pid_t pid) {
    std::ifstream stat("/proc/" + std::to_string(pid) + "/stat");
    std::string id, name, state;
    // A zombie has ended; its new parent reaps it when it gets to it.
    return !(stat >> id >> name >> state) || state == "Z" || state == "X";
}

bool all_gone(const std::set<pid_t>& pids) {
    return std::all_of(pids.begin(), pids.end(), is_gone);
}

class Lifetime : public InputFixture {
  protected:
    // A rogue with a child and a grandchild in another session; returns them.
    std::set<pid_t> start_family() {
        inputs_.configure({rogue_input("family", family_file().string())});
        EXPECT_TRUE(loop_.run_until([&] { return read_family(family_file()).size() == 2; })) << log_.text();
        return read_family(family_file());
    }
    std::filesystem::path family_file() const { return directory_ / "family"; }
};

TEST_F(Lifetime, WhatAPluginStartedEndsWhenItsHostIsStopped) {
    const std::set<pid_t> family = start_family();
    inputs_.stop();
    EXPECT_TRUE(loop_.run_until([&] { return all_gone(family); }));
}

TEST_F(Lifetime, WhatAKilledHostLeftBehindIsEndedAndReapedByTheDaemonThatAdoptsIt) {
    ASSERT_TRUE(adopt_orphans());
    const std::set<pid_t> family = start_family();
    ASSERT_EQ(::kill(status("rogue").pid, SIGKILL), 0);
    EXPECT_TRUE(loop_.run_until([&] { return all_gone(family); }));
    // No child but the host that was started again.
    EXPECT_TRUE(
        loop_.run_until([&] { return ::kill(*family.begin(), 0) != 0 && ::kill(*family.rbegin(), 0) != 0; }));
    inputs_.stop();
    ::prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0);
}

// Plays the daemon in a process of its own, until it is killed.
[[noreturn]] void be_daemon(const std::string& family_file, const std::string& hosts_file) {
    SystemClock clock;
    RecordingLog log;
    PollEventLoop loop;
    RecordingSink sink;
    Inputs inputs(loop, clock, log, test_environment(), sink);
    inputs.configure({rogue_input("family", family_file), counter_input("fast", 1s, 1000, 0, true)});
    bool told = false;
    (void)loop.run_until(
        [&] {
            if (sink.count("fast") == 0 || sink.count("rogue") == 0 || std::exchange(told, true))
                return false;
            std::ofstream hosts(hosts_file);
            for (const InputStatus& status : inputs.status())
                hosts << status.pid << '\n';
            return false;
        },
        60s);
    ::_exit(1);
}

TEST_F(Lifetime, NothingOutlivesADaemonThatIsKilled) {
    const auto hosts_file = directory_ / "hosts";
    const pid_t daemon = ::fork();
    if (daemon == 0) be_daemon(family_file().string(), hosts_file.string());
    const bool up = loop_.run_until(
        [&] { return read_family(family_file()).size() == 2 && read_family(hosts_file).size() == 2; });
    ::kill(daemon, SIGKILL);
    ::waitpid(daemon, nullptr, 0);
    ASSERT_TRUE(up);
    std::set<pid_t> all = read_family(family_file());
    all.merge(read_family(hosts_file));
    EXPECT_TRUE(loop_.run_until([&] { return all_gone(all); }, 5s));
}

}  // namespace
}  // namespace holdfast::test
