// An event loop on poll(2), with real descriptors, timers and children. It runs until something is true, and
// fails the test after some seconds instead of hanging.
#pragma once

#include <poll.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <list>
#include <memory>
#include <vector>

#include "base/event_loop.hpp"
#include "base/unique_fd.hpp"

namespace holdfast::test {

class PollEventLoop final : public EventLoop {
  public:
    // Whether `done` became true in time. The limit is there for a failing test to end: no passing one should
    // come near it.
    [[nodiscard]] bool run_until(const std::function<bool()>& done,
                                 std::chrono::seconds limit = std::chrono::seconds(20)) {
        const MonoTime deadline = std::chrono::steady_clock::now() + limit;
        while (!done()) {
            if (std::chrono::steady_clock::now() >= deadline) return false;
            turn(std::min(deadline, std::chrono::steady_clock::now() + std::chrono::milliseconds(20)));
        }
        return true;
    }

    // Serves what happens until a time.
    void run_for(std::chrono::milliseconds time) {
        const MonoTime end = std::chrono::steady_clock::now() + time;
        while (std::chrono::steady_clock::now() < end)
            turn(end);
    }

    Result<SourcePtr> watch(int fd, std::uint32_t events, std::function<void(std::uint32_t)> ready) override {
        auto entry = std::make_shared<Entry>();
        entry->fd = fd;
        entry->events = static_cast<short>(events);
        entry->ready = std::move(ready);
        return SourcePtr(std::make_unique<Registration<Source>>(add(entry)));
    }

    Result<std::unique_ptr<Timer>> timer(std::function<void()> fired) override {
        auto entry = std::make_shared<Entry>();
        entry->fired = std::move(fired);
        return std::unique_ptr<Timer>(std::make_unique<Alarm>(add(entry)));
    }

    Result<SourcePtr> child(pid_t pid, std::function<void(int)> ended) override {
        auto entry = std::make_shared<Entry>();
        entry->process = UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
        if (!entry->process) return system_error(Error::Kind::bug, "cannot watch a child", errno);
        entry->fd = entry->process.get();
        entry->events = POLLIN;
        // The callback may end this registration and with it the entry: what is still needed is copied.
        entry->ready = [pid, ended = std::move(ended)](std::uint32_t) {
            int status = 0;
            if (::waitpid(pid, &status, WNOHANG) == pid) ended(status);
        };
        return SourcePtr(std::make_unique<Registration<Source>>(add(entry)));
    }

  private:
    struct Entry {
        int fd = -1;
        short events = 0;
        UniqueFd process;
        std::function<void(std::uint32_t)> ready;
        std::function<void()> fired;
        MonoTime when = MonoTime::max();
        bool live = true;
    };
    using EntryPtr = std::shared_ptr<Entry>;

    template <typename Base>
    struct Registration : Base {
        explicit Registration(EntryPtr of) : entry(std::move(of)) {}
        ~Registration() override { entry->live = false; }
        EntryPtr entry;
    };
    struct Alarm final : Registration<Timer> {
        using Registration<Timer>::Registration;
        void set(MonoTime when) override { entry->when = when; }
        void clear() override { entry->when = MonoTime::max(); }
    };

    const EntryPtr& add(EntryPtr entry) { return entries_.emplace_back(std::move(entry)); }

    void turn(MonoTime until) {
        std::erase_if(entries_, [](const EntryPtr& entry) { return !entry->live; });
        const std::vector<EntryPtr> now_live(entries_.begin(), entries_.end());
        std::vector<pollfd> fds;
        for (const EntryPtr& entry : now_live) {
            fds.push_back({entry->fd, entry->events, 0});
            until = std::min(until, entry->when);
        }
        const auto left =
            std::chrono::ceil<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
        ::poll(fds.data(), fds.size(), static_cast<int>(std::max<std::int64_t>(left.count(), 0)));
        for (std::size_t i = 0; i < now_live.size(); ++i)
            dispatch(now_live[i], fds[i].revents);
    }

    static void dispatch(const EntryPtr& entry, short revents) {
        if (entry->live && revents != 0) {
            const auto ready = entry->ready;
            ready(static_cast<std::uint32_t>(revents));
        }
        if (entry->live && entry->when <= std::chrono::steady_clock::now()) {
            entry->when = MonoTime::max();
            const auto fired = entry->fired;
            fired();
        }
    }

    std::list<EntryPtr> entries_;
};

}  // namespace holdfast::test
