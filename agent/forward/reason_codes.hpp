// What a broker's reason codes mean for us: the reaction they ask for and words a person can act on.
//
// Pure functions over one table, used by the transport for CONNACK and DISCONNECT and for refused messages.
#pragma once

#include <string>

#include "forward/transport.hpp"

namespace holdfast {

// A CONNACK that says no: codes 1 to 5 of MQTT 3.1.1, 0x80 and above of MQTT 5.
LinkFailure connack_failure(Protocol protocol, int code);

// DISCONNECT: another client connected with our id.
inline constexpr int session_taken_over = 0x8E;

// A DISCONNECT that the broker sent (MQTT 5).
LinkFailure disconnect_failure(int code);

// Why a message was not delivered: a PUBACK or PUBREC code, or one below 0 when the session was lost on the
// way.
std::string delivery_failure_text(int code);

}  // namespace holdfast
