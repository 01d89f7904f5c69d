// Links that work and are made anew: for what the broker told, for other credentials, for a first server that
// is back.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "forward/forwarder_stage.hpp"

namespace holdfast {
namespace {

using namespace std::chrono_literals;
using namespace test;

TEST(Forwarder, ConnectsAgainOnceWithTheKeepAliveThatTheBrokerWants) {
    ForwarderStage stage;
    transport::Connected answer;
    answer.limits.server_keep_alive = 4;
    (void)stage.until_attempt();
    EXPECT_EQ(stage.connects.back().keep_alive, 30s);
    stage.tell(answer);
    EXPECT_EQ(stage.disconnects, 1);
    EXPECT_EQ(stage.connects.size(), 1u);
    stage.tell(transport::Disconnected{});
    ASSERT_EQ(stage.connects.size(), 2u);
    EXPECT_EQ(stage.connects.back().keep_alive, 4s);
    stage.tell(answer);
    EXPECT_EQ(stage.forwarder.status().state, BrokerState::connected);
    EXPECT_EQ(stage.disconnects, 1);
    EXPECT_EQ(stage.drops, 0);
}

TEST(Forwarder, KeepsItsOwnKeepAliveWhenTheBrokersIsLonger) {
    ForwarderStage stage;
    transport::Connected answer;
    answer.limits.server_keep_alive = 600;
    stage.connect(answer);
    EXPECT_EQ(stage.disconnects, 0);
}

BrokerConfig without_client_id(Protocol protocol) {
    BrokerConfig config = without_status();
    config.client_id.clear();
    config.protocol = protocol;
    return config;
}

TEST(Forwarder, GoesOnWithTheClientIdThatTheBrokerGave) {
    ForwarderStage stage(without_client_id(Protocol::v5));
    transport::Connected answer;
    answer.limits.assigned_client_id = "auto-1";
    (void)stage.until_attempt();
    EXPECT_EQ(stage.connects.back().client_id, "");
    EXPECT_TRUE(stage.connects.back().clean_start);
    stage.tell(answer);
    EXPECT_EQ(stage.disconnects, 1);
    stage.tell(transport::Disconnected{});
    ASSERT_EQ(stage.connects.size(), 2u);
    EXPECT_EQ(stage.connects.back().client_id, "auto-1");
    EXPECT_TRUE(stage.connects.back().clean_start);
    stage.tell(transport::Connected{});
    EXPECT_EQ(stage.forwarder.status().state, BrokerState::connected);
    stage.tell(transport::ConnectionLost{passing()});
    stage.clock.advance(5min);
    stage.step();
    ASSERT_EQ(stage.connects.size(), 3u);
    EXPECT_EQ(stage.connects.back().client_id, "auto-1");
    EXPECT_FALSE(stage.connects.back().clean_start);
    stage.tell(transport::ConnectFailed{{LinkFailure::Class::person, 0x85, "the client id is not valid"}});
    stage.clock.advance(10min);
    stage.step();
    ASSERT_EQ(stage.connects.size(), 4u);
    EXPECT_EQ(stage.connects.back().client_id, "");
    EXPECT_TRUE(stage.connects.back().clean_start);
}

TEST(Forwarder, AlwaysStartsCleanWithoutAClientId) {
    ForwarderStage stage(without_client_id(Protocol::v3_1_1));
    stage.connect();
    stage.tell(transport::ConnectionLost{passing()});
    stage.clock.advance(5min);
    stage.step();
    ASSERT_EQ(stage.connects.size(), 2u);
    EXPECT_TRUE(stage.connects.back().clean_start);
}

TEST(Forwarder, RenewsTheConnectionWhenWhatIsInFlightIsAcknowledged) {
    ForwarderStage stage;
    stage.connect();
    stage.offer({1, 2});
    EXPECT_EQ(stage.take_published(), (Seqs{1, 2}));
    stage.forwarder.renew(stage.clock.now());
    stage.step();
    stage.offer({3});
    stage.deliver(1);
    EXPECT_EQ(stage.disconnects, 0);
    stage.deliver(2);
    EXPECT_EQ(stage.disconnects, 1);
    stage.tell(transport::Disconnected{});
    ASSERT_EQ(stage.connects.size(), 2u);
    EXPECT_TRUE(stage.connects.back().clean_start);
    stage.tell(transport::Connected{});
    EXPECT_EQ(stage.take_published(), (Seqs{3}));
    EXPECT_EQ(stage.acknowledged, (Seqs{1, 2}));
    EXPECT_TRUE(stage.given_back.empty());
    EXPECT_EQ(stage.links, (std::vector<bool>{true, true}));
}

TEST(Forwarder, RenewalSendsAgainWhatTheBrokerDoesNotAcknowledge) {
    ForwarderStage stage;
    stage.connect();
    stage.offer({1});
    stage.take_published();
    stage.forwarder.renew(stage.clock.now());
    stage.pass(10s);
    EXPECT_EQ(stage.disconnects, 1);
    EXPECT_EQ(stage.drops, 1);  // DISCONNECT was not answered either
    ASSERT_EQ(stage.connects.size(), 2u);
    stage.tell(transport::Connected{});
    EXPECT_EQ(stage.take_published(), (Seqs{1}));
}

TEST(Forwarder, StopDuringARenewalLeaves) {
    ForwarderStage stage;
    stage.connect();
    stage.forwarder.renew(stage.clock.now());
    stage.step();
    EXPECT_EQ(stage.disconnects, 1);
    stage.forwarder.stop(1s, stage.clock.now());
    stage.step();
    stage.tell(transport::Disconnected{});
    EXPECT_TRUE(stage.forwarder.stopped());
    EXPECT_EQ(stage.connects.size(), 1u);
}

TEST(Forwarder, GoesBackToTheFirstServerWhenItHasBeenReachableForAWhile) {
    ForwarderStage stage(without_status(broker_config(2)));
    (void)stage.until_attempt();
    stage.tell(transport::ConnectFailed{passing()});
    stage.connect();
    EXPECT_EQ(stage.connects.back().server, 1u);
    const auto probe = [&](bool reachable) {
        const int before = stage.probes;
        stage.pass(60s);
        EXPECT_EQ(stage.probes, before + 1);
        stage.tell(transport::Probed{reachable});
    };
    for (const bool reachable : {true, true, false, true, true})
        probe(reachable);
    EXPECT_EQ(stage.disconnects, 0);
    probe(true);
    EXPECT_EQ(stage.disconnects, 1);
    stage.tell(transport::Disconnected{});
    EXPECT_EQ(stage.connects.back().server, 0u);
    stage.tell(transport::Connected{});
    stage.pass(10min);
    EXPECT_EQ(stage.probes, 6);
}

TEST(Forwarder, OffersLessOfAWillThatTheBrokerRefuses) {
    ForwarderStage stage(broker_config());
    EXPECT_TRUE(stage.forwarder.status_message(AgentState::offline)->retain);
    for (const int code : {0x9A, 0x9B}) {
        (void)stage.until_attempt();
        stage.tell(transport::ConnectFailed{{LinkFailure::Class::person, code, "refused"}});
        EXPECT_EQ(stage.forwarder.status().state, BrokerState::waiting);
    }
    const auto will = stage.forwarder.status_message(AgentState::offline);
    EXPECT_FALSE(will->retain);
    EXPECT_EQ(will->qos, 0);
    (void)stage.until_attempt();
    stage.tell(transport::ConnectFailed{{LinkFailure::Class::person, 0x9A, "refused all the same"}});
    EXPECT_EQ(stage.forwarder.status().state, BrokerState::refused);
}

TEST(Forwarder, RenewsAConnectionThatWasBeingMadeWithTheOldCredentials) {
    ForwarderStage stage;
    (void)stage.until_attempt();
    stage.forwarder.renew(stage.clock.now());
    stage.tell(transport::Connected{});
    stage.step();
    EXPECT_EQ(stage.disconnects, 1);
    stage.tell(transport::Disconnected{});
    stage.tell(transport::Connected{});
    EXPECT_EQ(stage.disconnects, 1);
}

TEST(Forwarder, GivesBackWhatIsReadyWhenARenewalDoesNotComeThrough) {
    ForwarderStage stage;
    stage.connect();
    stage.offer({1});
    stage.forwarder.renew(stage.clock.now());
    stage.step();
    stage.offer({2});
    stage.deliver(1);
    stage.tell(transport::Disconnected{});
    stage.tell(transport::ConnectFailed{passing()});
    EXPECT_EQ(stage.given_back, (Seqs{2}));
}

}  // namespace
}  // namespace holdfast
