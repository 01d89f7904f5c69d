// What a killed host leaves behind: its children become the daemon's, when the daemon has asked the kernel
// for them.
#pragma once

#include <sys/types.h>

#include <span>

#include "base/result.hpp"

namespace holdfast {

// Makes this process inherit what killed hosts leave behind, so that Inputs can end it. The daemon calls this
// once, on its main thread, before the first host starts; from then on it must have no children on that
// thread but hosts.
Result<void> adopt_orphans();

// Kills and reaps children of this thread other than `known`; does nothing unless adopt_orphans() was called.
// Returns whether some are still to be reaped: call again soon. Never blocks.
bool end_orphans(std::span<const pid_t> known);

}  // namespace holdfast
