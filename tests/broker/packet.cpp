#include "broker/packet.hpp"

#include <array>

#include "base/utf8.hpp"

namespace holdfast::test {
namespace {

enum class Form { byte, two, four, variable, text, binary, pair };

struct PropertyRule {
    std::uint8_t id;
    Form form;
    std::uint32_t packets;  // one bit by type; bit 0: the will of a CONNECT
};

constexpr std::uint32_t bit(PacketType type) {
    return 1U << static_cast<unsigned>(type);
}
constexpr std::uint32_t will_bit = 1;
using T = PacketType;
constexpr std::uint32_t with_reason = bit(T::connack) | bit(T::puback) | bit(T::pubrec) | bit(T::pubrel) |
                                      bit(T::pubcomp) | bit(T::suback) | bit(T::unsuback) |
                                      bit(T::disconnect) | bit(T::auth);
constexpr std::uint32_t of_message = bit(T::publish) | will_bit;

// MQTT 5, table 2-4.
constexpr std::array property_rules = {
    PropertyRule{0x01, Form::byte, of_message},
    PropertyRule{0x02, Form::four, of_message},
    PropertyRule{0x03, Form::text, of_message},
    PropertyRule{0x08, Form::text, of_message},
    PropertyRule{0x09, Form::binary, of_message},
    PropertyRule{0x0B, Form::variable, bit(T::publish) | bit(T::subscribe)},
    PropertyRule{0x11, Form::four, bit(T::connect) | bit(T::connack) | bit(T::disconnect)},
    PropertyRule{0x12, Form::text, bit(T::connack)},
    PropertyRule{0x13, Form::two, bit(T::connack)},
    PropertyRule{0x15, Form::text, bit(T::connect) | bit(T::connack) | bit(T::auth)},
    PropertyRule{0x16, Form::binary, bit(T::connect) | bit(T::connack) | bit(T::auth)},
    PropertyRule{0x17, Form::byte, bit(T::connect)},
    PropertyRule{0x18, Form::four, will_bit},
    PropertyRule{0x19, Form::byte, bit(T::connect)},
    PropertyRule{0x1A, Form::text, bit(T::connack)},
    PropertyRule{0x1C, Form::text, bit(T::connack) | bit(T::disconnect)},
    PropertyRule{0x1F, Form::text, with_reason},
    PropertyRule{0x21, Form::two, bit(T::connect) | bit(T::connack)},
    PropertyRule{0x22, Form::two, bit(T::connect) | bit(T::connack)},
    PropertyRule{0x23, Form::two, bit(T::publish)},
    PropertyRule{0x24, Form::byte, bit(T::connack)},
    PropertyRule{0x25, Form::byte, bit(T::connack)},
    PropertyRule{0x26, Form::pair,
                 with_reason | of_message | bit(T::connect) | bit(T::subscribe) | bit(T::unsubscribe)},
    PropertyRule{0x27, Form::four, bit(T::connect) | bit(T::connack)},
    PropertyRule{0x28, Form::byte, bit(T::connack)},
    PropertyRule{0x29, Form::byte, bit(T::connack)},
    PropertyRule{0x2A, Form::byte, bit(T::connack)},
};

const PropertyRule* rule_of(std::uint32_t id) {
    for (const PropertyRule& rule : property_rules)
        if (rule.id == id) return &rule;
    return nullptr;
}

// Thrown inside decode_packet only.
struct Broken {
    Defect defect;
};

class Reader {
  public:
    Reader(std::string_view bytes, MqttVersion version) : rest_(bytes), version_(version) {}

    void use(MqttVersion version) { version_ = version; }
    bool is_v5() const { return version_ == MqttVersion::v5; }
    bool at_end() const { return rest_.empty(); }
    std::size_t left() const { return rest_.size(); }
    void require(bool ok, const char* in_v3, const char* in_v5, const char* text) const {
        if (!ok)
            throw Broken{{is_v5() ? std::string("MQTT5 ") + in_v5 : std::string("MQTT3 ") + in_v3, text}};
    }

    std::string_view take(std::size_t count) {
        require(count <= rest_.size(), "4.8.0-1", "4.13.1-1", "the packet ends too early");
        const std::string_view taken = rest_.substr(0, count);
        rest_.remove_prefix(count);
        return taken;
    }
    std::string_view take_rest() { return take(rest_.size()); }
    std::uint8_t byte() { return static_cast<std::uint8_t>(take(1)[0]); }
    std::uint16_t two() {
        const unsigned high = byte();
        return static_cast<std::uint16_t>(high << 8 | byte());
    }
    std::uint32_t four() {
        const std::uint32_t high = two();
        return high << 16 | two();
    }
    std::uint32_t variable() {
        std::uint32_t value = 0;
        for (unsigned shift = 0; shift < 28; shift += 7) {
            const std::uint8_t digit = byte();
            value |= static_cast<std::uint32_t>(digit & 0x7F) << shift;
            if ((digit & 0x80) != 0) continue;
            require(shift == 0 || digit != 0, "2.2.3", "1.5.5-1",
                    "a variable byte integer is not the shortest");
            return value;
        }
        require(false, "2.2.3", "1.5.5-1", "a variable byte integer has more than four bytes");
        return 0;
    }
    std::string binary() { return std::string(take(two())); }
    std::string text() {
        std::string text = binary();
        require(is_utf8(text), "1.5.3-1", "1.5.4-1", "a string is not UTF-8");
        require(text.find('\0') == std::string::npos, "1.5.3-2", "1.5.4-2", "a string contains U+0000");
        return text;
    }
    Properties properties(std::uint32_t where) {
        if (!is_v5()) return {};
        Reader part(take(variable()), version_);
        Properties found;
        std::uint64_t seen = 0;
        while (!part.at_end()) {
            found.push_back(part.one_property(where));
            const std::uint8_t id = found.back().id;
            const bool repeatable = id == property::user_property || id == property::subscription_id;
            require(repeatable || (seen & 1ULL << id) == 0, "", "4.13.1-1", "a property comes twice");
            seen |= 1ULL << id;
        }
        return found;
    }

  private:
    Property one_property(std::uint32_t where) {
        const PropertyRule* rule = rule_of(variable());
        require(rule != nullptr, "", "4.13.1-1", "an unknown property");
        require((rule->packets & where) != 0, "", "4.13.1-1",
                "a property that does not belong to this packet");
        switch (rule->form) {
            case Form::byte:
                return {rule->id, std::uint32_t{byte()}};
            case Form::two:
                return {rule->id, std::uint32_t{two()}};
            case Form::four:
                return {rule->id, four()};
            case Form::variable:
                return {rule->id, variable()};
            case Form::text:
                return {rule->id, text()};
            case Form::binary:
                return {rule->id, binary()};
            case Form::pair:
                break;
        }
        std::string name = text();
        return {rule->id, Property::Pair{std::move(name), text()}};
    }

    std::string_view rest_;
    MqttVersion version_;
};

PacketWill read_will(Reader& in, unsigned flags) {
    PacketWill will;
    will.qos = static_cast<int>(flags >> 3 & 3);
    will.retain = (flags & 0x20) != 0;
    in.require(will.qos < 3, "3.1.2-14", "3.1.2-12", "the will has QoS 3");
    will.properties = in.properties(will_bit);
    will.topic = in.text();
    will.payload = in.binary();
    return will;
}

void read_connect(Reader& in, Packet& packet) {
    in.require(in.text() == "MQTT", "3.1.2-1", "3.1.2-1", "the protocol name is not MQTT");
    const std::uint8_t level = in.byte();
    in.require(level == 4 || level == 5, "3.1.2-2", "3.1.2-2", "the protocol level is neither 4 nor 5");
    in.use(static_cast<MqttVersion>(level));
    const unsigned flags = in.byte();
    in.require((flags & 1) == 0, "3.1.2-3", "3.1.2-3", "the reserved flag of CONNECT is set");
    const bool has_will = (flags & 4) != 0;
    in.require(has_will || (flags & 0x38) == 0, "3.1.2-11", "3.1.2-11", "flags of a will, and no will");
    in.require(in.is_v5() || (flags & 0xC0) != 0x40, "3.1.2-22", "", "a password without a user name");
    packet.clean_start = (flags & 2) != 0;
    packet.keep_alive = in.two();
    packet.properties = in.properties(bit(T::connect));
    packet.client_id = in.text();
    if (has_will) packet.will = read_will(in, flags);
    if ((flags & 0x80) != 0) packet.username = in.text();
    if ((flags & 0x40) != 0) packet.password = in.binary();
}

void read_publish(Reader& in, Packet& packet, unsigned flags) {
    packet.dup = (flags & 8) != 0;
    packet.qos = static_cast<int>(flags >> 1 & 3);
    packet.retain = (flags & 1) != 0;
    in.require(packet.qos < 3, "3.3.1-4", "3.3.1-4", "QoS 3");
    packet.topic = in.text();
    if (packet.qos > 0) packet.id = in.two();
    packet.properties = in.properties(bit(T::publish));
    packet.payload = in.take_rest();
}

// PUBACK to PUBCOMP, DISCONNECT and AUTH: in MQTT 5 the reason and the properties may be left out.
void read_reason(Reader& in, Packet& packet) {
    if (!in.is_v5() || in.at_end()) return;
    packet.reason = in.byte();
    if (!in.at_end()) packet.properties = in.properties(bit(packet.type));
}

void read_filters(Reader& in, Packet& packet) {
    packet.properties = in.properties(bit(packet.type));
    while (!in.at_end()) {
        std::string filter = in.text();
        packet.filters.emplace_back(std::move(filter), packet.type == T::subscribe ? in.byte() : 0);
    }
    in.require(!packet.filters.empty(), "3.8.3-3", "3.8.3-2", "no topic filter");
}

void read_body(Reader& in, Packet& packet, unsigned flags) {
    switch (packet.type) {
        case T::connect:
            return read_connect(in, packet);
        case T::connack:
            packet.session_present = in.byte() != 0;
            packet.reason = in.byte();
            packet.properties = in.properties(bit(T::connack));
            return;
        case T::publish:
            return read_publish(in, packet, flags);
        case T::puback:
        case T::pubrec:
        case T::pubrel:
        case T::pubcomp:
            packet.id = in.two();
            return read_reason(in, packet);
        case T::subscribe:
        case T::unsubscribe:
            packet.id = in.two();
            return read_filters(in, packet);
        case T::suback:
        case T::unsuback:
            packet.id = in.two();
            packet.properties = in.properties(bit(packet.type));
            while (!in.at_end())
                packet.codes.push_back(in.byte());
            return;
        case T::disconnect:
        case T::auth:
            return read_reason(in, packet);
        case T::pingreq:
        case T::pingresp:
            return;
    }
}

unsigned reserved_flags(PacketType type) {
    return type == T::pubrel || type == T::subscribe || type == T::unsubscribe ? 2 : 0;
}

class Writer {
  public:
    explicit Writer(MqttVersion version) : version_(version) {}

    bool is_v5() const { return version_ == MqttVersion::v5; }
    void byte(unsigned value) { out_ += static_cast<char>(value); }
    void two(unsigned value) {
        byte(value >> 8 & 0xFF);
        byte(value & 0xFF);
    }
    void four(std::uint32_t value) {
        two(value >> 16);
        two(value & 0xFFFF);
    }
    void variable(std::uint32_t value) {
        do {
            const unsigned digit = value & 0x7F;
            value >>= 7;
            byte(digit | (value > 0 ? 0x80U : 0U));
        } while (value > 0);
    }
    void raw(std::string_view bytes) { out_ += bytes; }
    void text(std::string_view bytes) {
        two(static_cast<unsigned>(bytes.size()));
        raw(bytes);
    }
    void properties(const Properties& list) {
        if (!is_v5()) return;
        Writer part(version_);
        for (const Property& one : list)
            part.one_property(one);
        variable(static_cast<std::uint32_t>(part.out_.size()));
        raw(part.out_);
    }
    std::string take() { return std::move(out_); }

  private:
    void one_property(const Property& property) {
        variable(property.id);
        if (const auto* pair = std::get_if<Property::Pair>(&property.value)) {
            text(pair->first);
            text(pair->second);
        } else if (const auto* string = std::get_if<std::string>(&property.value)) {
            text(*string);
        } else {
            number(rule_of(property.id), std::get<std::uint32_t>(property.value));
        }
    }
    void number(const PropertyRule* rule, std::uint32_t value) {
        const Form form = rule ? rule->form : Form::byte;
        if (form == Form::two)
            two(value);
        else if (form == Form::four)
            four(value);
        else if (form == Form::variable)
            variable(value);
        else
            byte(value);
    }

    MqttVersion version_;
    std::string out_;
};

void write_connect(Writer& out, const Packet& packet, MqttVersion version) {
    out.text("MQTT");
    out.byte(static_cast<unsigned>(version));
    unsigned flags = packet.clean_start ? 2 : 0;
    if (packet.will)
        flags |= 4U | static_cast<unsigned>(packet.will->qos) << 3 | (packet.will->retain ? 0x20U : 0U);
    flags |= (packet.username ? 0x80U : 0U) | (packet.password ? 0x40U : 0U);
    out.byte(flags);
    out.two(packet.keep_alive);
    out.properties(packet.properties);
    out.text(packet.client_id);
    if (packet.will) {
        out.properties(packet.will->properties);
        out.text(packet.will->topic);
        out.text(packet.will->payload);
    }
    if (packet.username) out.text(*packet.username);
    if (packet.password) out.text(*packet.password);
}

void write_reason(Writer& out, const Packet& packet) {
    if (!out.is_v5() || (packet.reason == 0 && packet.properties.empty())) return;
    out.byte(packet.reason);
    if (!packet.properties.empty()) out.properties(packet.properties);
}

void write_body(Writer& out, const Packet& packet, MqttVersion version) {
    switch (packet.type) {
        case T::connect:
            return write_connect(out, packet, version);
        case T::connack:
            out.byte(packet.session_present ? 1 : 0);
            out.byte(packet.reason);
            return out.properties(packet.properties);
        case T::publish:
            out.text(packet.topic);
            if (packet.qos > 0) out.two(packet.id);
            out.properties(packet.properties);
            return out.raw(packet.payload);
        case T::puback:
        case T::pubrec:
        case T::pubrel:
        case T::pubcomp:
            out.two(packet.id);
            return write_reason(out, packet);
        case T::subscribe:
        case T::unsubscribe:
            out.two(packet.id);
            out.properties(packet.properties);
            for (const auto& [filter, options] : packet.filters) {
                out.text(filter);
                if (packet.type == T::subscribe) out.byte(options);
            }
            return;
        case T::suback:
        case T::unsuback:
            out.two(packet.id);
            out.properties(packet.properties);
            for (const std::uint8_t code : packet.codes)
                out.byte(code);
            return;
        case T::disconnect:
        case T::auth:
            return write_reason(out, packet);
        case T::pingreq:
        case T::pingresp:
            return;
    }
}

}  // namespace

std::string_view name_of(PacketType type) {
    constexpr std::array<std::string_view, 16> names = {
        "reserved",  "CONNECT", "CONNACK",     "PUBLISH",  "PUBACK",  "PUBREC",   "PUBREL",     "PUBCOMP",
        "SUBSCRIBE", "SUBACK",  "UNSUBSCRIBE", "UNSUBACK", "PINGREQ", "PINGRESP", "DISCONNECT", "AUTH"};
    return names.at(static_cast<std::size_t>(type));
}

std::optional<std::uint32_t> Packet::number(std::uint8_t property) const {
    for (const Property& one : properties)
        if (one.id == property) return std::get<std::uint32_t>(one.value);
    return std::nullopt;
}

std::optional<std::string> Packet::text(std::uint8_t property) const {
    for (const Property& one : properties)
        if (one.id == property) return std::get<std::string>(one.value);
    return std::nullopt;
}

std::vector<Property::Pair> Packet::user_properties() const {
    std::vector<Property::Pair> pairs;
    for (const Property& one : properties)
        if (one.id == property::user_property) pairs.push_back(std::get<Property::Pair>(one.value));
    return pairs;
}

std::variant<std::optional<std::size_t>, Defect> packet_length(std::string_view bytes) {
    std::size_t length = 0;
    for (std::size_t i = 0; i < 4; ++i) {
        if (bytes.size() < i + 2) return std::optional<std::size_t>();
        const auto digit = static_cast<unsigned char>(bytes[i + 1]);
        length |= static_cast<std::size_t>(digit & 0x7F) << (7 * i);
        if ((digit & 0x80) == 0) return std::optional(length + i + 2);
    }
    return Defect{"MQTT5 1.5.5-1", "the remaining length has more than four bytes"};
}

std::variant<Packet, Defect> decode_packet(std::string_view bytes, MqttVersion version) {
    try {
        Reader in(bytes, version);
        const unsigned first = in.byte();
        Packet packet{.type = static_cast<PacketType>(first >> 4)};
        const bool known = first >> 4 != 0 && (version == MqttVersion::v5 || packet.type != T::auth);
        in.require(known, "4.8.0-1", "4.13.1-1", "a packet type that does not exist");
        const std::uint32_t length = in.variable();
        Reader body(in.take_rest(), version);
        if (packet.type == T::connect) body.use(version_of_connect(bytes).value_or(version));
        if (packet.type != T::publish)
            body.require((first & 0x0F) == reserved_flags(packet.type), "2.2.2-1", "2.1.3-1",
                         "reserved flags of the fixed header are wrong");
        body.require(body.left() == length, "4.8.0-1", "4.13.1-1", "the length field is wrong");
        read_body(body, packet, first & 0x0F);
        body.require(body.at_end(), "4.8.0-1", "4.13.1-1", "the packet is longer than its content");
        return packet;
    } catch (const Broken& broken) {
        return broken.defect;
    }
}

std::string encode_packet(const Packet& packet, MqttVersion version) {
    Writer body(version);
    write_body(body, packet, version);
    const std::string content = body.take();
    Writer out(version);
    unsigned flags = reserved_flags(packet.type);
    if (packet.type == T::publish)
        flags = (packet.dup ? 8U : 0U) | static_cast<unsigned>(packet.qos) << 1 | (packet.retain ? 1U : 0U);
    out.byte(static_cast<unsigned>(packet.type) << 4 | flags);
    out.variable(static_cast<std::uint32_t>(content.size()));
    out.raw(content);
    return out.take();
}

std::optional<MqttVersion> version_of_connect(std::string_view bytes) {
    if (bytes.empty() || static_cast<unsigned char>(bytes[0]) >> 4 != 1) return std::nullopt;
    const std::size_t name = bytes.find("MQTT");
    if (name == std::string_view::npos || name + 4 >= bytes.size()) return std::nullopt;
    const char level = bytes[name + 4];
    if (level != 4 && level != 5) return std::nullopt;
    return static_cast<MqttVersion>(level);
}

}  // namespace holdfast::test
