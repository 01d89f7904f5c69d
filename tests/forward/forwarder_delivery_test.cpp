#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "forward/forwarder_stage.hpp"
#include "forward/reason_codes.hpp"
#include "model/split.hpp"

namespace holdfast {
namespace {

using namespace std::chrono_literals;
using namespace test;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

transport::Connected limited_to(std::uint32_t packet_bytes) {
    transport::Connected answer;
    answer.limits.maximum_packet_size = packet_bytes;
    return answer;
}

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

// --- refusals

TEST(Forwarder, SetsARefusedMessageAsideAndSendsThoseBehindIt) {
    for (const int code : {0x87, 0x90, 0x95, 0x99}) {
        BrokerConfig config = without_status();
        config.max_in_flight = 1;
        ForwarderStage stage(config);
        stage.connect();
        stage.offer({1, 2});
        stage.fail(1, code);
        EXPECT_THAT(stage.take_published(), ElementsAre(1, 2)) << code;
        stage.deliver(2);
        EXPECT_THAT(stage.acknowledged, ElementsAre(2)) << "the buffer keeps what was refused";
        ASSERT_THAT(stage.refused, ElementsAre(1));
        EXPECT_EQ(stage.refusals[0].code, code);
        EXPECT_EQ(stage.refusals[0].times, 1U);
        EXPECT_EQ(stage.refusals[0].text, "the broker refuses it: said no");
        EXPECT_EQ(stage.forwarder.status().refused_messages, 1U);
        EXPECT_EQ(stage.forwarder.status().acked_readings, 1U);
    }
}

TEST(Forwarder, TriesTenTimesWhatIsRefusedForAPassingReason) {
    for (const int code : {0x80, 0x83, 0x97}) {
        ForwarderStage stage;
        stage.connect();
        stage.offer({1});
        for (int i = 0; i < 9; ++i) {
            stage.fail(1, code);
            EXPECT_EQ(stage.published.size(), static_cast<std::size_t>(i + 1)) << "it rests first";
            stage.pass(std::chrono::seconds(1 << i));
            ASSERT_EQ(stage.published.size(), static_cast<std::size_t>(i + 2));
        }
        EXPECT_EQ(stage.forwarder.status().refused_messages, 0U);
        stage.fail(1, code);
        EXPECT_THAT(stage.acknowledged, IsEmpty());
        ASSERT_THAT(stage.refused, ElementsAre(1));
        EXPECT_EQ(stage.refusals[0].times, 10U);
        EXPECT_EQ(stage.forwarder.status().published_readings, 1U) << "counted once";
        EXPECT_EQ(stage.drops, 0);
    }
}

TEST(Forwarder, SendsOthersWhileARefusedMessageRests) {
    BrokerConfig config = without_status();
    config.max_in_flight = 1;
    ForwarderStage stage(config);
    stage.connect();
    stage.offer({1, 2});
    stage.fail(1, 0x97);
    stage.deliver(2);
    stage.offer({3});
    stage.deliver(3);
    stage.pass(1s);
    EXPECT_THAT(stage.published, ElementsAre(1, 2, 3, 1));
}

TEST(Forwarder, HoldsABoundedNumberOfRestingMessages) {
    ForwarderStage stage;
    stage.connect();
    std::uint64_t seq = 0;
    for (int i = 0; i < 200; ++i) {
        while (seq < stage.demanded)
            stage.offer({++seq});
        const Seqs published = stage.take_published();
        for (const auto sent : published)
            stage.fail(sent, 0x97);
    }
    EXPECT_LE(seq, 4U * 4 + 2 * 4) << "four windows at rest, one in flight, one ready";
}

TEST(Forwarder, HasWhatIsTooLargeForTheBrokerSplitSoThatThePartsFit) {
    for (const bool properties : {false, true}) {
        BrokerConfig config = without_status();
        config.properties = properties;
        ForwarderStage stage(config);
        stage.connect(limited_to(600));
        const Batch batch = simple_batch(1, "host", 100);
        stage.forwarder.offered({batch, simple_batch(2)});
        stage.step();
        EXPECT_THAT(stage.take_published(), ElementsAre(2)) << "those behind it are not held up";
        EXPECT_THAT(stage.refused, IsEmpty());
        EXPECT_EQ(stage.forwarder.status().split_messages, 1U);
        ASSERT_EQ(stage.splits.size(), 1U);
        EXPECT_EQ(stage.splits[0].seq, 1U);
        auto parts = split_batch(batch, stage.splits[0].room);
        ASSERT_TRUE(parts);
        EXPECT_LT(parts->size(), 50U);
        std::uint64_t seq = std::numeric_limits<std::uint64_t>::max() - parts->size();
        for (Batch& part : *parts)
            part.header.seq = seq++;
        const std::size_t count = parts->size();
        stage.forwarder.offered(std::move(*parts));
        stage.step();
        while (stage.published.size() < count && !stage.tokens.empty()) {
            const std::size_t before = stage.published.size();
            for (const auto& [known, token] : std::map(stage.tokens))
                stage.deliver(known);
            ASSERT_GT(stage.published.size(), before);
        }
        EXPECT_EQ(stage.published.size(), count);
        EXPECT_EQ(stage.splits.size(), 1U);
    }
}

TEST(Forwarder, SetsAsideASingleReadingThatIsTooLarge) {
    ForwarderStage stage;
    stage.connect(limited_to(100));
    stage.forwarder.offered({simple_batch(1)});
    stage.step();
    ASSERT_THAT(stage.refused, ElementsAre(1));
    EXPECT_EQ(stage.refusals[0].code, 0x95);
    EXPECT_NE(stage.refusals[0].text.find("larger than the 100 that the broker takes"), std::string::npos);
    EXPECT_TRUE(stage.log.has("larger than the 100 that the broker takes")) << stage.log.text();
    EXPECT_EQ(stage.forwarder.status().published_readings, 0U);
}

TEST(Forwarder, DoesNotSplitWhatWasSentToABrokerThatTakesMore) {
    ForwarderStage stage;
    stage.connect();
    stage.forwarder.offered({simple_batch(1, "host", 100)});
    stage.step();
    EXPECT_THAT(stage.take_published(), ElementsAre(1));
    stage.tell(transport::ConnectionLost{passing()});
    stage.connect(limited_to(600));
    EXPECT_THAT(stage.published, IsEmpty());
    EXPECT_THAT(stage.splits, IsEmpty()) << "its id and its bytes may be known already";
    EXPECT_THAT(stage.refused, ElementsAre(1));
}

TEST(Forwarder, BlamesTheLargestInFlightWhenTheBrokerEndsTheLinkForASize) {
    ForwarderStage stage;
    stage.connect();
    stage.forwarder.offered({simple_batch(1), simple_batch(2, "host", 100), simple_batch(3)});
    stage.step();
    EXPECT_THAT(stage.take_published(), ElementsAre(1, 2, 3));
    stage.tell(transport::ConnectionLost{disconnect_failure(0x95)});
    ASSERT_THAT(stage.refused, ElementsAre(2));
    EXPECT_EQ(stage.refusals[0].code, 0x95);
    EXPECT_NE(stage.forwarder.status().state, BrokerState::refused) << "it comes back soon";
    stage.connect();
    EXPECT_TRUE(stage.connects.back().clean_start) << "or the session would send it again";
    EXPECT_THAT(stage.take_published(), ElementsAre(1, 3));
    stage.forwarder.offered({simple_batch(4, "host", 100)});
    stage.step();
    EXPECT_THAT(stage.take_published(), IsEmpty());
    ASSERT_EQ(stage.splits.size(), 1U) << "what is as large is not tried";
    EXPECT_EQ(stage.splits[0].seq, 4U);
}

TEST(Forwarder, LearnsTheLimitFromAMessageThatIsRefusedForItsSize) {
    ForwarderStage stage;
    stage.connect();
    stage.forwarder.offered({simple_batch(1, "host", 100)});
    stage.step();
    stage.fail(1, 0x95);
    EXPECT_THAT(stage.refused, ElementsAre(1));
    stage.forwarder.offered({simple_batch(2, "host", 100), simple_batch(3, "host", 50)});
    stage.step();
    ASSERT_EQ(stage.splits.size(), 1U);
    EXPECT_EQ(stage.splits[0].seq, 2U);
    EXPECT_THAT(stage.take_published(), ElementsAre(1, 3));
    EXPECT_GT(stage.forwarder.status().payload_limit, 0U);
}

TEST(Forwarder, GivesNothingUpForALimitThatItOnlyLearnt) {
    ForwarderStage stage;
    stage.connect();
    stage.offer({1});
    stage.fail(1, 0x95);
    stage.offer({2});
    EXPECT_THAT(stage.take_published(), ElementsAre(1, 2)) << "as large, but one reading can't be split";
    EXPECT_THAT(stage.refused, ElementsAre(1));
}

TEST(Forwarder, SendsWhatJustFitsThePacketLimit) {
    const Batch batch = simple_batch(1, "host", 10);
    BrokerConfig config = without_status();
    config.properties = true;
    ForwarderStage probe(config);
    probe.connect();
    probe.forwarder.offered({batch});
    probe.step();
    const auto& message = probe.messages.at(0).message;
    ASSERT_GT(message.payload.size(), 127U);
    // The QoS 1 PUBLISH: fixed header 1 + 2, length of the topic 2, topic, packet id 2, length of the
    // properties 1, content type 3 and its text, each user property 5 and its texts, payload.
    std::size_t properties = 3 + message.content_type.size();
    for (const auto& [name, value] : message.user)
        properties += 5 + name.size() + value.size();
    ASSERT_LT(properties, 128U);
    const std::size_t packet = 3 + 2 + message.topic.size() + 2 + 1 + properties + message.payload.size();
    for (const std::size_t limit : {packet, packet - 1}) {
        ForwarderStage stage(config);
        transport::Connected answer;
        answer.limits.maximum_packet_size = static_cast<std::uint32_t>(limit);
        stage.connect(answer);
        stage.forwarder.offered({batch});
        stage.step();
        EXPECT_EQ(stage.published.size(), limit == packet ? 1U : 0U);
        EXPECT_EQ(stage.splits.size(), limit == packet ? 0U : 1U);
    }
}

TEST(Forwarder, SetsABatchAsideThatItCannotRead) {
    ForwarderStage stage;
    stage.connect();
    Batch damaged = simple_batch(1);
    damaged.body = "\x7F";
    stage.forwarder.offered({std::move(damaged), simple_batch(2)});
    stage.step();
    EXPECT_THAT(stage.take_published(), ElementsAre(2));
    EXPECT_EQ(stage.forwarder.status().refused_messages, 1U);
}

TEST(Forwarder, SetsABatchAsideWithoutTheTagThatTheTopicNeeds) {
    BrokerConfig config = without_status();
    config.topic = "x/{tag:site}";
    ForwarderStage stage(config);
    stage.connect();
    stage.offer({1});
    EXPECT_EQ(stage.forwarder.status().refused_messages, 1U);
    EXPECT_TRUE(stage.log.has("site")) << stage.log.text();
}

TEST(Forwarder, LogsRefusalsOnceAnHourAndNamesTheInput) {
    ForwarderStage stage;
    stage.connect();
    for (std::uint64_t seq = 1; seq <= 100; ++seq) {
        stage.offer({seq});
        stage.fail(seq, 0x99);
    }
    ASSERT_EQ(stage.log.count("set aside"), 1U) << stage.log.text();
    EXPECT_EQ(stage.log.entries().back().fields.at("INPUT"), "host");
    stage.clock.advance(1h);
    stage.offer({101});
    stage.fail(101, 0x99);
    EXPECT_TRUE(stage.log.has("set aside 100 message(s)")) << stage.log.text();
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
