#include "control/client_id.hpp"

#include "forward/wall_dates.hpp"

namespace holdfast {

std::string client_id_report(const ForwardStatus& forward, std::int64_t wall_us) {
    constexpr std::int64_t lately_us = 3'600'000'000;
    constexpr std::int64_t long_link_us = 60'000'000;
    constexpr std::uint64_t suspicious_links = 3;
    if (forward.takeovers > 0) {
        const bool lately = wall_us - forward.last_takeover_wall_us < lately_us;
        return std::string(lately ? "FAILED" : "warning") +
               " another client has taken the running agent's place " + std::to_string(forward.takeovers) +
               " times, last at " + date_text(forward.last_takeover_wall_us) +
               ": give each its own client_id";
    }
    const bool holds =
        forward.state == BrokerState::connected && wall_us - forward.since_wall_us >= long_link_us;
    if (forward.short_links >= suspicious_links && !holds)
        return "warning the broker closed the running agent's last " + std::to_string(forward.short_links) +
               " connections without a word, each within a minute: perhaps another client uses it";
    return "ok the running agent uses it (" + std::string(to_string(forward.state)) + ", " +
           std::to_string(forward.reconnects) + " reconnects) and knows of no other client";
}

}  // namespace holdfast
