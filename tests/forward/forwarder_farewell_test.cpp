// What the forwarder says of itself: online, and offline when it leaves.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "forward/forwarder_stage.hpp"

namespace holdfast {
namespace {

using namespace std::chrono_literals;
using namespace test;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(Forwarder, SaysOnlineFirstAndRetained) {
    ForwarderStage stage(broker_config());
    stage.connect();
    stage.offer({1});
    ASSERT_EQ(stage.messages.size(), 2U);
    EXPECT_EQ(stage.messages[0].message.topic, "holdfast/gw-17/status");
    EXPECT_TRUE(stage.messages[0].message.retain);
    EXPECT_EQ(stage.messages[0].message.qos, 1);
    EXPECT_THAT(stage.statuses, ElementsAre("online"));
    stage.tell(transport::Delivered{stage.status_token});
    EXPECT_THAT(stage.acknowledged, IsEmpty());
    EXPECT_EQ(stage.forwarder.status().acked_messages, 0U);
    stage.tell(transport::ConnectionLost{passing()});
    stage.connect();
    EXPECT_THAT(stage.statuses, ElementsAre("online", "online"));
}

TEST(Forwarder, CountsTheStatusMessageInTheWindow) {
    ForwarderStage stage(broker_config());
    transport::Connected answer;
    answer.limits.receive_maximum = 1;
    stage.connect(answer);
    stage.offer({1});
    EXPECT_THAT(stage.take_published(), IsEmpty());
    stage.tell(transport::Delivered{stage.status_token});
    EXPECT_THAT(stage.take_published(), ElementsAre(1));
}

TEST(Forwarder, GoesOnWhenTheStatusMessageIsRefused) {
    ForwarderStage stage(broker_config());
    stage.connect();
    stage.tell(transport::DeliveryFailed{stage.status_token, 0x87, "not authorised (0x87)"});
    stage.offer({1});
    stage.deliver(1);
    stage.pass(10min);
    EXPECT_THAT(stage.acknowledged, ElementsAre(1));
    EXPECT_EQ(stage.statuses.size(), 1U);
    EXPECT_EQ(stage.drops, 0);
    EXPECT_EQ(stage.log.count("refuses the status message"), 1U);
}

TEST(Forwarder, HasAWillThatSaysOffline) {
    const ForwarderStage stage(broker_config());
    const auto will = stage.forwarder.status_message(AgentState::offline);
    ASSERT_TRUE(will);
    EXPECT_TRUE(will->retain);
    EXPECT_EQ(nlohmann::json::parse(will->payload)["state"], "offline");
    EXPECT_EQ(ForwarderStage(without_status()).forwarder.status_message(AgentState::offline), std::nullopt);
}

TEST(Forwarder, StopsAtOnceWhileItIsNotConnected) {
    ForwarderStage stage(broker_config());
    stage.forwarder.stop(10s, stage.clock.now());
    EXPECT_TRUE(stage.forwarder.stopped());
    ForwarderStage connecting(broker_config());
    (void)connecting.until_attempt();
    connecting.forwarder.stop(10s, connecting.clock.now());
    connecting.step();
    EXPECT_TRUE(connecting.forwarder.stopped());
    EXPECT_EQ(connecting.drops, 1);
}

TEST(Forwarder, FinishesWhatIsInFlightThenSaysOfflineThenDisconnects) {
    ForwarderStage stage(broker_config());
    stage.connect();
    stage.tell(transport::Delivered{stage.status_token});
    stage.offer({1, 2, 3, 4, 5});
    stage.forwarder.stop(2s, stage.clock.now());
    stage.step();
    EXPECT_THAT(stage.given_back, ElementsAre(5)) << "nothing new is sent";
    for (const std::uint64_t seq : {1U, 2U, 3U, 4U}) {
        EXPECT_THAT(stage.statuses, ElementsAre("online"));
        stage.deliver(seq);
    }
    EXPECT_THAT(stage.statuses, ElementsAre("online", "offline"));
    EXPECT_EQ(stage.disconnects, 0);
    stage.tell(transport::Delivered{stage.status_token});
    EXPECT_EQ(stage.disconnects, 1);
    EXPECT_FALSE(stage.forwarder.stopped());
    stage.tell(transport::Disconnected{});
    EXPECT_TRUE(stage.forwarder.stopped());
    EXPECT_THAT(stage.acknowledged, ElementsAre(1, 2, 3, 4));
    EXPECT_EQ(stage.drops, 0);
}

TEST(Forwarder, GivesBackWhatIsNotAcknowledgedWithinTheGrace) {
    ForwarderStage stage(broker_config());
    stage.connect();
    stage.tell(transport::Delivered{stage.status_token});
    stage.offer({1, 2});
    stage.forwarder.stop(2s, stage.clock.now());
    stage.step();
    stage.pass(1999ms);
    EXPECT_THAT(stage.statuses, ElementsAre("online"));
    stage.pass(1ms);
    EXPECT_THAT(stage.statuses, ElementsAre("online", "offline"));
    stage.tell(transport::Delivered{stage.status_token});
    stage.tell(transport::Disconnected{});
    EXPECT_TRUE(stage.forwarder.stopped());
    EXPECT_THAT(stage.given_back, ElementsAre(1, 2));
}

TEST(Forwarder, LeavesTheFarewellToTheWillWhenTheBrokerIsSilent) {
    ForwarderStage stage(broker_config());
    stage.connect();
    stage.tell(transport::Delivered{stage.status_token});
    stage.forwarder.stop(0s, stage.clock.now());
    stage.step();
    stage.pass(1s);
    EXPECT_TRUE(stage.forwarder.stopped());
    EXPECT_EQ(stage.drops, 1);
    EXPECT_EQ(stage.disconnects, 0) << "the broker would keep the online status";
}

TEST(Forwarder, StopsWhenTheLinkIsLostMeanwhile) {
    ForwarderStage stage;
    stage.connect();
    stage.offer({1});
    stage.forwarder.stop(10s, stage.clock.now());
    stage.tell(transport::ConnectionLost{passing()});
    EXPECT_TRUE(stage.forwarder.stopped());
    EXPECT_THAT(stage.given_back, ElementsAre(1));
}

TEST(Forwarder, StopsEvenIfDisconnectIsNeverAnswered) {
    ForwarderStage stage;
    stage.connect();
    stage.forwarder.stop(10s, stage.clock.now());
    stage.step();
    EXPECT_EQ(stage.disconnects, 1) << "nothing in flight: no need for the grace";
    stage.pass(1s);
    EXPECT_TRUE(stage.forwarder.stopped());
}

}  // namespace
}  // namespace holdfast
