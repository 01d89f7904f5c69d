// The main thread's loop on sd-event(3). The one home of <systemd/sd-event.h>.
#pragma once

#include <functional>
#include <memory>

#include "base/event_loop.hpp"

struct sd_event;

namespace holdfast {

class SdEventLoop final : public EventLoop {
  public:
    // Throws nothing; a kernel without epoll or timerfd is reported here.
    static Result<std::unique_ptr<SdEventLoop>> create();
    ~SdEventLoop() override;

    Result<SourcePtr> watch(int fd, std::uint32_t events, std::function<void(std::uint32_t)> ready) override;
    Result<std::unique_ptr<Timer>> timer(std::function<void()> fired) override;
    Result<SourcePtr> child(pid_t pid, std::function<void(int status)> ended) override;
    // Blocks the signal in this thread and calls `received` for it from the loop.
    Result<SourcePtr> signal(int number, std::function<void()> received);
    // Called after each turn in which any source was dispatched.
    void after_turn(std::function<void()> turn_ended) { turn_ended_ = std::move(turn_ended); }

    // Dispatches until quit(); fails when the loop itself fails.
    Result<void> run();
    void quit() { quit_ = true; }

  private:
    explicit SdEventLoop(sd_event* event) : event_(event) {}

    sd_event* event_;
    std::function<void()> turn_ended_;
    bool quit_ = false;
};

}  // namespace holdfast
