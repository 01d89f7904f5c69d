#include "forward/outgoing_packets.hpp"

#include "forward/publish_packet.hpp"

namespace holdfast {
namespace {

constexpr std::uint8_t dup_flag = 0x08;

// Of a PUBLISH of QoS 1 or 2.
std::optional<std::uint16_t> packet_id_of(std::string_view packet) {
    const auto publish = PublishPacket::parse(packet);
    if (!publish || publish->packet_id.empty()) return std::nullopt;
    return read_u16(publish->packet_id);
}

}  // namespace

bool OutgoingPackets::repeats(std::string_view packet) const {
    if (begun_ || packet.empty() || (static_cast<std::uint8_t>(packet.front()) & dup_flag) == 0) return false;
    const auto id = packet_id_of(packet);
    return id && given_.test(*id);
}

std::string_view OutgoingPackets::next(std::string_view packet) {
    if (!begun_ && aliases_) shortened_ = aliases_->shorten(packet).value_or(std::string());
    return shortened_.empty() ? packet : std::string_view(shortened_);
}

void OutgoingPackets::written(std::string_view packet) {
    begun_ = false;
    shortened_.clear();
    if (const auto id = packet_id_of(packet)) given_.set(*id);
}

}  // namespace holdfast
