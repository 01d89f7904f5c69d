// Collects a transport's events and lets the test wait for the one it wants.
#pragma once

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <list>
#include <mutex>
#include <optional>

#include "forward/transport.hpp"

namespace holdfast::test {

class EventBox {
  public:
    Transport::Sink sink() {
        return [this](transport::Event event) {
            const std::lock_guard lock(mutex_);
            events_.push_back(std::move(event));
            arrived_.notify_all();
        };
    }

    // Takes the oldest event of the type; none when it does not come in time.
    template <typename Event>
    std::optional<Event> next(std::chrono::milliseconds longest = std::chrono::seconds(20)) {
        std::unique_lock lock(mutex_);
        std::optional<Event> found;
        arrived_.wait_for(lock, longest, [&] {
            const auto event = std::find_if(events_.begin(), events_.end(),
                                            [](const auto& e) { return std::holds_alternative<Event>(e); });
            if (event == events_.end()) return false;
            found = std::get<Event>(std::move(*event));
            events_.erase(event);
            return true;
        });
        return found;
    }
    template <typename Event>
    std::size_t count() const {
        const std::lock_guard lock(mutex_);
        return static_cast<std::size_t>(std::count_if(
            events_.begin(), events_.end(), [](const auto& e) { return std::holds_alternative<Event>(e); }));
    }

  private:
    mutable std::mutex mutex_;
    std::condition_variable arrived_;
    std::list<transport::Event> events_;
};

}  // namespace holdfast::test
