// The messages that Paho has and has not answered. Each is answered once: by Paho, or by give-up.
//
// A slot's address is what travels through Paho as the message's context; it stays valid as long as the
// table. Thread-safe.
#pragma once

#include <deque>
#include <mutex>
#include <optional>
#include <vector>

#include "forward/transport.hpp"

namespace holdfast {

class DeliveryTable {
  public:
    struct Slot {
        std::optional<DeliveryToken> token;
    };

    Slot* add(DeliveryToken token) {
        const std::lock_guard lock(mutex_);
        Slot* slot = nullptr;
        if (free_.empty()) {
            slot = &slots_.emplace_back();
        } else {
            slot = free_.back();
            free_.pop_back();
        }
        slot->token = token;
        return slot;
    }

    // Its token; none when it was answered or given up before.
    std::optional<DeliveryToken> remove(Slot* slot) {
        const std::lock_guard lock(mutex_);
        const auto token = std::exchange(slot->token, std::nullopt);
        if (token) free_.push_back(slot);
        return token;
    }

    std::vector<DeliveryToken> remove_all() {
        const std::lock_guard lock(mutex_);
        std::vector<DeliveryToken> tokens;
        for (Slot& slot : slots_)
            if (const auto token = std::exchange(slot.token, std::nullopt)) tokens.push_back(*token);
        return tokens;
    }

  private:
    std::mutex mutex_;
    std::deque<Slot> slots_;  // grows to the widest window there was
    std::vector<Slot*> free_;
};

}  // namespace holdfast
