// Finds and ends child processes that nobody else will: what a plugin started and left behind.
//
// Nothing here allocates or locks, so that a signal handler may call it. "Children" are those of the calling
// thread: its own and, when the process is a subreaper, orphans of its descendants (the kernel gives them to
// the first thread).
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <span>

namespace holdfast {

// Fills `pids` with children, zombies included, and returns how many there are in it; none when the kernel
// does not tell (no /proc, or built without CONFIG_PROC_CHILDREN).
std::size_t list_children(std::span<pid_t> pids);

// Kills and reaps children until none is left. In a subreaper this ends all descendants, however deep.
void end_descendants();

}  // namespace holdfast
