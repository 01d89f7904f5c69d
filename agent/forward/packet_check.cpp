#include "forward/packet_check.hpp"

#include <algorithm>
#include <optional>

#include "base/utf8.hpp"

namespace holdfast {
namespace {

// Control packets that a broker may send (MQTT 5, 2.1.2).
enum Type {
    connack = 2,
    publish,
    puback,
    pubrec,
    pubrel,
    pubcomp,
    suback = 9,
    unsuback = 11,
    pingresp = 13,
    disconnect,
};

// Far above what a broker has to say beside a payload.
constexpr std::uint32_t longest_body = 1024 * 1024;

// Reads the parts of a body; after the first that is not there as it should be, nothing is good any more.
class Reader {
  public:
    explicit Reader(std::string_view rest) : rest_(rest) {}

    bool good() const { return good_; }
    bool at_end() const { return rest_.empty(); }
    std::string_view bytes(std::size_t count) {
        good_ = good_ && count <= rest_.size();
        if (!good_) return {};
        const std::string_view found = rest_.substr(0, count);
        rest_.remove_prefix(count);
        return found;
    }
    std::uint32_t number(std::size_t count) {
        std::uint32_t value = 0;
        for (const char byte : bytes(count))
            value = value << 8 | static_cast<unsigned char>(byte);
        return value;
    }
    std::string_view binary() { return bytes(number(2)); }
    std::string_view text() {
        const std::string_view found = binary();
        good_ = good_ && is_utf8(found) && found.find('\0') == std::string_view::npos;
        return found;
    }
    std::uint32_t variable() {
        std::uint32_t value = 0;
        for (unsigned shift = 0; shift < 28 && good_; shift += 7) {
            const std::uint32_t digit = number(1);
            value |= (digit & 0x7F) << shift;
            if ((digit & 0x80) == 0) return value;
        }
        good_ = false;
        return 0;
    }
    void property();
    void properties() {
        Reader inside(bytes(variable()));
        while (good_ && !inside.at_end()) {
            inside.property();
            good_ = inside.good();
        }
    }

  private:
    std::string_view rest_;
    bool good_ = true;
};

// MQTT 5, 2.2.2.2: what follows each identifier.
void Reader::property() {
    switch (number(1)) {
        case 0x01:
        case 0x17:
        case 0x19:
        case 0x24:
        case 0x25:
        case 0x28:
        case 0x29:
        case 0x2A:
            number(1);
            break;
        case 0x13:
        case 0x21:
        case 0x22:
        case 0x23:
            number(2);
            break;
        case 0x02:
        case 0x11:
        case 0x18:
        case 0x27:
            number(4);
            break;
        case 0x0B:
            variable();
            break;
        case 0x09:
        case 0x16:
            binary();
            break;
        case 0x26:
            text();
            text();
            break;
        case 0x03:
        case 0x08:
        case 0x12:
        case 0x15:
        case 0x1A:
        case 0x1C:
        case 0x1F:
            text();
            break;
        default:
            good_ = false;
    }
}

}  // namespace

bool PacketCheck::take(std::string_view bytes) {
    while (!bytes.empty() && fault_.empty()) {
        if (expects_ == Expects::body) {
            const std::size_t count = std::min<std::size_t>(left_, bytes.size());
            if (!checked_) body_.append(bytes.substr(0, count));
            left_ -= static_cast<std::uint32_t>(count);
            bytes.remove_prefix(count);
            check_body();
            continue;
        }
        const auto byte = static_cast<unsigned char>(bytes.front());
        bytes.remove_prefix(1);
        if (expects_ == Expects::length) {
            take_length(byte);
            continue;
        }
        first_ = byte;
        length_ = 0;
        shift_ = 0;
        expects_ = Expects::length;
    }
    return fault_.empty();
}

void PacketCheck::take_length(unsigned char byte) {
    length_ |= static_cast<std::uint32_t>(byte & 0x7F) << shift_;
    shift_ += 7;
    if ((byte & 0x80) != 0) {
        if (shift_ >= 28) fault_ = "a length of more than four bytes";
        return;
    }
    if (const char* fault = fault_of_header()) {
        fault_ = fault;
        return;
    }
    left_ = length_;
    body_.clear();
    checked_ = false;
    expects_ = Expects::body;
    check_body();
}

const char* PacketCheck::fault_of_header() const {
    const int flags = first_ & 0x0F;
    switch (type()) {
        case connack:
            if (connected_) return "a second CONNACK";
            break;
        case publish:
            if ((flags & 0x06) == 0x06) return "a PUBLISH of QoS 3";
            break;
        case disconnect:
            if (!is_v5_) return "a DISCONNECT, which a broker of MQTT 3.1.1 does not send";
            break;
        case puback:
        case pubrec:
        case pubrel:
        case pubcomp:
        case suback:
        case unsuback:
        case pingresp:
            break;
        default:
            return "a packet that a broker may not send";
    }
    if (!connected_ && type() != connack && type() != disconnect) return "another packet before CONNACK";
    if (type() != publish && flags != (type() == pubrel ? 2 : 0)) return "reserved flags that are set";
    if (type() != publish && length_ > longest_body) return "a packet that is far too long";
    return nullptr;
}

// As soon as all of it is there, or more of a PUBLISH than can stand before its payload.
void PacketCheck::check_body() {
    const bool enough = left_ == 0 || body_.size() >= longest_body;
    if (enough && !checked_) {
        checked_ = true;
        connected_ = connected_ || type() == connack;
        if (const char* fault = fault_of_body()) fault_ = fault;
        body_.clear();
    }
    if (left_ == 0) expects_ = Expects::type;
}

const char* PacketCheck::fault_of_body() const {
    Reader in(body_);
    switch (type()) {
        case publish:
            if (const auto topic = in.text(); topic.find_first_of("+#") != std::string_view::npos)
                return "a PUBLISH to a wildcard";
            if ((first_ & 0x06) != 0 && in.number(2) == 0 && in.good()) return "a PUBLISH with packet id 0";
            if (is_v5_) in.properties();
            return in.good() ? nullptr : "a PUBLISH whose lengths are wrong";
        case connack:
            in.number(2);
            // One that speaks only an older version may say so in its own way.
            if (is_v5_ && !in.at_end()) in.properties();
            break;
        case suback:
        case unsuback:
            in.number(2);
            if (is_v5_) in.properties();
            // Codes follow, at least one, but in the UNSUBACK of 3.1.1.
            if (in.good() && in.at_end() == (!is_v5_ && type() == unsuback)) return nullptr;
            return "a SUBACK or UNSUBACK whose lengths are wrong";
        case pingresp:
            break;
        default:
            if (type() != disconnect) in.number(2);
            if (is_v5_ && !in.at_end()) in.number(1);
            if (is_v5_ && !in.at_end()) in.properties();
            break;
    }
    return in.good() && in.at_end() ? nullptr : "a packet whose lengths are wrong";
}

}  // namespace holdfast
