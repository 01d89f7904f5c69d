#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <set>

#include "forward/forwarder_stage.hpp"

namespace holdfast {
namespace {

using namespace std::chrono_literals;
using namespace test;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(Forwarder, NeverConnectsWithoutAServer) {
    ForwarderStage stage(broker_config(0));
    stage.pass(24h);
    EXPECT_EQ(stage.forwarder.next_step(), std::nullopt);
    EXPECT_THAT(stage.connects, IsEmpty());
    EXPECT_THAT(stage.links, ElementsAre(false));
    EXPECT_EQ(stage.forwarder.status().state, BrokerState::waiting);
    EXPECT_EQ(stage.forwarder.status().server, "");
    stage.forwarder.stop(1s, stage.clock.now());
    EXPECT_TRUE(stage.forwarder.stopped());
}

TEST(Forwarder, SpreadsTheFirstAttemptOverTheInitialWait) {
    std::set<std::int64_t> waits;
    for (std::uint64_t seed = 0; seed < 50; ++seed) {
        const auto wait = ForwarderStage(without_status(), seed).until_attempt();
        EXPECT_LE(wait, 1s);
        waits.insert(wait.count() / 100);
    }
    EXPECT_GE(waits.size(), 8U) << "tenths of the initial wait that were met";
}

TEST(Forwarder, BacksOffWithJitterWithinAGrowingEnvelope) {
    std::array<std::chrono::milliseconds, 12> longest{};
    for (std::uint64_t seed = 0; seed < 200; ++seed) {
        ForwarderStage stage(without_status(), seed);
        (void)stage.until_attempt();
        std::chrono::milliseconds envelope = 1s;
        for (auto& most : longest) {
            stage.tell(transport::ConnectFailed{passing()});
            const auto wait = stage.until_attempt();
            EXPECT_LE(wait, envelope);
            most = std::max(most, wait);
            envelope = std::min<std::chrono::milliseconds>(envelope * 3 / 2, 5min);
        }
    }
    std::chrono::milliseconds envelope = 1s;
    for (const auto most : longest) {
        EXPECT_GT(most, envelope * 8 / 10) << "the whole envelope is used";
        envelope = std::min<std::chrono::milliseconds>(envelope * 3 / 2, 5min);
    }
}

// Connects, is kicked after `link`, and so on; says how long the last wait was at most over many gateways.
std::chrono::milliseconds longest_wait_after_links(int links, std::chrono::seconds link, bool with_ack) {
    std::chrono::milliseconds longest{};
    for (std::uint64_t seed = 0; seed < 100; ++seed) {
        ForwarderStage stage(without_status(), seed);
        std::chrono::milliseconds wait{};
        for (int i = 0; i <= links; ++i) {
            wait = stage.until_attempt();
            stage.tell(transport::Connected{});
            const auto seq = static_cast<std::uint64_t>(i + 1);
            if (with_ack) {
                stage.offer({seq});
                stage.deliver(seq);
            }
            stage.clock.advance(link);
            stage.tell(transport::ConnectionLost{passing("kicked")});
        }
        longest = std::max(longest, wait);
    }
    return longest;
}

TEST(Forwarder, DoesNotResetTheBackoffAfterAShortLink) {
    EXPECT_GT(longest_wait_after_links(6, 59s, true), 4s);
}

TEST(Forwarder, DoesNotResetTheBackoffAfterALinkWithoutAcknowledgement) {
    EXPECT_GT(longest_wait_after_links(6, 600s, false), 4s);
}

TEST(Forwarder, ResetsTheBackoffAfterAMinuteWithAnAcknowledgement) {
    EXPECT_LE(longest_wait_after_links(6, 60s, true), 1s);
}

TEST(Forwarder, WaitsAtLeastAMinuteWhenAPersonHasToMendSomething) {
    std::set<std::int64_t> seconds;
    for (std::uint64_t seed = 0; seed < 50; ++seed) {
        ForwarderStage stage(without_status(), seed);
        (void)stage.until_attempt();
        stage.tell(transport::ConnectFailed{person()});
        EXPECT_EQ(stage.forwarder.status().state, BrokerState::refused);
        EXPECT_EQ(stage.forwarder.status().last_error, "not authorised (0x87)");
        const auto wait = stage.until_attempt();
        EXPECT_GE(wait, 60s);
        EXPECT_LE(wait, 5min);
        seconds.insert(wait / 1s);
    }
    EXPECT_GT(seconds.size(), 10U) << "gateways that are refused together do not come back together";
}

TEST(Forwarder, WaitsNoLongerThanTheMaximumWhenRefused) {
    BrokerConfig config = without_status();
    config.backoff_max = 10s;
    ForwarderStage stage(config);
    (void)stage.until_attempt();
    stage.tell(transport::ConnectFailed{person()});
    EXPECT_EQ(stage.until_attempt(), 10s);
}

TEST(Forwarder, WaitsLongerWhenTheBrokerLimitsTheRateOfConnections) {
    ForwarderStage stage;
    (void)stage.until_attempt();
    stage.tell(transport::ConnectFailed{{LinkFailure::Class::passing, 0x9F, "connection rate exceeded"}});
    EXPECT_EQ(stage.forwarder.status().state, BrokerState::waiting);
    EXPECT_GE(stage.until_attempt(), 30s);
}

TEST(Forwarder, TakesTheServersInTurn) {
    ForwarderStage stage(without_status(broker_config(3)));
    for (int i = 0; i < 7; ++i) {
        (void)stage.until_attempt();
        stage.tell(transport::ConnectFailed{passing()});
    }
    std::vector<std::size_t> order;
    for (const auto& connect : stage.connects)
        order.push_back(connect.server);
    EXPECT_THAT(order, ElementsAre(0, 1, 2, 0, 1, 2, 0));
}

TEST(Forwarder, ReturnsToTheServerThatAcknowledgedAndLeavesTheOneThatDidNot) {
    ForwarderStage stage(without_status(broker_config(2)));
    stage.connect();
    stage.offer({1});
    stage.deliver(1);
    stage.tell(transport::ConnectionLost{passing()});
    (void)stage.until_attempt();
    EXPECT_EQ(stage.connects.back().server, 0U);
    stage.tell(transport::Connected{});
    stage.tell(transport::ConnectionLost{passing("kicked")});
    (void)stage.until_attempt();
    EXPECT_EQ(stage.connects.back().server, 1U);
}

TEST(Forwarder, FallsBackToTheOlderProtocolAtOnceAndRemembersIt) {
    ForwarderStage stage;
    (void)stage.until_attempt();
    EXPECT_EQ(stage.connects.back().protocol, Protocol::v5);
    stage.tell(transport::ConnectFailed{version()});
    ASSERT_EQ(stage.connects.size(), 2U) << "at once";
    EXPECT_EQ(stage.connects.back().protocol, Protocol::v3_1_1);
    EXPECT_TRUE(stage.connects.back().clean_start);
    stage.tell(transport::Connected{});
    stage.tell(transport::ConnectionLost{passing()});
    (void)stage.until_attempt();
    EXPECT_EQ(stage.connects.back().protocol, Protocol::v3_1_1);
    EXPECT_EQ(stage.log.count(LogLevel::warning), 1U) << stage.log.text();
}

TEST(Forwarder, CountsAServerThatSpeaksNeitherProtocolAsRefusing) {
    ForwarderStage stage;
    (void)stage.until_attempt();
    stage.tell(transport::ConnectFailed{version()});
    EXPECT_EQ(stage.until_attempt(), 0s);
    stage.tell(transport::ConnectFailed{version()});
    EXPECT_EQ(stage.forwarder.status().state, BrokerState::refused);
    EXPECT_GE(stage.until_attempt(), 60s);
    EXPECT_EQ(stage.connects.back().protocol, Protocol::v5) << "it may have been changed meanwhile";
}

TEST(Forwarder, SpeaksOnlyTheConfiguredProtocol) {
    for (const Protocol protocol : {Protocol::v5, Protocol::v3_1_1}) {
        BrokerConfig config = without_status();
        config.protocol = protocol;
        ForwarderStage stage(config);
        for (int i = 0; i < 3; ++i) {
            (void)stage.until_attempt();
            EXPECT_EQ(stage.connects.back().protocol, protocol);
            stage.tell(transport::ConnectFailed{version()});
            EXPECT_EQ(stage.forwarder.status().state, BrokerState::refused);
        }
    }
}

TEST(Forwarder, StartsCleanOnceAndResumesTheSessionAfterwards) {
    ForwarderStage stage;
    stage.connect();
    EXPECT_TRUE(stage.connects.back().clean_start);
    stage.tell(transport::ConnectionLost{passing()});
    (void)stage.until_attempt();
    EXPECT_FALSE(stage.connects.back().clean_start);
    stage.tell(transport::ConnectFailed{passing()});
    (void)stage.until_attempt();
    EXPECT_FALSE(stage.connects.back().clean_start) << "the session survives a failed attempt";
}

BrokerConfig version_3_1_1(int qos) {
    BrokerConfig config = without_status();
    config.protocol = Protocol::v3_1_1;
    config.qos = qos;
    return config;
}

TEST(Forwarder, ClearsTheSessionAndOpensOneThatLastsForQos2By3_1_1) {
    ForwarderStage stage(version_3_1_1(2));
    (void)stage.until_attempt();
    EXPECT_TRUE(stage.connects.back().clean_start);
    stage.tell(transport::Connected{});
    EXPECT_EQ(stage.disconnects, 1);
    stage.offer({1});
    EXPECT_EQ(stage.take_published(), Seqs{});
    stage.tell(transport::Disconnected{});
    ASSERT_EQ(stage.connects.size(), 2U);
    EXPECT_FALSE(stage.connects.back().clean_start);
    stage.tell(transport::Connected{});
    EXPECT_EQ(stage.forwarder.status().state, BrokerState::connected);
    EXPECT_EQ(stage.forwarder.status().reconnects, 0U);
    EXPECT_EQ(stage.disconnects, 1);
}

TEST(Forwarder, NeedsNoLastingSessionForQos1By3_1_1) {
    ForwarderStage stage(version_3_1_1(1));
    stage.connect();
    EXPECT_EQ(stage.disconnects, 0);
}

TEST(Forwarder, StartsCleanAfterAnAttemptAtAnotherServer) {
    ForwarderStage stage(without_status(broker_config(2)));
    stage.connect();
    stage.tell(transport::ConnectionLost{passing()});
    (void)stage.until_attempt();
    EXPECT_EQ(stage.connects.back().server, 1U);
    stage.tell(transport::ConnectFailed{passing()});
    (void)stage.until_attempt();
    EXPECT_EQ(stage.connects.back().server, 0U);
    EXPECT_TRUE(stage.connects.back().clean_start);
}

TEST(Forwarder, GivesUpAnAttemptThatIsNeverAnswered) {
    ForwarderStage stage;
    (void)stage.until_attempt();
    stage.pass(14s);
    EXPECT_EQ(stage.drops, 0);
    stage.pass(1s);
    EXPECT_EQ(stage.drops, 1);
    EXPECT_EQ(stage.forwarder.status().last_error, "no answer within 10 s");
    stage.tell(transport::ConnectFailed{passing("late")});
    EXPECT_EQ(stage.forwarder.status().last_error, "no answer within 10 s");
    (void)stage.until_attempt();
}

TEST(Forwarder, TriesAtOnceWhenTheNetworkComesUp) {
    ForwarderStage stage;
    (void)stage.until_attempt();
    for (int i = 0; i < 9; ++i) {
        stage.tell(transport::ConnectFailed{passing()});
        (void)stage.until_attempt();
    }
    stage.tell(transport::ConnectFailed{passing()});
    const auto attempts = stage.connects.size();
    stage.clock.advance(1s);
    stage.forwarder.network_changed(stage.clock.now());
    stage.step();
    EXPECT_EQ(stage.connects.size(), attempts + 1);
}

TEST(Forwarder, IsNotDrivenByAFlappingNetwork) {
    ForwarderStage stage;
    (void)stage.until_attempt();
    stage.tell(transport::ConnectFailed{person()});
    for (int i = 0; i < 40; ++i) {
        stage.forwarder.network_changed(stage.clock.now());
        stage.step();
        stage.clock.advance(100ms);
    }
    EXPECT_EQ(stage.connects.size(), 1U);
    stage.pass(1s);
    EXPECT_EQ(stage.connects.size(), 2U) << "5 s after it was refused";
}

TEST(Forwarder, LogsAFailureOnceAndItsCountAtRecovery) {
    ForwarderStage stage;
    (void)stage.until_attempt();
    for (int i = 0; i < 20; ++i) {
        stage.tell(transport::ConnectFailed{passing()});
        (void)stage.until_attempt();
    }
    EXPECT_EQ(stage.log.entries().size(), 1U) << stage.log.text();
    EXPECT_TRUE(stage.log.has("cannot connect to mqtts://b0: connection refused"));
    stage.tell(transport::ConnectFailed{passing("certificate has expired")});
    EXPECT_EQ(stage.log.entries().size(), 2U) << "another reason is news";
    (void)stage.until_attempt();
    stage.tell(transport::Connected{});
    EXPECT_TRUE(stage.log.has("connected to mqtts://b0 by MQTT 5, after 21 failed attempts"))
        << stage.log.text();
    EXPECT_EQ(stage.forwarder.status().last_error, "");
}

TEST(Forwarder, KeepsTryingForAWeekAndThenDelivers) {
    const BrokerConfig config = without_status();
    ForwarderStage stage(config);
    (void)stage.until_attempt();
    const MonoTime end = stage.clock.now() + 7 * 24h;
    while (stage.clock.now() < end) {
        stage.tell(transport::ConnectFailed{passing()});
        EXPECT_LE(stage.until_attempt(), config.backoff_max);
    }
    EXPECT_GT(stage.connects.size(), 7U * 24 * 12) << "an attempt in five minutes at the least";
    EXPECT_EQ(stage.log.entries().size(), 1U) << stage.log.text();
    stage.tell(transport::Connected{});
    stage.offer({1});
    stage.deliver(1);
    EXPECT_THAT(stage.acknowledged, ElementsAre(1));
}

TEST(Forwarder, TellsTheBufferOfEachChangeOfTheLink) {
    ForwarderStage stage;
    stage.connect();
    stage.tell(transport::ConnectionLost{passing()});
    stage.connect();
    EXPECT_THAT(stage.links, ElementsAre(true, false, true));
    EXPECT_EQ(stage.forwarder.status().reconnects, 1U);
}

TEST(Forwarder, CountsHowOftenAnotherClientTookItsPlace) {
    ForwarderStage stage;
    stage.connect();
    stage.tell(transport::ConnectionLost{passing()});
    EXPECT_EQ(stage.forwarder.status().takeovers, 0U);
    stage.connect();
    stage.tell(transport::ConnectionLost{{LinkFailure::Class::person, 0x8E, "taken over"}});
    EXPECT_EQ(stage.forwarder.status().takeovers, 1U);
}

TEST(Forwarder, CountsShortLinksUntilOneHolds) {
    ForwarderStage stage;
    for (std::uint64_t count = 1; count <= 3; ++count) {
        stage.connect();
        stage.tell(transport::ConnectionLost{passing()});
        EXPECT_EQ(stage.forwarder.status().short_links, count);
    }
    stage.connect();
    stage.clock.advance(60s);
    stage.tell(transport::ConnectionLost{passing()});
    EXPECT_EQ(stage.forwarder.status().short_links, 0U);
}

TEST(Forwarder, TellsTheBufferThatTheFirstAttemptFailed) {
    ForwarderStage stage;
    (void)stage.until_attempt();
    EXPECT_THAT(stage.links, IsEmpty()) << "nothing is known yet";
    stage.tell(transport::ConnectFailed{passing()});
    EXPECT_THAT(stage.links, ElementsAre(false));
}

TEST(Forwarder, WaitsLongerForANetworkThatReportsAllTheTimeToNoAvail) {
    BrokerConfig config = without_status();
    config.backoff_initial = config.backoff_max = 24h;
    ForwarderStage stage(config);
    (void)stage.until_attempt();
    for (const auto expected : {1s, 2s, 4s, 8s, 16s, 32s, 60s, 60s}) {
        stage.tell(transport::ConnectFailed{passing()});
        stage.forwarder.network_changed(stage.clock.now());
        EXPECT_EQ(stage.until_attempt(), expected);
    }
    stage.tell(transport::Connected{});
    stage.tell(transport::ConnectionLost{passing()});
    stage.forwarder.network_changed(stage.clock.now());
    EXPECT_EQ(stage.until_attempt(), 1s);
}

}  // namespace
}  // namespace holdfast
