// The main thread's loop as the modules see it: descriptors, timers, children. sd-event implements it
// (daemon/).
//
// All calls and all callbacks are on the loop's thread. A callback may add, change and remove any source,
// itself included.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <memory>

#include "base/clock.hpp"
#include "base/result.hpp"

namespace holdfast {

class EventLoop {
  public:
    // Owns a registration; destroying it ends it.
    class Source {
      public:
        virtual ~Source() = default;
    };
    using SourcePtr = std::unique_ptr<Source>;

    // A timer that can be set again and again; it fires once per set().
    class Timer : public Source {
      public:
        virtual void set(MonoTime when) = 0;
        virtual void clear() = 0;
    };

    virtual ~EventLoop() = default;
    // `events` as epoll has them (EPOLLIN, EPOLLOUT); the descriptor stays the caller's and must outlive the
    // source.
    virtual Result<SourcePtr> watch(int fd, std::uint32_t events,
                                    std::function<void(std::uint32_t)> ready) = 0;
    virtual Result<std::unique_ptr<Timer>> timer(std::function<void()> fired) = 0;
    // Called once when the child ends, with its wait status as waitpid(2) has it; it is reaped then.
    virtual Result<SourcePtr> child(pid_t pid, std::function<void(int status)> ended) = 0;
};

}  // namespace holdfast
