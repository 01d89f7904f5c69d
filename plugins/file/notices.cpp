#include "notices.hpp"

#include <sys/inotify.h>

namespace file_input {

Notices::Notices() : fd_(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC)) {}

void Notices::clear() {
    alignas(inotify_event) char buffer[4096];
    while (::read(fd_.get(), buffer, sizeof buffer) > 0) {
    }
}

int Notices::watch(const std::string& directory, const std::string& file) {
    if (fd_.get() < 0) return -1;
    // Watching the same again changes nothing. Not IN_MODIFY for the directory: that would tell of every file
    // in it.
    ::inotify_add_watch(
        fd_.get(), directory.c_str(),
        IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR);
    return ::inotify_add_watch(fd_.get(), file.c_str(), IN_MODIFY);
}

void Notices::forget(int watch) {
    if (watch >= 0) ::inotify_rm_watch(fd_.get(), watch);
}

}  // namespace file_input
