// The batches that the buffer lent to the forwarder, by what is to happen with them next.
//
// Passive; the forwarder owns it. Each batch is in exactly one place: ready (never sent), again (to be sent
// again, before all that is ready), later (refused for a passing reason, resting) or sent (the transport has
// it and owes an answer).
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <vector>

#include "base/clock.hpp"
#include "forward/transport.hpp"
#include "model/batch.hpp"

namespace holdfast {

class Outbox {
  public:
    struct Item {
        Batch batch;
        int qos = 1;            // it was sent with
        unsigned refusals = 0;  // by the broker, for passing reasons
        bool counted = false;   // as published
        std::size_t bytes = 0;  // of the packet that was sent
    };

    void offer(Batch batch) { ready_.push_back(std::move(batch)); }
    // What is to be sent next: what has to go again in the order of seq, then what is ready in the order of
    // offer.
    std::optional<Item> next();

    void sent(DeliveryToken token, Item item) { sent_.emplace_hint(sent_.end(), token, std::move(item)); }
    // Takes out what was sent by that token; none: an answer that comes late or twice.
    std::optional<Item> answered(DeliveryToken token);

    // Takes out the one of those sent whose packet is the largest, and the first of them; none: nothing is
    // sent.
    std::optional<Item> take_largest();

    void again(Item item);
    void later(Item item, MonoTime due) { later_.emplace(due, std::move(item)); }
    // What has rested long enough goes again.
    void release(MonoTime now);
    std::optional<MonoTime> next_release() const;

    // Nobody sends a QoS 0 message again but us.
    void link_lost();

    // Empty the part named; what they return goes back to the buffer.
    std::vector<std::uint64_t> take_ready();
    std::vector<std::uint64_t> take_all();

    std::size_t ready() const { return ready_.size(); }
    std::size_t sent() const { return sent_.size(); }
    std::size_t resting() const { return later_.size(); }

  private:
    std::deque<Batch> ready_;
    std::map<std::uint64_t, Item> again_;  // by seq
    std::multimap<MonoTime, Item> later_;  // by when it is due
    std::map<DeliveryToken, Item> sent_;   // tokens grow, so this is the order of sending
};

}  // namespace holdfast
