#include "forward/publish_packet.hpp"

namespace holdfast {
namespace {

constexpr std::uint8_t publish_type = 3;
constexpr std::uint8_t qos_flags = 0x06;

}  // namespace

std::optional<std::string_view> take(std::string_view& bytes, std::size_t count) {
    if (bytes.size() < count) return std::nullopt;
    const std::string_view taken = bytes.substr(0, count);
    bytes.remove_prefix(count);
    return taken;
}

std::optional<std::size_t> take_length(std::string_view& bytes) {
    std::size_t value = 0;
    for (std::size_t i = 0; i < 4 && i < bytes.size(); ++i) {
        const auto byte = static_cast<std::uint8_t>(bytes[i]);
        value |= std::size_t{byte & 0x7FU} << (7 * i);
        if ((byte & 0x80U) != 0) continue;
        bytes.remove_prefix(i + 1);
        return value;
    }
    return std::nullopt;
}

std::uint16_t read_u16(std::string_view two_bytes) {
    return static_cast<std::uint16_t>(static_cast<std::uint8_t>(two_bytes[0]) << 8 |
                                      static_cast<std::uint8_t>(two_bytes[1]));
}

std::optional<PublishPacket> PublishPacket::parse(std::string_view packet) {
    if (packet.empty()) return std::nullopt;
    PublishPacket publish;
    publish.first = packet.front();
    const auto first = static_cast<std::uint8_t>(publish.first);
    if (first >> 4 != publish_type) return std::nullopt;
    packet.remove_prefix(1);
    const auto remaining = take_length(packet);
    if (!remaining || *remaining != packet.size()) return std::nullopt;
    const auto topic_length = take(packet, 2);
    if (!topic_length) return std::nullopt;
    const auto topic = take(packet, read_u16(*topic_length));
    if (!topic) return std::nullopt;
    const auto packet_id = take(packet, (first & qos_flags) != 0 ? 2 : 0);
    if (!packet_id) return std::nullopt;
    return PublishPacket{publish.first, *topic, *packet_id, packet};
}

}  // namespace holdfast
