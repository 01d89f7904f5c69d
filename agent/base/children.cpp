#include "base/children.hpp"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>

namespace holdfast {

std::size_t list_children(std::span<pid_t> pids) {
    const int file = ::open("/proc/thread-self/children", O_RDONLY | O_CLOEXEC);
    if (file < 0) return 0;
    std::array<char, 512> buffer;
    std::size_t count = 0;
    pid_t pid = 0;
    while (count < pids.size()) {
        const ssize_t size = ::read(file, buffer.data(), buffer.size());
        if (size <= 0) break;
        for (ssize_t i = 0; i < size && count < pids.size(); ++i) {
            const char c = buffer[static_cast<std::size_t>(i)];
            if (c >= '0' && c <= '9') {
                pid = pid * 10 + (c - '0');
            } else if (pid > 0) {
                pids[count++] = pid;
                pid = 0;
            }
        }
    }
    ::close(file);
    return count;
}

void end_descendants() {
    const int saved_errno = errno;
    std::array<pid_t, 64> pids;
    for (;;) {
        const std::size_t count = list_children(pids);
        bool killed = false;
        for (std::size_t i = 0; i < count; ++i)
            killed |= ::kill(pids[i], SIGKILL) == 0;
        // What cannot be killed is not waited for; each one that dies may leave us children of its own.
        if (!killed || (::waitpid(-1, nullptr, __WALL) < 0 && errno != EINTR)) break;
    }
    errno = saved_errno;
}

}  // namespace holdfast
