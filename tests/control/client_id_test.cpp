#include "control/client_id.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace holdfast {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr MonoTime now{std::chrono::hours(100)};
constexpr auto minute = std::chrono::minutes(1);

TEST(ClientIdReport, IsGoodWhileNoBrokerTold) {
    ForwardStatus forward;
    forward.state = BrokerState::connected;
    forward.reconnects = 4;
    EXPECT_THAT(client_id_report(forward, now), StartsWith("ok the running agent uses it (connected, 4 rec"));
}

TEST(ClientIdReport, SuspectsAnotherWhenLinksAreShortUntilOneHolds) {
    ForwardStatus forward;
    forward.state = BrokerState::connected;
    forward.connected_at = now - std::chrono::seconds(30);
    forward.short_links = 2;
    EXPECT_THAT(client_id_report(forward, now), StartsWith("ok "));
    forward.short_links = 3;
    EXPECT_THAT(client_id_report(forward, now), StartsWith("warning the running agent's last 3 "));
    forward.connected_at = now - minute;
    EXPECT_THAT(client_id_report(forward, now), StartsWith("ok "));
    forward.state = BrokerState::waiting;
    EXPECT_THAT(client_id_report(forward, now), StartsWith("warning "));
}

TEST(ClientIdReport, TellsATakeoverThatIsLongAgoFromAnother) {
    ForwardStatus forward;
    forward.takeovers = 2;
    forward.last_takeover_wall_us = 1'795'371'200'000'000;
    forward.last_takeover = now - 59 * minute;
    EXPECT_THAT(client_id_report(forward, now), StartsWith("FAILED another client has taken"));
    EXPECT_THAT(client_id_report(forward, now), HasSubstr("2 times, last at 2026-"));
    forward.last_takeover = now - 61 * minute;
    EXPECT_THAT(client_id_report(forward, now), StartsWith("warning another client has taken"));
}

}  // namespace
}  // namespace holdfast
