// The parts of a PUBLISH packet (MQTT 5 and 3.1.1, 3.3), as views into its bytes.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace holdfast {

struct PublishPacket {
    char first = 0;  // type and flags
    std::string_view topic;
    std::string_view packet_id;  // two bytes, none with QoS 0
    std::string_view rest;       // MQTT 5: properties with their length, then the payload

    // None: these bytes are not exactly one PUBLISH.
    static std::optional<PublishPacket> parse(std::string_view packet);
};

// What these take, they take from the front of `bytes`; none: it is not there.
std::optional<std::string_view> take(std::string_view& bytes, std::size_t count);
std::optional<std::size_t> take_length(std::string_view& bytes);  // a variable byte integer (MQTT 5, 1.5.5)

std::uint16_t read_u16(std::string_view two_bytes);

}  // namespace holdfast
