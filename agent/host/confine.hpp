// What a plugin host does to itself before it loads foreign code: it binds its
// life to the daemon's, gives up what it does not need, and sees to it that
// whatever the plugin starts ends with it.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

namespace holdfast::host {

// The descriptor of the socket to the daemon.
inline constexpr int socket_fd = 3;

struct Birth {
    pid_t daemon = 0;                // who started this host
    std::uint64_t memory_limit = 0;  // bytes of data: heap and private mappings
    std::string input;               // shown as the process's name
};

// To be called first. False when the daemon has gone already: exit then.
//
// From here on the end of the daemon ends this process (SIGTERM) and all its
// descendants; so do a normal exit and a crash. SIGTERM from a daemon that
// lives leaves the call into the plugin a quarter of a second to end: see
// termination_asked().
[[nodiscard]] bool confine(const Birth& birth);

// Whether SIGTERM came: to be looked at between calls into the plugin.
bool termination_asked();
// Pages of data and stack now: what the memory limit bounds. Allocates nothing.
std::uint64_t data_pages();

// Becomes readable then, to end a wait.
int termination_fd();

}  // namespace holdfast::host
