#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host/stray_reaper.hpp"

namespace holdfast::host {
namespace {

using namespace std::chrono_literals;

// A child that has ended and was not waited for.
pid_t make_zombie() {
    const pid_t child = ::fork();
    if (child == 0) ::_exit(7);
    siginfo_t info{};
    ::waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOWAIT);
    return child;
}

TEST(StrayReaper, ReapsWhatNobodyWaitedForInAMinute) {
    const MonoTime start{1h};
    StrayReaper reaper;
    const pid_t child = make_zombie();
    reaper.look(start);
    reaper.look(start + 59s);
    siginfo_t info{};
    EXPECT_EQ(::waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOHANG | WNOWAIT), 0)
        << "still there";
    reaper.look(start + 60s);
    EXPECT_EQ(::waitpid(child, nullptr, WNOHANG), -1) << "reaped";
}

TEST(StrayReaper, LeavesAChildThatLives) {
    const MonoTime start{1h};
    StrayReaper reaper;
    const pid_t child = ::fork();
    if (child == 0)
        for (;;)
            ::pause();
    for (int minute = 0; minute < 3; ++minute)
        reaper.look(start + minute * 1min);
    ::kill(child, SIGKILL);
    int status = 0;
    EXPECT_EQ(::waitpid(child, &status, 0), child) << "its parent learns of its end";
    EXPECT_EQ(WTERMSIG(status), SIGKILL);
}

}  // namespace
}  // namespace holdfast::host
