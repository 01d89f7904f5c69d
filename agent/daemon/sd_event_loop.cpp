#include "daemon/sd_event_loop.hpp"

#include <signal.h>
#include <sys/wait.h>
#include <systemd/sd-event.h>

#include <chrono>

namespace holdfast {
namespace {

// Owns the sd-event source and the callback it calls. Ending the registration disables it first, so that a
// callback that destroys its own source is never called again; sd-event keeps a source alive while it is
// being dispatched.
template <typename Interface, typename Callback>
class SdSource : public Interface {
  public:
    explicit SdSource(Callback to_call) : callback(std::move(to_call)) {}
    ~SdSource() override { sd_event_source_disable_unref(source); }
    SdSource(const SdSource&) = delete;
    SdSource& operator=(const SdSource&) = delete;

    Callback callback;
    sd_event_source* source = nullptr;
};

using IoSource = SdSource<EventLoop::Source, std::function<void(std::uint32_t)>>;
using ChildSource = SdSource<EventLoop::Source, std::function<void(int)>>;
using SignalSource = SdSource<EventLoop::Source, std::function<void()>>;

class TimerSource final : public SdSource<EventLoop::Timer, std::function<void()>> {
  public:
    using SdSource::SdSource;
    void set(MonoTime when) override {
        const auto since_boot = std::chrono::duration_cast<Micros>(when.time_since_epoch()).count();
        sd_event_source_set_time(source, since_boot > 0 ? static_cast<std::uint64_t>(since_boot) : 0);
        sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
    }
    void clear() override { sd_event_source_set_enabled(source, SD_EVENT_OFF); }
};

// A copy of the callback is what runs: it may destroy its own source, and the original with it.
int on_io(sd_event_source*, int, std::uint32_t events, void* data) {
    const auto callback = static_cast<IoSource*>(data)->callback;
    callback(events);
    return 0;
}
int on_timer(sd_event_source*, std::uint64_t, void* data) {
    const auto callback = static_cast<TimerSource*>(data)->callback;
    callback();
    return 0;
}
int on_child(sd_event_source*, const siginfo_t* info, void* data) {
    const auto callback = static_cast<ChildSource*>(data)->callback;
    const bool exited = info->si_code == CLD_EXITED;
    callback(exited ? (info->si_status & 0xFF) << 8 : info->si_status & 0x7F);
    return 0;
}
int on_signal(sd_event_source*, const signalfd_siginfo*, void* data) {
    const auto callback = static_cast<SignalSource*>(data)->callback;
    callback();
    return 0;
}

void block(int signal_number) {
    sigset_t set;
    ::sigemptyset(&set);
    ::sigaddset(&set, signal_number);
    ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
}

Error loop_error(const char* what, int negative_errno) {
    return system_error(Error::Kind::bug, std::string("event loop: can't ") + what, -negative_errno);
}

}  // namespace

Result<std::unique_ptr<SdEventLoop>> SdEventLoop::create() {
    // sd_event_add_child(3) wants SIGCHLD blocked; threads started later inherit that.
    block(SIGCHLD);
    sd_event* event = nullptr;
    if (const int rc = sd_event_new(&event); rc < 0) return loop_error("be made", rc);
    return std::unique_ptr<SdEventLoop>(new SdEventLoop(event));
}

SdEventLoop::~SdEventLoop() {
    sd_event_unref(event_);
}

Result<EventLoop::SourcePtr> SdEventLoop::watch(int fd, std::uint32_t events,
                                                std::function<void(std::uint32_t)> ready) {
    auto source = std::make_unique<IoSource>(std::move(ready));
    if (const int rc = sd_event_add_io(event_, &source->source, fd, events, on_io, source.get()); rc < 0)
        return loop_error("watch a descriptor", rc);
    return SourcePtr(std::move(source));
}

Result<std::unique_ptr<EventLoop::Timer>> SdEventLoop::timer(std::function<void()> fired) {
    auto source = std::make_unique<TimerSource>(std::move(fired));
    // CLOCK_MONOTONIC is what steady_clock counts (libstdc++ on Linux); 1 ms is all the delay that coalescing
    // may add.
    const int rc =
        sd_event_add_time(event_, &source->source, CLOCK_MONOTONIC, 0, 1000, on_timer, source.get());
    if (rc < 0) return loop_error("make a timer", rc);
    source->clear();
    return std::unique_ptr<Timer>(std::move(source));
}

Result<EventLoop::SourcePtr> SdEventLoop::child(pid_t pid, std::function<void(int)> ended) {
    auto source = std::make_unique<ChildSource>(std::move(ended));
    const int rc = sd_event_add_child(event_, &source->source, pid, WEXITED, on_child, source.get());
    if (rc < 0) return loop_error("watch a child", rc);
    return SourcePtr(std::move(source));
}

Result<EventLoop::SourcePtr> SdEventLoop::signal(int number, std::function<void()> received) {
    block(number);
    auto source = std::make_unique<SignalSource>(std::move(received));
    const int rc = sd_event_add_signal(event_, &source->source, number, on_signal, source.get());
    if (rc < 0) return loop_error("watch a signal", rc);
    return SourcePtr(std::move(source));
}

Result<void> SdEventLoop::run() {
    while (!quit_) {
        const int rc = sd_event_run(event_, UINT64_MAX);
        if (rc == -EINTR) continue;
        if (rc < 0) return loop_error("go on", rc);
        if (turn_ended_) turn_ended_();
    }
    return {};
}

}  // namespace holdfast
