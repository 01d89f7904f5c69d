#include "control/client_id.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace holdfast {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr std::int64_t now_us = 1'795'371'200'000'000;
constexpr std::int64_t minute_us = 60'000'000;

TEST(ClientIdReport, IsGoodWhileNoBrokerTold) {
    ForwardStatus forward;
    forward.state = BrokerState::connected;
    forward.reconnects = 4;
    EXPECT_THAT(client_id_report(forward, now_us),
                StartsWith("ok the running agent uses it (connected, 4 rec"));
}

TEST(ClientIdReport, SuspectsAnotherWhenLinksAreShortUntilOneHolds) {
    ForwardStatus forward;
    forward.state = BrokerState::connected;
    forward.since_wall_us = now_us - minute_us / 2;
    forward.short_links = 2;
    EXPECT_THAT(client_id_report(forward, now_us), StartsWith("ok "));
    forward.short_links = 3;
    EXPECT_THAT(client_id_report(forward, now_us),
                StartsWith("warning the broker closed the running agent's last 3 "));
    forward.since_wall_us = now_us - minute_us;
    EXPECT_THAT(client_id_report(forward, now_us), StartsWith("ok "));
    forward.state = BrokerState::waiting;
    EXPECT_THAT(client_id_report(forward, now_us), StartsWith("warning "));
}

TEST(ClientIdReport, TellsATakeoverThatIsLongAgoFromAnother) {
    ForwardStatus forward;
    forward.takeovers = 2;
    forward.last_takeover_wall_us = now_us - 59 * minute_us;
    EXPECT_THAT(client_id_report(forward, now_us), StartsWith("FAILED another client has taken"));
    EXPECT_THAT(client_id_report(forward, now_us), HasSubstr("2 times, last at 2026-"));
    forward.last_takeover_wall_us = now_us - 61 * minute_us;
    EXPECT_THAT(client_id_report(forward, now_us), StartsWith("warning another client has taken"));
}

}  // namespace
}  // namespace holdfast
