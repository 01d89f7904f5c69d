// Reaps what nobody waits for. A host inherits the orphans of what its plugin started (it is a subreaper, to
// be able to end them), and an exec input that leaves one a second would fill the process table with zombies.
//
// The plugin's own children cannot be told from these, so a zombie is left alone until it was seen a minute
// before: in that time a plugin has to wait for its child.
#pragma once

#include <sys/types.h>

#include <vector>

#include "base/clock.hpp"

namespace holdfast::host {

class StrayReaper {
  public:
    // To be called now and then; does something once a minute.
    void look(MonoTime now);

  private:
    MonoTime next_look_{};
    std::vector<pid_t> dead_;  // those that were zombies at the last look
};

}  // namespace holdfast::host
