// How one thread tells another what happened: a queue that the owner empties in one go.
//
// Any thread posts; one thread, the owner, waits and takes. Posting never blocks and never drops: what bounds
// a mailbox is the protocol of those who post (a credit, a window, a byte budget), which each user of it
// states.
#pragma once

#include <condition_variable>
#include <mutex>
#include <optional>
#include <vector>

#include "base/clock.hpp"

namespace holdfast {

template <typename Message>
class Mailbox {
  public:
    void post(Message message) {
        {
            const std::lock_guard lock(mutex_);
            messages_.push_back(std::move(message));
        }
        arrived_.notify_one();
    }

    // Waits until there is a message or the deadline (none: for ever) has passed; then moves all messages
    // into `taken`, which is cleared first, so that both vectors keep their storage.
    void take(std::vector<Message>& taken, std::optional<MonoTime> deadline) {
        taken.clear();
        std::unique_lock lock(mutex_);
        const auto ready = [this] { return !messages_.empty(); };
        if (deadline)
            arrived_.wait_until(lock, *deadline, ready);
        else
            arrived_.wait(lock, ready);
        messages_.swap(taken);
    }

  private:
    std::mutex mutex_;
    std::condition_variable arrived_;
    std::vector<Message> messages_;
};

}  // namespace holdfast
