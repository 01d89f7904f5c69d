// Tells when the kernel reports that a network link, address or route came up: the moment to try a broker
// again.
//
// Owned by the daemon and called on its loop's thread. Without rtnetlink (a sandbox may deny it) it never
// tells, and attempts keep to their backoff.
#pragma once

#include <functional>

#include "base/event_loop.hpp"
#include "base/unique_fd.hpp"

namespace holdfast {

class LinkWatch {
  public:
    LinkWatch(EventLoop& loop, std::function<void()> came_up);

  private:
    void read();

    std::function<void()> came_up_;
    UniqueFd socket_;
    EventLoop::SourcePtr source_;
};

}  // namespace holdfast
