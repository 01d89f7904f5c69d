#include "forward/topic_aliases.hpp"

#include "forward/publish_packet.hpp"

namespace holdfast {
namespace {

constexpr char alias_property = 0x23;
constexpr std::size_t alias_property_bytes = 3;
// More than one TLS record: a topic is nothing beside it, and it would be copied.
constexpr std::size_t longest_packet = 16 * 1024;

void put_length(std::string& bytes, std::size_t value) {
    for (; value > 0x7F; value >>= 7)
        bytes += static_cast<char>(0x80U | (value & 0x7FU));
    bytes += static_cast<char>(value);
}

void put_u16(std::string& bytes, std::size_t value) {
    bytes += static_cast<char>(value >> 8);
    bytes += static_cast<char>(value & 0xFFU);
}

}  // namespace

std::optional<std::string> TopicAliases::shorten(std::string_view packet) {
    if (maximum_ == 0 || packet.size() > longest_packet) return std::nullopt;
    const auto publish = PublishPacket::parse(packet);
    if (!publish || publish->topic.size() <= alias_property_bytes) return std::nullopt;
    std::string_view payload = publish->rest;
    const auto properties_length = take_length(payload);
    const auto properties = properties_length ? take(payload, *properties_length) : std::nullopt;
    if (!properties) return std::nullopt;
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
    put_length(body, properties->size() + alias_property_bytes);
    body += *properties;
    body += alias_property;
    put_u16(body, alias);
    body += payload;

    std::string shortened(1, publish->first);
    put_length(shortened, body.size());
    shortened += body;
    if (is_known) return shortened;
    if (packet_limit_ != 0 && shortened.size() > packet_limit_) return std::nullopt;
    known_.emplace(publish->topic, alias);
    return shortened;
}

}  // namespace holdfast
