#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "forward/forwarder_stage.hpp"

namespace holdfast {
namespace {

using namespace std::chrono_literals;
using namespace test;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(Forwarder, AsksForBatchesAsSoonAsItIsConnected) {
    ForwarderStage stage;
    EXPECT_EQ(stage.demanded, 0U);
    stage.connect();
    EXPECT_EQ(stage.demanded, 4U);
}

TEST(Forwarder, KeepsASmallBoundedReserveBeyondTheWindow) {
    ForwarderStage stage;
    stage.connect();
    std::uint64_t seq = 0;
    while (seq < stage.demanded) {
        ASSERT_LT(seq, 100U) << "demand without bound";
        stage.offer({++seq});
    }
    EXPECT_EQ(stage.published.size(), 4U);
    EXPECT_EQ(seq, 8U) << "a window in flight, and a window ready";
    const auto before = stage.demanded;
    for (std::uint64_t i = 1; i <= 4; ++i)
        stage.deliver(i);
    EXPECT_GT(stage.demanded, before);
    EXPECT_EQ(stage.published.size(), 8U) << "drains without new readings";
}

TEST(Forwarder, AcknowledgesWhatIsDeliveredAndCountsIt) {
    ForwarderStage stage;
    stage.connect();
    std::vector<Batch> batches{simple_batch(1, "host", 10), simple_batch(2, "host", 5)};
    stage.forwarder.offered(std::move(batches));
    stage.step();
    EXPECT_EQ(stage.forwarder.status().published_readings, 15U);
    EXPECT_EQ(stage.forwarder.status().in_flight, 2U);
    stage.deliver(2);
    stage.deliver(1);
    EXPECT_THAT(stage.acknowledged, ElementsAre(2, 1));
    EXPECT_EQ(stage.forwarder.status().acked_readings, 15U);
    EXPECT_EQ(stage.forwarder.status().acked_messages, 2U);
    EXPECT_EQ(stage.forwarder.status().in_flight, 0U);
}

TEST(Forwarder, SendsTheAcknowledgementsOfATurnTogether) {
    ForwarderStage stage;
    stage.connect();
    stage.offer({1, 2, 3});
    for (const std::uint64_t seq : {1U, 2U, 3U})
        stage.forwarder.told(transport::Delivered{stage.token_of(seq)}, stage.clock.now());
    int vectors = 0;
    for (const auto& action : stage.forwarder.step(stage.clock.now()))
        vectors += std::holds_alternative<action::Acknowledge>(action);
    EXPECT_EQ(vectors, 1);
}

TEST(Forwarder, ObeysTheReceiveMaximumOfTheBroker) {
    ForwarderStage stage;
    transport::Connected answer;
    answer.limits.receive_maximum = 2;
    stage.connect(answer);
    stage.offer({1, 2, 3, 4});
    EXPECT_THAT(stage.take_published(), ElementsAre(1, 2));
    stage.deliver(1);
    EXPECT_THAT(stage.take_published(), ElementsAre(3));
    stage.tell(transport::ConnectionLost{passing()});
    stage.connect({.session_present = true, .limits = {}});
    stage.offer({5, 6});
    EXPECT_THAT(stage.take_published(), ElementsAre(5, 6)) << "the limit is the connection's";
}

TEST(Forwarder, LowersQosAndRetainToWhatTheBrokerTakes) {
    BrokerConfig config = broker_config();
    config.qos = 2;
    config.retain = true;
    ForwarderStage stage(config);
    transport::Connected answer;
    answer.limits.maximum_qos = 0;
    answer.limits.retain_available = false;
    stage.connect(answer);
    stage.offer({1});
    ASSERT_EQ(stage.messages.size(), 2U);
    for (const auto& publish : stage.messages) {
        EXPECT_EQ(publish.message.qos, 0);
        EXPECT_FALSE(publish.message.retain);
    }
    EXPECT_TRUE(stage.log.has("QoS 0 at most")) << stage.log.text();
}

TEST(Forwarder, SendsWithTheConfiguredQosRetainAndTopic) {
    for (const int qos : {0, 1, 2}) {
        BrokerConfig config = without_status();
        config.qos = qos;
        config.retain = qos == 1;
        config.topic = "plant/{input}/{agent}";
        ForwarderStage stage(config);
        stage.connect();
        stage.offer({1});
        ASSERT_EQ(stage.messages.size(), 1U);
        EXPECT_EQ(stage.messages[0].message.qos, qos);
        EXPECT_EQ(stage.messages[0].message.retain, qos == 1);
        EXPECT_EQ(stage.messages[0].message.topic, "plant/host/gw-17");
        stage.deliver(1);
        EXPECT_THAT(stage.acknowledged, ElementsAre(1));
    }
}

TEST(Forwarder, SendsAgainInOrderAndFirstWhenTheSessionIsLost) {
    ForwarderStage stage;
    stage.connect();
    stage.offer({30, 10, 40, 20, 5});
    EXPECT_THAT(stage.take_published(), ElementsAre(30, 10, 40, 20));
    const auto first = stage.messages;
    stage.deliver(40);
    EXPECT_THAT(stage.take_published(), ElementsAre(5));
    stage.tell(transport::ConnectionLost{passing()});
    (void)stage.until_attempt();
    stage.tell(transport::Connected{});
    EXPECT_THAT(stage.take_published(), ElementsAre(5, 10, 20, 30));
    EXPECT_EQ(stage.messages.back().message.payload, first[0].message.payload) << "the same bytes";
    EXPECT_GT(stage.messages.back().token, first.back().token);
    stage.offer({50});
    EXPECT_THAT(stage.take_published(), IsEmpty());
    stage.deliver(5);
    EXPECT_THAT(stage.take_published(), ElementsAre(50));
}

TEST(Forwarder, LeavesWhatIsInFlightToTheTransportWhenTheSessionIsKept) {
    ForwarderStage stage;
    stage.connect();
    stage.offer({1, 2});
    stage.tell(transport::ConnectionLost{passing()});
    (void)stage.take_published();
    stage.connect({.session_present = true, .limits = {}});
    EXPECT_THAT(stage.take_published(), IsEmpty());
    stage.deliver(1);
    stage.deliver(2);
    EXPECT_THAT(stage.acknowledged, ElementsAre(1, 2));
}

TEST(Forwarder, LeavesASessionItDidNotAskFor) {
    ForwarderStage stage(without_status(broker_config(2)));
    stage.connect();
    stage.offer({1});
    stage.tell(transport::ConnectionLost{passing()});
    (void)stage.take_published();
    (void)stage.until_attempt();
    ASSERT_TRUE(stage.connects.back().clean_start);
    stage.tell(transport::Connected{.session_present = true, .limits = {}, .tls = {}});
    EXPECT_EQ(stage.drops, 1);
    EXPECT_EQ(stage.forwarder.status().state, BrokerState::waiting);
    EXPECT_THAT(stage.forwarder.status().last_error, ::testing::HasSubstr("a new one was asked for"));
    EXPECT_THAT(stage.take_published(), IsEmpty());
    stage.connect();
    EXPECT_THAT(stage.take_published(), ElementsAre(1));
}

TEST(Forwarder, DoesNotTrustASessionItDidNotAskForBy3_1_1) {
    BrokerConfig config = without_status(broker_config(2));
    config.protocol = Protocol::v3_1_1;
    ForwarderStage stage(config);
    stage.connect();
    stage.offer({1});
    stage.tell(transport::ConnectionLost{passing()});
    (void)stage.take_published();
    stage.connect({.session_present = true, .limits = {}});
    ASSERT_EQ(stage.connects.back().server, 1U);
    EXPECT_THAT(stage.take_published(), ElementsAre(1));
}

TEST(Forwarder, SendsAQosZeroMessageAgainEvenWhenTheSessionIsKept) {
    BrokerConfig config = without_status();
    config.qos = 0;
    ForwarderStage stage(config);
    stage.connect();
    stage.offer({1});
    stage.tell(transport::ConnectionLost{passing()});
    (void)stage.take_published();
    stage.connect({.session_present = true, .limits = {}});
    EXPECT_THAT(stage.take_published(), ElementsAre(1));
}

TEST(Forwarder, SendsAgainWhatTheTransportLost) {
    ForwarderStage stage;
    stage.connect();
    stage.offer({1});
    (void)stage.take_published();
    stage.fail(1, -11);
    EXPECT_THAT(stage.take_published(), IsEmpty()) << "not in a hot loop";
    stage.pass(100ms);
    EXPECT_THAT(stage.take_published(), ElementsAre(1));
    stage.deliver(1);
    EXPECT_THAT(stage.acknowledged, ElementsAre(1));
}

TEST(Forwarder, TriesAgainWhenTheTransportDoesNotTakeAMessage) {
    ForwarderStage stage;
    stage.connect();
    stage.offer({1, 2});
    stage.forwarder.not_taken(stage.token_of(1), stage.clock.now());
    (void)stage.take_published();
    stage.pass(1s);
    EXPECT_THAT(stage.take_published(), ElementsAre(1));
}

TEST(Forwarder, ShrugsOffAnswersThatComeLateTwiceOrUnasked) {
    ForwarderStage stage;
    stage.connect();
    stage.offer({1, 2});
    const auto old_token = stage.token_of(2);
    stage.deliver(1);
    stage.deliver(1);
    stage.fail(1, 0x87);
    stage.tell(transport::Delivered{9'999});
    stage.tell(transport::ConnectionLost{passing()});
    stage.tell(transport::ConnectionLost{passing("again")});
    stage.connect();
    const auto published = stage.published.size();
    stage.tell(transport::DeliveryFailed{old_token, -11, "session lost"});
    stage.pass(5s);
    EXPECT_EQ(stage.published.size(), published) << "the failure is that of the message before the reconnect";
    stage.deliver(2);
    EXPECT_THAT(stage.acknowledged, ElementsAre(1, 2));
    EXPECT_EQ(stage.forwarder.status().refused_messages, 0U);
}

TEST(Forwarder, GivesBackWhatWasNotSentWhenTheLinkIsLost) {
    ForwarderStage stage;
    stage.connect();
    stage.offer({1, 2, 3, 4, 5, 6});
    stage.tell(transport::ConnectionLost{passing()});
    EXPECT_THAT(stage.given_back, ElementsAre(5, 6));
    stage.offer({7});
    EXPECT_THAT(stage.given_back, ElementsAre(5, 6, 7)) << "the offer crossed the news";
}

TEST(Forwarder, AsksAgainForAsManyAsItGaveBack) {
    ForwarderStage stage;
    stage.connect();
    stage.offer({1, 2, 3, 4});
    ASSERT_EQ(stage.demanded, 8U);
    stage.offer({5, 6, 7, 8});
    ASSERT_EQ(stage.demanded, 8U);
    stage.tell(transport::ConnectionLost{passing()});
    stage.connect();
    EXPECT_EQ(stage.demanded, 12U);
}

TEST(Forwarder, LeavesABrokerThatNeverAcknowledges) {
    ForwarderStage stage;
    stage.connect();
    stage.pass(5min);
    EXPECT_EQ(stage.drops, 0) << "nothing was in flight";
    stage.offer({1});
    stage.pass(29s);
    stage.offer({2});
    EXPECT_EQ(stage.drops, 0);
    stage.pass(1s);
    EXPECT_EQ(stage.drops, 1);
    EXPECT_TRUE(stage.log.has("lost: no acknowledgement for 30 s")) << stage.log.text();
    EXPECT_THAT(stage.links, ElementsAre(true, false));
    (void)stage.take_published();
    stage.connect({.session_present = true, .limits = {}});
    stage.deliver(1);
    stage.deliver(2);
    EXPECT_THAT(stage.acknowledged, ElementsAre(1, 2));
}

TEST(Forwarder, StaysWithABrokerThatAcknowledgesSlowly) {
    ForwarderStage stage;
    stage.connect();
    stage.offer({1, 2, 3, 4});
    for (const std::uint64_t seq : {1U, 2U, 3U, 4U}) {
        stage.pass(29s);
        stage.deliver(seq);
    }
    EXPECT_EQ(stage.drops, 0);
}

TEST(Forwarder, StartsCleanAfterTwoLinksWithoutAnyAcknowledgement) {
    ForwarderStage stage;
    stage.connect();
    stage.offer({1});
    stage.pass(30s);
    (void)stage.until_attempt();
    EXPECT_FALSE(stage.connects.back().clean_start);
    stage.tell(transport::Connected{.session_present = true, .limits = {}});
    stage.pass(30s);
    EXPECT_EQ(stage.drops, 2);
    (void)stage.take_published();
    (void)stage.until_attempt();
    EXPECT_TRUE(stage.connects.back().clean_start);
    stage.tell(transport::Connected{});
    EXPECT_THAT(stage.take_published(), ElementsAre(1));
}

TEST(Forwarder, CountsNonFiniteNumbersOnceAMessage) {
    BatchMaker maker("host");
    const auto channel = maker.channel("v", ValueType::f64);
    maker.add(0, {Value::of(channel, std::numeric_limits<double>::quiet_NaN())});
    ForwarderStage stage;
    stage.connect();
    stage.forwarder.offered({maker.batch(1)});
    stage.step();
    stage.tell(transport::ConnectionLost{passing()});
    stage.connect();
    EXPECT_EQ(stage.published.size(), 2U);
    EXPECT_EQ(stage.forwarder.status().non_finite, 1U);
}

TEST(Forwarder, TellsWhatAMessageHoldsBesideItByMqtt5Only) {
    BrokerConfig config = without_status();
    config.message_expiry = 3600;
    config.properties = true;
    for (const Protocol protocol : {Protocol::v5, Protocol::v3_1_1}) {
        config.protocol = protocol;
        ForwarderStage stage(config);
        stage.connect();
        stage.offer({7});
        ASSERT_EQ(stage.messages.size(), 1u);
        const Message& message = stage.messages.front().message;
        if (protocol == Protocol::v3_1_1) {
            EXPECT_TRUE(message.content_type.empty() && message.user.empty() && !message.expiry_s);
            continue;
        }
        const auto payload = nlohmann::json::parse(message.payload);
        EXPECT_EQ(message.content_type, "application/json");
        EXPECT_EQ(message.expiry_s, 3600u);
        ASSERT_EQ(message.user.size(), 4u);
        EXPECT_EQ(message.user[0], std::pair(std::string("id"), payload["id"].get<std::string>()));
        EXPECT_EQ(message.user[3].second, std::to_string(payload["readings"].size()));
    }
}

}  // namespace
}  // namespace holdfast
