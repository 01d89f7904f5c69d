#include "input/orphans.hpp"

#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>

#include "base/children.hpp"

namespace holdfast {

Result<void> adopt_orphans() {
    if (::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0)
        return system_error(Error::Kind::bug, "cannot become the reaper of orphaned processes", errno);
    return {};
}

bool end_orphans(std::span<const pid_t> known) {
    int adopts = 0;
    if (::prctl(PR_GET_CHILD_SUBREAPER, &adopts, 0, 0, 0) != 0 || adopts == 0) return false;
    std::array<pid_t, 256> children;
    const std::size_t count = list_children(children);
    bool left = count == children.size();
    for (std::size_t i = 0; i < count; ++i) {
        if (std::find(known.begin(), known.end(), children[i]) != known.end()) continue;
        ::kill(children[i], SIGKILL);
        ::waitpid(children[i], nullptr, WNOHANG);
        // Reaped or not, it may have left children of its own.
        left = true;
    }
    return left;
}

}  // namespace holdfast
