// MQTT control packets of 3.1.1 and 5, to and from bytes, for the tests' broker.
//
// Decoding is strict: what the specification forbids is a Defect with the number of the statement, never
// mended or skipped over. Encoding writes what it is told, also what is forbidden: a hostile broker needs
// that.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace holdfast::test {

enum class MqttVersion : std::uint8_t { v3_1_1 = 4, v5 = 5 };

enum class PacketType : std::uint8_t {
    connect = 1,
    connack,
    publish,
    puback,
    pubrec,
    pubrel,
    pubcomp,
    subscribe,
    suback,
    unsubscribe,
    unsuback,
    pingreq,
    pingresp,
    disconnect,
    auth,
};
std::string_view name_of(PacketType type);

namespace property {
inline constexpr std::uint8_t payload_format = 0x01, message_expiry = 0x02, content_type = 0x03,
                              response_topic = 0x08, correlation_data = 0x09, subscription_id = 0x0B,
                              session_expiry = 0x11, assigned_client_id = 0x12, server_keep_alive = 0x13,
                              authentication_method = 0x15, authentication_data = 0x16,
                              request_problem = 0x17, will_delay = 0x18, request_response = 0x19,
                              response_information = 0x1A, server_reference = 0x1C, reason_string = 0x1F,
                              receive_maximum = 0x21, topic_alias_maximum = 0x22, topic_alias = 0x23,
                              maximum_qos = 0x24, retain_available = 0x25, user_property = 0x26,
                              maximum_packet_size = 0x27, wildcard_available = 0x28,
                              subscription_ids_available = 0x29, shared_available = 0x2A;
}

struct Property {
    using Pair = std::pair<std::string, std::string>;
    std::uint8_t id = 0;
    std::variant<std::uint32_t, std::string, Pair> value;
    bool operator==(const Property&) const = default;
};
using Properties = std::vector<Property>;

struct PacketWill {
    std::string topic;
    std::string payload;
    int qos = 0;
    bool retain = false;
    Properties properties = {};
    bool operator==(const PacketWill&) const = default;
};

// One packet; which members count follows from its type.
struct Packet {
    PacketType type = PacketType::pingreq;
    bool dup = false;  // PUBLISH
    int qos = 0;
    bool retain = false;
    std::string topic = {};
    std::string payload = {};
    std::uint16_t id = 0;          // PUBLISH with QoS, PUBACK ... UNSUBACK
    std::uint8_t reason = 0;       // CONNACK, PUBACK ... PUBCOMP, DISCONNECT, AUTH
    bool session_present = false;  // CONNACK
    bool clean_start = false;      // CONNECT
    std::uint16_t keep_alive = 0;  // CONNECT, in seconds
    std::string client_id = {};    // CONNECT
    std::optional<std::string> username = {};
    std::optional<std::string> password = {};
    std::optional<PacketWill> will = {};
    std::vector<std::pair<std::string, std::uint8_t>> filters = {};  // SUBSCRIBE with options, UNSUBSCRIBE
    std::vector<std::uint8_t> codes = {};                            // SUBACK, UNSUBACK
    Properties properties = {};
    bool operator==(const Packet&) const = default;

    std::optional<std::uint32_t> number(std::uint8_t property) const;  // the first of that id
    std::optional<std::string> text(std::uint8_t property) const;
    std::vector<Property::Pair> user_properties() const;
};

struct Defect {
    std::string statement;  // "MQTT5 2.1.3-1"
    std::string text;
};

// How many bytes the packet at the front of `bytes` has; none: more are needed to tell. A length field of
// more than four bytes is a Defect.
std::variant<std::optional<std::size_t>, Defect> packet_length(std::string_view bytes);

// Exactly one packet. The version of a CONNECT is what it says itself.
std::variant<Packet, Defect> decode_packet(std::string_view bytes, MqttVersion version);
std::string encode_packet(const Packet& packet, MqttVersion version);
// The version that a CONNECT asks for; none: it is no CONNECT of 3.1.1 or 5.
std::optional<MqttVersion> version_of_connect(std::string_view bytes);

}  // namespace holdfast::test
