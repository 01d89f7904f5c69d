// What is written to a connection for each packet that Paho hands over: the packet itself, a shorter one with
// a topic alias, or nothing, for a repetition of what the connection has not even carried away yet.
//
// Passive; one per connection. Not thread-safe.
#pragma once

#include <bitset>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "forward/topic_aliases.hpp"

namespace holdfast {

class OutgoingPackets {
  public:
    void use_aliases(std::uint16_t maximum, std::uint32_t packet_limit) {
        aliases_.emplace(maximum, packet_limit);
    }
    // Whether this is a message that the connection was given before (MQTT 3.1.1: without an acknowledgement
    // it goes again). While earlier bytes wait to be sent, that only makes a slow link slower.
    bool repeats(std::string_view packet) const;
    // The bytes to write for this packet; valid until the next call. Followed by written() or blocked().
    std::string_view next(std::string_view packet);
    // All of it was.
    void written(std::string_view packet);
    // A part may have been: Paho will hand over the same packet, and the same bytes must follow.
    void blocked() { begun_ = true; }

  private:
    std::optional<TopicAliases> aliases_;
    std::string shortened_;
    bool begun_ = false;
    std::bitset<65'536> given_;  // by packet id
};

}  // namespace holdfast
