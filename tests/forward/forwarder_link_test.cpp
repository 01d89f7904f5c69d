#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <set>

#include "forward/forwarder_bench.hpp"

namespace holdfast {
namespace {

using namespace std::chrono_literals;
using namespace test;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(Forwarder, NeverConnectsWithoutAServer) {
    Bench bench(broker_config(0));
    bench.pass(24h);
    EXPECT_EQ(bench.forwarder.next_step(), std::nullopt);
    EXPECT_THAT(bench.connects, IsEmpty());
    EXPECT_THAT(bench.links, ElementsAre(false));
    EXPECT_EQ(bench.forwarder.status().state, BrokerState::waiting);
    EXPECT_EQ(bench.forwarder.status().server, "");
    bench.forwarder.stop(1s, bench.clock.now());
    EXPECT_TRUE(bench.forwarder.stopped());
}

TEST(Forwarder, SpreadsTheFirstAttemptOverTheInitialWait) {
    std::set<std::int64_t> waits;
    for (std::uint64_t seed = 0; seed < 50; ++seed) {
        const auto wait = Bench(without_status(), seed).until_attempt();
        EXPECT_LE(wait, 1s);
        waits.insert(wait.count() / 100);
    }
    EXPECT_GE(waits.size(), 8U) << "tenths of the initial wait that were met";
}

TEST(Forwarder, BacksOffWithJitterWithinAGrowingEnvelope) {
    std::array<std::chrono::milliseconds, 12> longest{};
    for (std::uint64_t seed = 0; seed < 200; ++seed) {
        Bench bench(without_status(), seed);
        (void)bench.until_attempt();
        std::chrono::milliseconds envelope = 1s;
        for (auto& most : longest) {
            bench.tell(transport::ConnectFailed{passing()});
            const auto wait = bench.until_attempt();
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
        Bench bench(without_status(), seed);
        std::chrono::milliseconds wait{};
        for (int i = 0; i <= links; ++i) {
            wait = bench.until_attempt();
            bench.tell(transport::Connected{});
            const auto seq = static_cast<std::uint64_t>(i + 1);
            if (with_ack) {
                bench.offer({seq});
                bench.deliver(seq);
            }
            bench.clock.advance(link);
            bench.tell(transport::ConnectionLost{passing("kicked")});
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
        Bench bench(without_status(), seed);
        (void)bench.until_attempt();
        bench.tell(transport::ConnectFailed{person()});
        EXPECT_EQ(bench.forwarder.status().state, BrokerState::refused);
        EXPECT_EQ(bench.forwarder.status().last_error, "not authorised (0x87)");
        const auto wait = bench.until_attempt();
        EXPECT_GE(wait, 60s);
        EXPECT_LE(wait, 5min);
        seconds.insert(wait / 1s);
    }
    EXPECT_GT(seconds.size(), 10U) << "gateways that are refused together do not come back together";
}

TEST(Forwarder, WaitsNoLongerThanTheMaximumWhenRefused) {
    BrokerConfig config = without_status();
    config.backoff_max = 10s;
    Bench bench(config);
    (void)bench.until_attempt();
    bench.tell(transport::ConnectFailed{person()});
    EXPECT_EQ(bench.until_attempt(), 10s);
}

TEST(Forwarder, WaitsLongerWhenTheBrokerLimitsTheRateOfConnections) {
    Bench bench;
    (void)bench.until_attempt();
    bench.tell(transport::ConnectFailed{{LinkFailure::Class::passing, 0x9F, "connection rate exceeded"}});
    EXPECT_EQ(bench.forwarder.status().state, BrokerState::waiting);
    EXPECT_GE(bench.until_attempt(), 30s);
}

TEST(Forwarder, TakesTheServersInTurn) {
    Bench bench(without_status(broker_config(3)));
    for (int i = 0; i < 7; ++i) {
        (void)bench.until_attempt();
        bench.tell(transport::ConnectFailed{passing()});
    }
    std::vector<std::size_t> order;
    for (const auto& connect : bench.connects)
        order.push_back(connect.server);
    EXPECT_THAT(order, ElementsAre(0, 1, 2, 0, 1, 2, 0));
}

TEST(Forwarder, ReturnsToTheServerThatAcknowledgedAndLeavesTheOneThatDidNot) {
    Bench bench(without_status(broker_config(2)));
    bench.connect();
    bench.offer({1});
    bench.deliver(1);
    bench.tell(transport::ConnectionLost{passing()});
    (void)bench.until_attempt();
    EXPECT_EQ(bench.connects.back().server, 0U);
    bench.tell(transport::Connected{});
    bench.tell(transport::ConnectionLost{passing("kicked")});
    (void)bench.until_attempt();
    EXPECT_EQ(bench.connects.back().server, 1U);
}

TEST(Forwarder, FallsBackToTheOlderProtocolAtOnceAndRemembersIt) {
    Bench bench;
    (void)bench.until_attempt();
    EXPECT_EQ(bench.connects.back().protocol, Protocol::v5);
    bench.tell(transport::ConnectFailed{version()});
    ASSERT_EQ(bench.connects.size(), 2U) << "at once";
    EXPECT_EQ(bench.connects.back().protocol, Protocol::v3_1_1);
    EXPECT_TRUE(bench.connects.back().clean_start);
    bench.tell(transport::Connected{});
    bench.tell(transport::ConnectionLost{passing()});
    (void)bench.until_attempt();
    EXPECT_EQ(bench.connects.back().protocol, Protocol::v3_1_1);
    EXPECT_EQ(bench.log.count(LogLevel::warning), 1U) << bench.log.text();
}

TEST(Forwarder, CountsAServerThatSpeaksNeitherProtocolAsRefusing) {
    Bench bench;
    (void)bench.until_attempt();
    bench.tell(transport::ConnectFailed{version()});
    EXPECT_EQ(bench.until_attempt(), 0s);
    bench.tell(transport::ConnectFailed{version()});
    EXPECT_EQ(bench.forwarder.status().state, BrokerState::refused);
    EXPECT_GE(bench.until_attempt(), 60s);
    EXPECT_EQ(bench.connects.back().protocol, Protocol::v5) << "it may have been changed meanwhile";
}

TEST(Forwarder, SpeaksOnlyTheConfiguredProtocol) {
    for (const Protocol protocol : {Protocol::v5, Protocol::v3_1_1}) {
        BrokerConfig config = without_status();
        config.protocol = protocol;
        Bench bench(config);
        for (int i = 0; i < 3; ++i) {
            (void)bench.until_attempt();
            EXPECT_EQ(bench.connects.back().protocol, protocol);
            bench.tell(transport::ConnectFailed{version()});
            EXPECT_EQ(bench.forwarder.status().state, BrokerState::refused);
        }
    }
}

TEST(Forwarder, StartsCleanOnceAndResumesTheSessionAfterwards) {
    Bench bench;
    bench.connect();
    EXPECT_TRUE(bench.connects.back().clean_start);
    bench.tell(transport::ConnectionLost{passing()});
    (void)bench.until_attempt();
    EXPECT_FALSE(bench.connects.back().clean_start);
    bench.tell(transport::ConnectFailed{passing()});
    (void)bench.until_attempt();
    EXPECT_FALSE(bench.connects.back().clean_start) << "the session survives a failed attempt";
}

BrokerConfig version_3_1_1(int qos) {
    BrokerConfig config = without_status();
    config.protocol = Protocol::v3_1_1;
    config.qos = qos;
    return config;
}

TEST(Forwarder, ClearsTheSessionAndOpensOneThatLastsForQos2By3_1_1) {
    Bench bench(version_3_1_1(2));
    (void)bench.until_attempt();
    EXPECT_TRUE(bench.connects.back().clean_start);
    bench.tell(transport::Connected{});
    EXPECT_EQ(bench.disconnects, 1);
    bench.offer({1});
    EXPECT_EQ(bench.take_published(), Seqs{});
    bench.tell(transport::Disconnected{});
    ASSERT_EQ(bench.connects.size(), 2U);
    EXPECT_FALSE(bench.connects.back().clean_start);
    bench.tell(transport::Connected{});
    EXPECT_EQ(bench.forwarder.status().state, BrokerState::connected);
    EXPECT_EQ(bench.forwarder.status().reconnects, 0U);
    EXPECT_EQ(bench.disconnects, 1);
}

TEST(Forwarder, NeedsNoLastingSessionForQos1By3_1_1) {
    Bench bench(version_3_1_1(1));
    bench.connect();
    EXPECT_EQ(bench.disconnects, 0);
}

TEST(Forwarder, StartsCleanAfterAnAttemptAtAnotherServer) {
    Bench bench(without_status(broker_config(2)));
    bench.connect();
    bench.tell(transport::ConnectionLost{passing()});
    (void)bench.until_attempt();
    EXPECT_EQ(bench.connects.back().server, 1U);
    bench.tell(transport::ConnectFailed{passing()});
    (void)bench.until_attempt();
    EXPECT_EQ(bench.connects.back().server, 0U);
    EXPECT_TRUE(bench.connects.back().clean_start);
}

TEST(Forwarder, GivesUpAnAttemptThatIsNeverAnswered) {
    Bench bench;
    (void)bench.until_attempt();
    bench.pass(14s);
    EXPECT_EQ(bench.drops, 0);
    bench.pass(1s);
    EXPECT_EQ(bench.drops, 1);
    EXPECT_EQ(bench.forwarder.status().last_error, "no answer within 10 s");
    bench.tell(transport::ConnectFailed{passing("late")});
    EXPECT_EQ(bench.forwarder.status().last_error, "no answer within 10 s");
    (void)bench.until_attempt();
}

TEST(Forwarder, TriesAtOnceWhenTheNetworkComesUp) {
    Bench bench;
    (void)bench.until_attempt();
    for (int i = 0; i < 9; ++i) {
        bench.tell(transport::ConnectFailed{passing()});
        (void)bench.until_attempt();
    }
    bench.tell(transport::ConnectFailed{passing()});
    const auto attempts = bench.connects.size();
    bench.clock.advance(1s);
    bench.forwarder.network_changed(bench.clock.now());
    bench.step();
    EXPECT_EQ(bench.connects.size(), attempts + 1);
}

TEST(Forwarder, IsNotDrivenByAFlappingNetwork) {
    Bench bench;
    (void)bench.until_attempt();
    bench.tell(transport::ConnectFailed{person()});
    for (int i = 0; i < 40; ++i) {
        bench.forwarder.network_changed(bench.clock.now());
        bench.step();
        bench.clock.advance(100ms);
    }
    EXPECT_EQ(bench.connects.size(), 1U);
    bench.pass(1s);
    EXPECT_EQ(bench.connects.size(), 2U) << "5 s after it was refused";
}

TEST(Forwarder, LogsAFailureOnceAndItsCountAtRecovery) {
    Bench bench;
    (void)bench.until_attempt();
    for (int i = 0; i < 20; ++i) {
        bench.tell(transport::ConnectFailed{passing()});
        (void)bench.until_attempt();
    }
    EXPECT_EQ(bench.log.entries().size(), 1U) << bench.log.text();
    EXPECT_TRUE(bench.log.has("cannot connect to mqtts://b0: connection refused"));
    bench.tell(transport::ConnectFailed{passing("certificate has expired")});
    EXPECT_EQ(bench.log.entries().size(), 2U) << "another reason is news";
    (void)bench.until_attempt();
    bench.tell(transport::Connected{});
    EXPECT_TRUE(bench.log.has("connected to mqtts://b0 by MQTT 5, after 21 failed attempts"))
        << bench.log.text();
    EXPECT_EQ(bench.forwarder.status().last_error, "");
}

TEST(Forwarder, TellsTheBufferOfEachChangeOfTheLink) {
    Bench bench;
    bench.connect();
    bench.tell(transport::ConnectionLost{passing()});
    bench.connect();
    EXPECT_THAT(bench.links, ElementsAre(true, false, true));
    EXPECT_EQ(bench.forwarder.status().reconnects, 1U);
}

TEST(Forwarder, TellsTheBufferThatTheFirstAttemptFailed) {
    Bench bench;
    (void)bench.until_attempt();
    EXPECT_THAT(bench.links, IsEmpty()) << "nothing is known yet";
    bench.tell(transport::ConnectFailed{passing()});
    EXPECT_THAT(bench.links, ElementsAre(false));
}

// --- status

TEST(Forwarder, SaysOnlineFirstAndRetained) {
    Bench bench(broker_config());
    bench.connect();
    bench.offer({1});
    ASSERT_EQ(bench.messages.size(), 2U);
    EXPECT_EQ(bench.messages[0].message.topic, "holdfast/gw-17/status");
    EXPECT_TRUE(bench.messages[0].message.retain);
    EXPECT_EQ(bench.messages[0].message.qos, 1);
    EXPECT_THAT(bench.statuses, ElementsAre("online"));
    bench.tell(transport::Delivered{bench.status_token});
    EXPECT_THAT(bench.acknowledged, IsEmpty());
    EXPECT_EQ(bench.forwarder.status().acked_messages, 0U);
    bench.tell(transport::ConnectionLost{passing()});
    bench.connect();
    EXPECT_THAT(bench.statuses, ElementsAre("online", "online"));
}

TEST(Forwarder, CountsTheStatusMessageInTheWindow) {
    Bench bench(broker_config());
    transport::Connected answer;
    answer.limits.receive_maximum = 1;
    bench.connect(answer);
    bench.offer({1});
    EXPECT_THAT(bench.take_published(), IsEmpty());
    bench.tell(transport::Delivered{bench.status_token});
    EXPECT_THAT(bench.take_published(), ElementsAre(1));
}

TEST(Forwarder, GoesOnWhenTheStatusMessageIsRefused) {
    Bench bench(broker_config());
    bench.connect();
    bench.tell(transport::DeliveryFailed{bench.status_token, 0x87, "not authorised (0x87)"});
    bench.offer({1});
    bench.deliver(1);
    bench.pass(10min);
    EXPECT_THAT(bench.acknowledged, ElementsAre(1));
    EXPECT_EQ(bench.statuses.size(), 1U);
    EXPECT_EQ(bench.drops, 0);
    EXPECT_EQ(bench.log.count("refuses the status message"), 1U);
}

TEST(Forwarder, HasAWillThatSaysOffline) {
    const Bench bench(broker_config());
    const auto will = bench.forwarder.status_message(AgentState::offline);
    ASSERT_TRUE(will);
    EXPECT_TRUE(will->retain);
    EXPECT_EQ(nlohmann::json::parse(will->payload)["state"], "offline");
    EXPECT_EQ(Bench(without_status()).forwarder.status_message(AgentState::offline), std::nullopt);
}

// --- stopping

TEST(Forwarder, StopsAtOnceWhileItIsNotConnected) {
    Bench bench(broker_config());
    bench.forwarder.stop(10s, bench.clock.now());
    EXPECT_TRUE(bench.forwarder.stopped());
    Bench connecting(broker_config());
    (void)connecting.until_attempt();
    connecting.forwarder.stop(10s, connecting.clock.now());
    connecting.step();
    EXPECT_TRUE(connecting.forwarder.stopped());
    EXPECT_EQ(connecting.drops, 1);
}

TEST(Forwarder, FinishesWhatIsInFlightThenSaysOfflineThenDisconnects) {
    Bench bench(broker_config());
    bench.connect();
    bench.tell(transport::Delivered{bench.status_token});
    bench.offer({1, 2, 3, 4, 5});
    bench.forwarder.stop(2s, bench.clock.now());
    bench.step();
    EXPECT_THAT(bench.given_back, ElementsAre(5)) << "nothing new is sent";
    for (const std::uint64_t seq : {1U, 2U, 3U, 4U}) {
        EXPECT_THAT(bench.statuses, ElementsAre("online"));
        bench.deliver(seq);
    }
    EXPECT_THAT(bench.statuses, ElementsAre("online", "offline"));
    EXPECT_EQ(bench.disconnects, 0);
    bench.tell(transport::Delivered{bench.status_token});
    EXPECT_EQ(bench.disconnects, 1);
    EXPECT_FALSE(bench.forwarder.stopped());
    bench.tell(transport::Disconnected{});
    EXPECT_TRUE(bench.forwarder.stopped());
    EXPECT_THAT(bench.acknowledged, ElementsAre(1, 2, 3, 4));
    EXPECT_EQ(bench.drops, 0);
}

TEST(Forwarder, GivesBackWhatIsNotAcknowledgedWithinTheGrace) {
    Bench bench(broker_config());
    bench.connect();
    bench.tell(transport::Delivered{bench.status_token});
    bench.offer({1, 2});
    bench.forwarder.stop(2s, bench.clock.now());
    bench.step();
    bench.pass(1999ms);
    EXPECT_THAT(bench.statuses, ElementsAre("online"));
    bench.pass(1ms);
    EXPECT_THAT(bench.statuses, ElementsAre("online", "offline"));
    bench.tell(transport::Delivered{bench.status_token});
    bench.tell(transport::Disconnected{});
    EXPECT_TRUE(bench.forwarder.stopped());
    EXPECT_THAT(bench.given_back, ElementsAre(1, 2));
}

TEST(Forwarder, LeavesTheFarewellToTheWillWhenTheBrokerIsSilent) {
    Bench bench(broker_config());
    bench.connect();
    bench.tell(transport::Delivered{bench.status_token});
    bench.forwarder.stop(0s, bench.clock.now());
    bench.step();
    bench.pass(1s);
    EXPECT_TRUE(bench.forwarder.stopped());
    EXPECT_EQ(bench.drops, 1);
    EXPECT_EQ(bench.disconnects, 0) << "the broker would keep the online status";
}

TEST(Forwarder, StopsWhenTheLinkIsLostMeanwhile) {
    Bench bench;
    bench.connect();
    bench.offer({1});
    bench.forwarder.stop(10s, bench.clock.now());
    bench.tell(transport::ConnectionLost{passing()});
    EXPECT_TRUE(bench.forwarder.stopped());
    EXPECT_THAT(bench.given_back, ElementsAre(1));
}

TEST(Forwarder, StopsEvenIfDisconnectIsNeverAnswered) {
    Bench bench;
    bench.connect();
    bench.forwarder.stop(10s, bench.clock.now());
    bench.step();
    EXPECT_EQ(bench.disconnects, 1) << "nothing in flight: no need for the grace";
    bench.pass(1s);
    EXPECT_TRUE(bench.forwarder.stopped());
}

TEST(Forwarder, ConnectsAgainOnceWithTheKeepAliveThatTheBrokerWants) {
    Bench bench;
    transport::Connected answer;
    answer.limits.server_keep_alive = 4;
    (void)bench.until_attempt();
    EXPECT_EQ(bench.connects.back().keep_alive, 30s);
    bench.tell(answer);
    EXPECT_EQ(bench.disconnects, 1);
    EXPECT_EQ(bench.connects.size(), 1u);
    bench.tell(transport::Disconnected{});
    ASSERT_EQ(bench.connects.size(), 2u);
    EXPECT_EQ(bench.connects.back().keep_alive, 4s);
    bench.tell(answer);
    EXPECT_EQ(bench.forwarder.status().state, BrokerState::connected);
    EXPECT_EQ(bench.disconnects, 1);
    EXPECT_EQ(bench.drops, 0);
}

TEST(Forwarder, KeepsItsOwnKeepAliveWhenTheBrokersIsLonger) {
    Bench bench;
    transport::Connected answer;
    answer.limits.server_keep_alive = 600;
    bench.connect(answer);
    EXPECT_EQ(bench.disconnects, 0);
}

BrokerConfig without_client_id(Protocol protocol) {
    BrokerConfig config = without_status();
    config.client_id.clear();
    config.protocol = protocol;
    return config;
}

TEST(Forwarder, GoesOnWithTheClientIdThatTheBrokerGave) {
    Bench bench(without_client_id(Protocol::v5));
    transport::Connected answer;
    answer.limits.assigned_client_id = "auto-1";
    (void)bench.until_attempt();
    EXPECT_EQ(bench.connects.back().client_id, "");
    EXPECT_TRUE(bench.connects.back().clean_start);
    bench.tell(answer);
    EXPECT_EQ(bench.disconnects, 1);
    bench.tell(transport::Disconnected{});
    ASSERT_EQ(bench.connects.size(), 2u);
    EXPECT_EQ(bench.connects.back().client_id, "auto-1");
    EXPECT_TRUE(bench.connects.back().clean_start);
    bench.tell(transport::Connected{});
    EXPECT_EQ(bench.forwarder.status().state, BrokerState::connected);
    bench.tell(transport::ConnectionLost{passing()});
    bench.clock.advance(5min);
    bench.step();
    ASSERT_EQ(bench.connects.size(), 3u);
    EXPECT_EQ(bench.connects.back().client_id, "auto-1");
    EXPECT_FALSE(bench.connects.back().clean_start);
    bench.tell(transport::ConnectFailed{{LinkFailure::Class::person, 0x85, "the client id is not valid"}});
    bench.clock.advance(10min);
    bench.step();
    ASSERT_EQ(bench.connects.size(), 4u);
    EXPECT_EQ(bench.connects.back().client_id, "");
    EXPECT_TRUE(bench.connects.back().clean_start);
}

TEST(Forwarder, AlwaysStartsCleanWithoutAClientId) {
    Bench bench(without_client_id(Protocol::v3_1_1));
    bench.connect();
    bench.tell(transport::ConnectionLost{passing()});
    bench.clock.advance(5min);
    bench.step();
    ASSERT_EQ(bench.connects.size(), 2u);
    EXPECT_TRUE(bench.connects.back().clean_start);
}

TEST(Forwarder, RenewsTheConnectionWhenWhatIsInFlightIsAcknowledged) {
    Bench bench;
    bench.connect();
    bench.offer({1, 2});
    EXPECT_EQ(bench.take_published(), (Seqs{1, 2}));
    bench.forwarder.renew(bench.clock.now());
    bench.step();
    bench.offer({3});
    bench.deliver(1);
    EXPECT_EQ(bench.disconnects, 0);
    bench.deliver(2);
    EXPECT_EQ(bench.disconnects, 1);
    bench.tell(transport::Disconnected{});
    ASSERT_EQ(bench.connects.size(), 2u);
    EXPECT_TRUE(bench.connects.back().clean_start);
    bench.tell(transport::Connected{});
    EXPECT_EQ(bench.take_published(), (Seqs{3}));
    EXPECT_EQ(bench.acknowledged, (Seqs{1, 2}));
    EXPECT_TRUE(bench.given_back.empty());
    EXPECT_EQ(bench.links, (std::vector<bool>{true, true}));
}

TEST(Forwarder, RenewalSendsAgainWhatTheBrokerDoesNotAcknowledge) {
    Bench bench;
    bench.connect();
    bench.offer({1});
    bench.take_published();
    bench.forwarder.renew(bench.clock.now());
    bench.pass(10s);
    EXPECT_EQ(bench.disconnects, 1);
    EXPECT_EQ(bench.drops, 1);  // DISCONNECT was not answered either
    ASSERT_EQ(bench.connects.size(), 2u);
    bench.tell(transport::Connected{});
    EXPECT_EQ(bench.take_published(), (Seqs{1}));
}

TEST(Forwarder, StopDuringARenewalLeaves) {
    Bench bench;
    bench.connect();
    bench.forwarder.renew(bench.clock.now());
    bench.step();
    EXPECT_EQ(bench.disconnects, 1);
    bench.forwarder.stop(1s, bench.clock.now());
    bench.step();
    bench.tell(transport::Disconnected{});
    EXPECT_TRUE(bench.forwarder.stopped());
    EXPECT_EQ(bench.connects.size(), 1u);
}

TEST(Forwarder, GoesBackToTheFirstServerWhenItHasBeenReachableForAWhile) {
    Bench bench(without_status(broker_config(2)));
    (void)bench.until_attempt();
    bench.tell(transport::ConnectFailed{passing()});
    bench.connect();
    EXPECT_EQ(bench.connects.back().server, 1u);
    const auto probe = [&](bool reachable) {
        const int before = bench.probes;
        bench.pass(60s);
        EXPECT_EQ(bench.probes, before + 1);
        bench.tell(transport::Probed{reachable});
    };
    for (const bool reachable : {true, true, false, true, true})
        probe(reachable);
    EXPECT_EQ(bench.disconnects, 0);
    probe(true);
    EXPECT_EQ(bench.disconnects, 1);
    bench.tell(transport::Disconnected{});
    EXPECT_EQ(bench.connects.back().server, 0u);
    bench.tell(transport::Connected{});
    bench.pass(10min);
    EXPECT_EQ(bench.probes, 6);
}

TEST(Forwarder, OffersLessOfAWillThatTheBrokerRefuses) {
    Bench bench(broker_config());
    EXPECT_TRUE(bench.forwarder.status_message(AgentState::offline)->retain);
    for (const int code : {0x9A, 0x9B}) {
        (void)bench.until_attempt();
        bench.tell(transport::ConnectFailed{{LinkFailure::Class::person, code, "refused"}});
        EXPECT_EQ(bench.forwarder.status().state, BrokerState::waiting);
    }
    const auto will = bench.forwarder.status_message(AgentState::offline);
    EXPECT_FALSE(will->retain);
    EXPECT_EQ(will->qos, 0);
    (void)bench.until_attempt();
    bench.tell(transport::ConnectFailed{{LinkFailure::Class::person, 0x9A, "refused all the same"}});
    EXPECT_EQ(bench.forwarder.status().state, BrokerState::refused);
}

TEST(Forwarder, RenewsAConnectionThatWasBeingMadeWithTheOldCredentials) {
    Bench bench;
    (void)bench.until_attempt();
    bench.forwarder.renew(bench.clock.now());
    bench.tell(transport::Connected{});
    bench.step();
    EXPECT_EQ(bench.disconnects, 1);
    bench.tell(transport::Disconnected{});
    bench.tell(transport::Connected{});
    EXPECT_EQ(bench.disconnects, 1);
}

TEST(Forwarder, GivesBackWhatIsReadyWhenARenewalDoesNotComeThrough) {
    Bench bench;
    bench.connect();
    bench.offer({1});
    bench.forwarder.renew(bench.clock.now());
    bench.step();
    bench.offer({2});
    bench.deliver(1);
    bench.tell(transport::Disconnected{});
    bench.tell(transport::ConnectFailed{passing()});
    EXPECT_EQ(bench.given_back, (Seqs{2}));
}

TEST(Forwarder, WaitsLongerForANetworkThatReportsAllTheTimeToNoAvail) {
    BrokerConfig config = without_status();
    config.backoff_initial = config.backoff_max = 24h;
    Bench bench(config);
    (void)bench.until_attempt();
    for (const auto expected : {1s, 2s, 4s, 8s, 16s, 32s, 60s, 60s}) {
        bench.tell(transport::ConnectFailed{passing()});
        bench.forwarder.network_changed(bench.clock.now());
        EXPECT_EQ(bench.until_attempt(), expected);
    }
    bench.tell(transport::Connected{});
    bench.tell(transport::ConnectionLost{passing()});
    bench.forwarder.network_changed(bench.clock.now());
    EXPECT_EQ(bench.until_attempt(), 1s);
}

}  // namespace
}  // namespace holdfast
