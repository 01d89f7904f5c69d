// The topic aliases of one connection (MQTT 5, 3.3.2.3.4): a topic travels once, then a number stands for it.
//
// This works on whole packets just before they are written, for an alias must not outlive its connection: the
// library that keeps a message until it is acknowledged keeps it with its topic. Not thread-safe.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace holdfast {

class TopicAliases {
  public:
    // `maximum`: how many aliases the server takes; `packet_limit`: the longest packet it takes, 0: any.
    TopicAliases(std::uint16_t maximum, std::uint32_t packet_limit)
        : maximum_(maximum), packet_limit_(packet_limit) {}

    // What to send instead of `packet`; none: send it as it is. Calls for packets that are not sent, or not
    // in this order, break the connection's state. What is too long to gain by it is left alone.
    std::optional<std::string> shorten(std::string_view packet);

  private:
    const std::uint16_t maximum_;
    const std::uint32_t packet_limit_;
    std::map<std::string, std::uint16_t, std::less<>> known_;  // to the server
};

}  // namespace holdfast
