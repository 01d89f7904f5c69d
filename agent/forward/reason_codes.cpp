#include "forward/reason_codes.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <string_view>

namespace holdfast {
namespace {

using Class = LinkFailure::Class;

struct Reason {
    int code;
    Class kind;
    std::string_view text;
};

constexpr std::array reasons = {
    Reason{0x00, Class::passing, "the broker ended the connection"},
    Reason{0x80, Class::passing, "the broker gave no reason"},
    Reason{0x81, Class::passing, "the broker found a packet malformed; please report this"},
    Reason{0x82, Class::passing, "the broker found a protocol error; please report this"},
    Reason{0x83, Class::passing, "the broker refused for a reason of its own; its log may say more"},
    Reason{0x84, Class::protocol_version, "the broker does not speak this version of MQTT"},
    Reason{0x85, Class::person, "the broker does not accept the client id: check client_id"},
    Reason{0x86, Class::person, "wrong user name or password: check username and password_file"},
    Reason{0x87, Class::person,
           "not authorised: check the broker's access rules for this user and client id"},
    Reason{0x88, Class::passing, "the broker is not available"},
    Reason{0x89, Class::passing, "the broker is busy"},
    Reason{0x8A, Class::person, "the broker has banned this client: ask who runs it"},
    Reason{0x8B, Class::passing, "the broker is shutting down"},
    Reason{0x8C, Class::person, "the broker wants another way of authentication than user and password"},
    Reason{0x8D, Class::passing, "the broker heard nothing within the keep alive time"},
    Reason{session_taken_over, Class::person,
           "the session was taken over: another device may be using the same client id; give each its own"},
    Reason{0x8F, Class::person, "the topic filter is not accepted"},
    Reason{0x90, Class::person, "the topic name is not accepted: check topic and status_topic"},
    Reason{0x91, Class::passing, "the packet identifier is in use"},
    Reason{0x92, Class::passing, "the packet identifier is not known"},
    Reason{0x93, Class::passing, "more messages in flight than the broker allows; please report this"},
    Reason{0x94, Class::passing, "the topic alias is not valid; please report this"},
    Reason{0x95, Class::person, "the packet is larger than the broker allows"},
    Reason{0x96, Class::passing, "the message rate is too high"},
    Reason{0x97, Class::passing, "a quota of the broker is used up"},
    Reason{0x98, Class::passing, "the connection was closed by an administrator"},
    Reason{0x99, Class::person, "the payload format is not accepted"},
    Reason{0x9A, Class::person, "the broker does not keep retained messages: set status_topic to \"\""},
    Reason{0x9B, Class::person, "the broker does not offer this quality of service: lower qos"},
    Reason{0x9C, Class::passing, "the broker asks to use another server for now"},
    Reason{0x9D, Class::passing, "the broker has moved: check servers"},
    Reason{0x9E, Class::person, "the broker does not offer shared subscriptions"},
    Reason{0x9F, Class::passing, "too many connections at a time"},
    Reason{0xA0, Class::passing, "the longest time the broker allows for a connection is over"},
    Reason{0xA1, Class::person, "the broker does not offer subscription identifiers"},
    Reason{0xA2, Class::person, "the broker does not offer wildcards in topic filters"},
};

// 3.1.1 numbers its five refusals from 1; each has its like in MQTT 5.
constexpr std::array<int, 6> v3_as_v5 = {0x00, 0x84, 0x85, 0x88, 0x86, 0x87};

const Reason* find_reason(int code) {
    const auto* found =
        std::find_if(reasons.begin(), reasons.end(), [&](const Reason& r) { return r.code == code; });
    return found == reasons.end() ? nullptr : found;
}

std::string describe(int code, int meaning) {
    const Reason* reason = find_reason(meaning);
    std::array<char, 16> number{};
    std::snprintf(number.data(), number.size(), code < 0x80 ? " (%d)" : " (0x%02X)",
                  static_cast<unsigned>(code));
    return std::string(reason ? reason->text : "the broker gave an unknown reason") + number.data();
}

LinkFailure failure(int code, int meaning) {
    const Reason* reason = find_reason(meaning);
    return LinkFailure{reason ? reason->kind : Class::passing, code, describe(code, meaning)};
}

}  // namespace

LinkFailure connack_failure(Protocol protocol, int code) {
    const bool is_v3 = protocol == Protocol::v3_1_1 && code > 0 && code < static_cast<int>(v3_as_v5.size());
    return failure(code, is_v3 ? v3_as_v5[static_cast<std::size_t>(code)] : code);
}

LinkFailure disconnect_failure(int code) {
    return failure(code, code);
}

std::string delivery_failure_text(int code) {
    if (code >= 0x80) return describe(code, code);
    return "the connection or the session was lost before the broker had acknowledged it";
}

}  // namespace holdfast
