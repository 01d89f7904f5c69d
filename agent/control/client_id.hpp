// Whether somebody else uses the client id of the running agent, from what the broker told it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/clock.hpp"
#include "forward/forward_status.hpp"

namespace holdfast {

// The request of the control socket is this, and the id that is asked about.
inline constexpr std::string_view client_id_request = "client-id ";
// Answers that it is not the running agent's.
inline constexpr std::string_view not_our_client_id = "other";

// "ok TEXT", "warning TEXT" (perhaps, or not lately) or "FAILED TEXT". Not every broker says that a client
// was thrown off for another (mosquitto 2.0.11 does not, and by MQTT 3.1.1 none can), so links that are
// closed soon again and again count too.
std::string client_id_report(const ForwardStatus& forward, MonoTime now);

}  // namespace holdfast
