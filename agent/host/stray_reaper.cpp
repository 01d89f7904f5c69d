#include "host/stray_reaper.hpp"

#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <span>
#include <utility>

#include "base/children.hpp"

namespace holdfast::host {
namespace {

bool is_zombie(pid_t pid) {
    siginfo_t info{};
    return ::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
           info.si_pid == pid;
}

}  // namespace

void StrayReaper::look(MonoTime now) {
    if (now < next_look_) return;
    next_look_ = now + std::chrono::minutes(1);
    std::array<pid_t, 1024> children;
    const std::size_t count = list_children(children);
    const std::vector<pid_t> before = std::exchange(dead_, {});
    for (const pid_t child : std::span(children).first(count)) {
        if (!is_zombie(child)) continue;
        if (std::find(before.begin(), before.end(), child) != before.end())
            ::waitpid(child, nullptr, WNOHANG);
        else
            dead_.push_back(child);
    }
}

}  // namespace holdfast::host
