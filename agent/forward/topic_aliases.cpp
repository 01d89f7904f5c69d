#include "forward/topic_aliases.hpp"

namespace holdfast {
namespace {

constexpr std::uint8_t publish_type = 3;
constexpr char alias_property = 0x23;
constexpr std::size_t alias_property_bytes = 3;
// More than one TLS record: a topic is nothing beside it, and it would be copied.
constexpr std::size_t longest_packet = 16 * 1024;

// A variable byte integer (MQTT 5, 1.5.5) at the front of `bytes`, which it is taken from.
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

std::optional<std::string_view> take(std::string_view& bytes, std::size_t count) {
    if (bytes.size() < count) return std::nullopt;
    const std::string_view taken = bytes.substr(0, count);
    bytes.remove_prefix(count);
    return taken;
}

void put_length(std::string& bytes, std::size_t value) {
    for (; value > 0x7F; value >>= 7)
        bytes += static_cast<char>(0x80U | (value & 0x7FU));
    bytes += static_cast<char>(value);
}

void put_u16(std::string& bytes, std::size_t value) {
    bytes += static_cast<char>(value >> 8);
    bytes += static_cast<char>(value & 0xFFU);
}

struct Publish {
    char first = 0;  // type and flags
    std::string_view topic;
    std::string_view packet_id;
    std::string_view properties;  // without their length
    std::string_view payload;
};

std::optional<Publish> parse(std::string_view packet) {
    Publish publish;
    if (packet.empty()) return std::nullopt;
    publish.first = packet.front();
    const auto first = static_cast<std::uint8_t>(publish.first);
    if (first >> 4 != publish_type) return std::nullopt;
    packet.remove_prefix(1);
    const auto remaining = take_length(packet);
    if (!remaining || *remaining != packet.size()) return std::nullopt;
    const auto topic_length = take(packet, 2);
    if (!topic_length) return std::nullopt;
    const auto high = static_cast<std::uint8_t>((*topic_length)[0]);
    const auto low = static_cast<std::uint8_t>((*topic_length)[1]);
    const auto topic = take(packet, std::size_t{high} << 8 | low);
    if (!topic) return std::nullopt;
    const auto packet_id = take(packet, (first & 0x06U) != 0 ? 2 : 0);
    if (!packet_id) return std::nullopt;
    const auto properties_length = take_length(packet);
    if (!properties_length) return std::nullopt;
    const auto properties = take(packet, *properties_length);
    if (!properties) return std::nullopt;
    return Publish{publish.first, *topic, *packet_id, *properties, packet};
}

}  // namespace

std::optional<std::string> TopicAliases::shorten(std::string_view packet) {
    if (maximum_ == 0 || packet.size() > longest_packet) return std::nullopt;
    const std::optional<Publish> publish = parse(packet);
    if (!publish || publish->topic.size() <= alias_property_bytes) return std::nullopt;
    const auto known = known_.find(publish->topic);
    const bool is_known = known != known_.end();
    if (!is_known && known_.size() >= maximum_) return std::nullopt;
    const auto alias = is_known ? known->second : static_cast<std::uint16_t>(known_.size() + 1);

    std::string body;
    body.reserve(packet.size() + alias_property_bytes + 1);
    const std::string_view topic = is_known ? std::string_view() : publish->topic;
    put_u16(body, topic.size());
    body += topic;
    body += publish->packet_id;
    put_length(body, publish->properties.size() + alias_property_bytes);
    body += publish->properties;
    body += alias_property;
    put_u16(body, alias);
    body += publish->payload;

    std::string shortened(1, publish->first);
    put_length(shortened, body.size());
    shortened += body;
    if (is_known) return shortened;
    if (packet_limit_ != 0 && shortened.size() > packet_limit_) return std::nullopt;
    known_.emplace(publish->topic, alias);
    return shortened;
}

}  // namespace holdfast
