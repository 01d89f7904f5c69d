// How one thread tells another what happened: a queue that the owner empties in one go.
//
// Any thread posts; one thread, the owner, waits and takes. Posting never blocks and never drops: what bounds
// a mailbox is the protocol of those who post (a credit, a window, a byte budget), which each user of it
// states.
#pragma once

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "base/clock.hpp"

namespace holdfast {

template <typename Message>
class Mailbox {
  public:
    void post(Message message) { post(std::move(message), Haste::none); }
    // Ends the owner's rest: somebody waits for what it does about this one.
    void post_urgent(Message message) { post(std::move(message), Haste::urgent); }

    // Waits until there is a message or the deadline (none: for ever) has passed; then moves all messages
    // into `taken`, which is cleared first, so that both vectors keep their storage. An owner that comes
    // often, for each message anew, would be busy with waking up: it is first let rest, for less than anyone
    // notices, until there are `enough`.
    void take(std::vector<Message>& taken, std::optional<MonoTime> deadline, std::size_t enough = 1) {
        taken.clear();
        std::unique_lock lock(mutex_);
        if (enough > 1) rest(lock, deadline, enough);
        wait(lock, deadline, 1);
        messages_.swap(taken);
        urgent_ = false;
    }

  private:
    enum class Haste { none, urgent };
    static constexpr std::chrono::microseconds often{4000};
    static constexpr std::chrono::microseconds longest_rest{2000};

    void post(Message message, Haste haste) {
        bool wanted = false;
        {
            const std::lock_guard lock(mutex_);
            messages_.push_back(std::move(message));
            urgent_ = urgent_ || haste == Haste::urgent;
            wanted = messages_.size() == wanted_ || haste == Haste::urgent;
        }
        if (wanted) arrived_.notify_one();
    }

    void rest(std::unique_lock<std::mutex>& lock, std::optional<MonoTime> deadline, std::size_t enough) {
        const MonoTime now = std::chrono::steady_clock::now();
        if (now - std::exchange(last_take_, now) > often) return;
        const MonoTime until = now + longest_rest;
        wait(lock, deadline ? std::min(*deadline, until) : until, enough);
    }
    void wait(std::unique_lock<std::mutex>& lock, std::optional<MonoTime> deadline, std::size_t enough) {
        wanted_ = enough;
        const auto ready = [&] { return urgent_ || messages_.size() >= enough; };
        if (deadline)
            arrived_.wait_until(lock, *deadline, ready);
        else
            arrived_.wait(lock, ready);
    }

    std::mutex mutex_;
    std::condition_variable arrived_;
    std::vector<Message> messages_;
    std::size_t wanted_ = 1;  // the owner is woken when so many are there,
    bool urgent_ = false;     // or one of them is urgent
    MonoTime last_take_{};    // the owner's own
};

}  // namespace holdfast
