#include "control/client_id.hpp"

#include "forward/wall_dates.hpp"

namespace holdfast {

std::string client_id_report(const ForwardStatus& forward, MonoTime now) {
    constexpr auto lately = std::chrono::hours(1);
    constexpr auto long_link = std::chrono::seconds(60);
    constexpr std::uint64_t suspicious_links = 3;
    if (forward.takeovers > 0) {
        return std::string(now - forward.last_takeover < lately ? "FAILED" : "warning") +
               " another client has taken the running agent's place " + std::to_string(forward.takeovers) +
               " times, last at " + date_text(forward.last_takeover_wall_us) +
               ": give each its own client_id";
    }
    const bool holds = forward.state == BrokerState::connected && now - forward.connected_at >= long_link;
    if (forward.short_links >= suspicious_links && !holds)
        return "warning the running agent's last " + std::to_string(forward.short_links) +
               " connections ended within a minute each, by the broker or the network: perhaps another "
               "client "
               "uses it";
    return "ok the running agent uses it (" + std::string(to_string(forward.state)) + ", " +
           std::to_string(forward.reconnects) + " reconnects) and knows of no other client";
}

}  // namespace holdfast
