#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "forward/forwarder_bench.hpp"
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
    Bench bench;
    EXPECT_EQ(bench.demanded, 0U);
    bench.connect();
    EXPECT_EQ(bench.demanded, 4U);
}

TEST(Forwarder, KeepsASmallBoundedReserveBeyondTheWindow) {
    Bench bench;
    bench.connect();
    std::uint64_t seq = 0;
    while (seq < bench.demanded) {
        ASSERT_LT(seq, 100U) << "demand without bound";
        bench.offer({++seq});
    }
    EXPECT_EQ(bench.published.size(), 4U);
    EXPECT_EQ(seq, 8U) << "a window in flight, and a window ready";
    const auto before = bench.demanded;
    for (std::uint64_t i = 1; i <= 4; ++i)
        bench.deliver(i);
    EXPECT_GT(bench.demanded, before);
    EXPECT_EQ(bench.published.size(), 8U) << "drains without new readings";
}

TEST(Forwarder, AcknowledgesWhatIsDeliveredAndCountsIt) {
    Bench bench;
    bench.connect();
    std::vector<Batch> batches{simple_batch(1, "host", 10), simple_batch(2, "host", 5)};
    bench.forwarder.offered(std::move(batches));
    bench.step();
    EXPECT_EQ(bench.forwarder.status().published_readings, 15U);
    EXPECT_EQ(bench.forwarder.status().in_flight, 2U);
    bench.deliver(2);
    bench.deliver(1);
    EXPECT_THAT(bench.acknowledged, ElementsAre(2, 1));
    EXPECT_EQ(bench.forwarder.status().acked_readings, 15U);
    EXPECT_EQ(bench.forwarder.status().acked_messages, 2U);
    EXPECT_EQ(bench.forwarder.status().in_flight, 0U);
}

TEST(Forwarder, SendsTheAcknowledgementsOfATurnTogether) {
    Bench bench;
    bench.connect();
    bench.offer({1, 2, 3});
    for (const std::uint64_t seq : {1U, 2U, 3U})
        bench.forwarder.told(transport::Delivered{bench.token_of(seq)}, bench.clock.now());
    int vectors = 0;
    for (const auto& action : bench.forwarder.step(bench.clock.now()))
        vectors += std::holds_alternative<action::Acknowledge>(action);
    EXPECT_EQ(vectors, 1);
}

TEST(Forwarder, ObeysTheReceiveMaximumOfTheBroker) {
    Bench bench;
    transport::Connected answer;
    answer.limits.receive_maximum = 2;
    bench.connect(answer);
    bench.offer({1, 2, 3, 4});
    EXPECT_THAT(bench.take_published(), ElementsAre(1, 2));
    bench.deliver(1);
    EXPECT_THAT(bench.take_published(), ElementsAre(3));
    bench.tell(transport::ConnectionLost{passing()});
    bench.connect({.session_present = true, .limits = {}});
    bench.offer({5, 6});
    EXPECT_THAT(bench.take_published(), ElementsAre(5, 6)) << "the limit is the connection's";
}

TEST(Forwarder, LowersQosAndRetainToWhatTheBrokerTakes) {
    BrokerConfig config = broker_config();
    config.qos = 2;
    config.retain = true;
    Bench bench(config);
    transport::Connected answer;
    answer.limits.maximum_qos = 0;
    answer.limits.retain_available = false;
    bench.connect(answer);
    bench.offer({1});
    ASSERT_EQ(bench.messages.size(), 2U);
    for (const auto& publish : bench.messages) {
        EXPECT_EQ(publish.message.qos, 0);
        EXPECT_FALSE(publish.message.retain);
    }
    EXPECT_TRUE(bench.log.has("QoS 0 at most")) << bench.log.text();
}

TEST(Forwarder, SendsWithTheConfiguredQosRetainAndTopic) {
    for (const int qos : {0, 1, 2}) {
        BrokerConfig config = without_status();
        config.qos = qos;
        config.retain = qos == 1;
        config.topic = "plant/{input}/{agent}";
        Bench bench(config);
        bench.connect();
        bench.offer({1});
        ASSERT_EQ(bench.messages.size(), 1U);
        EXPECT_EQ(bench.messages[0].message.qos, qos);
        EXPECT_EQ(bench.messages[0].message.retain, qos == 1);
        EXPECT_EQ(bench.messages[0].message.topic, "plant/host/gw-17");
        bench.deliver(1);
        EXPECT_THAT(bench.acknowledged, ElementsAre(1));
    }
}

TEST(Forwarder, SendsAgainInOrderAndFirstWhenTheSessionIsLost) {
    Bench bench;
    bench.connect();
    bench.offer({30, 10, 40, 20, 5});
    EXPECT_THAT(bench.take_published(), ElementsAre(30, 10, 40, 20));
    const auto first = bench.messages;
    bench.deliver(40);
    EXPECT_THAT(bench.take_published(), ElementsAre(5));
    bench.tell(transport::ConnectionLost{passing()});
    (void)bench.until_attempt();
    bench.tell(transport::Connected{});
    EXPECT_THAT(bench.take_published(), ElementsAre(5, 10, 20, 30));
    EXPECT_EQ(bench.messages.back().message.payload, first[0].message.payload) << "the same bytes";
    EXPECT_GT(bench.messages.back().token, first.back().token);
    bench.offer({50});
    EXPECT_THAT(bench.take_published(), IsEmpty());
    bench.deliver(5);
    EXPECT_THAT(bench.take_published(), ElementsAre(50));
}

TEST(Forwarder, LeavesWhatIsInFlightToTheTransportWhenTheSessionIsKept) {
    Bench bench;
    bench.connect();
    bench.offer({1, 2});
    bench.tell(transport::ConnectionLost{passing()});
    (void)bench.take_published();
    bench.connect({.session_present = true, .limits = {}});
    EXPECT_THAT(bench.take_published(), IsEmpty());
    bench.deliver(1);
    bench.deliver(2);
    EXPECT_THAT(bench.acknowledged, ElementsAre(1, 2));
}

TEST(Forwarder, LeavesASessionItDidNotAskFor) {
    Bench bench(without_status(broker_config(2)));
    bench.connect();
    bench.offer({1});
    bench.tell(transport::ConnectionLost{passing()});
    (void)bench.take_published();
    (void)bench.until_attempt();
    ASSERT_TRUE(bench.connects.back().clean_start);
    bench.tell(transport::Connected{.session_present = true, .limits = {}, .tls = {}});
    EXPECT_EQ(bench.drops, 1);
    EXPECT_EQ(bench.forwarder.status().state, BrokerState::waiting);
    EXPECT_THAT(bench.forwarder.status().last_error, ::testing::HasSubstr("a new one was asked for"));
    EXPECT_THAT(bench.take_published(), IsEmpty());
    bench.connect();
    EXPECT_THAT(bench.take_published(), ElementsAre(1));
}

TEST(Forwarder, DoesNotTrustASessionItDidNotAskForBy3_1_1) {
    BrokerConfig config = without_status(broker_config(2));
    config.protocol = Protocol::v3_1_1;
    Bench bench(config);
    bench.connect();
    bench.offer({1});
    bench.tell(transport::ConnectionLost{passing()});
    (void)bench.take_published();
    bench.connect({.session_present = true, .limits = {}});
    ASSERT_EQ(bench.connects.back().server, 1U);
    EXPECT_THAT(bench.take_published(), ElementsAre(1));
}

TEST(Forwarder, SendsAQosZeroMessageAgainEvenWhenTheSessionIsKept) {
    BrokerConfig config = without_status();
    config.qos = 0;
    Bench bench(config);
    bench.connect();
    bench.offer({1});
    bench.tell(transport::ConnectionLost{passing()});
    (void)bench.take_published();
    bench.connect({.session_present = true, .limits = {}});
    EXPECT_THAT(bench.take_published(), ElementsAre(1));
}

TEST(Forwarder, SendsAgainWhatTheTransportLost) {
    Bench bench;
    bench.connect();
    bench.offer({1});
    (void)bench.take_published();
    bench.fail(1, -11);
    EXPECT_THAT(bench.take_published(), IsEmpty()) << "not in a hot loop";
    bench.pass(100ms);
    EXPECT_THAT(bench.take_published(), ElementsAre(1));
    bench.deliver(1);
    EXPECT_THAT(bench.acknowledged, ElementsAre(1));
}

TEST(Forwarder, TriesAgainWhenTheTransportDoesNotTakeAMessage) {
    Bench bench;
    bench.connect();
    bench.offer({1, 2});
    bench.forwarder.not_taken(bench.token_of(1), bench.clock.now());
    (void)bench.take_published();
    bench.pass(1s);
    EXPECT_THAT(bench.take_published(), ElementsAre(1));
}

TEST(Forwarder, ShrugsOffAnswersThatComeLateTwiceOrUnasked) {
    Bench bench;
    bench.connect();
    bench.offer({1, 2});
    const auto old_token = bench.token_of(2);
    bench.deliver(1);
    bench.deliver(1);
    bench.fail(1, 0x87);
    bench.tell(transport::Delivered{9'999});
    bench.tell(transport::ConnectionLost{passing()});
    bench.tell(transport::ConnectionLost{passing("again")});
    bench.connect();
    const auto published = bench.published.size();
    bench.tell(transport::DeliveryFailed{old_token, -11, "session lost"});
    bench.pass(5s);
    EXPECT_EQ(bench.published.size(), published) << "the failure is that of the message before the reconnect";
    bench.deliver(2);
    EXPECT_THAT(bench.acknowledged, ElementsAre(1, 2));
    EXPECT_EQ(bench.forwarder.status().refused_messages, 0U);
}

TEST(Forwarder, GivesBackWhatWasNotSentWhenTheLinkIsLost) {
    Bench bench;
    bench.connect();
    bench.offer({1, 2, 3, 4, 5, 6});
    bench.tell(transport::ConnectionLost{passing()});
    EXPECT_THAT(bench.given_back, ElementsAre(5, 6));
    bench.offer({7});
    EXPECT_THAT(bench.given_back, ElementsAre(5, 6, 7)) << "the offer crossed the news";
}

TEST(Forwarder, AsksAgainForAsManyAsItGaveBack) {
    Bench bench;
    bench.connect();
    bench.offer({1, 2, 3, 4});
    ASSERT_EQ(bench.demanded, 8U);
    bench.offer({5, 6, 7, 8});
    ASSERT_EQ(bench.demanded, 8U);
    bench.tell(transport::ConnectionLost{passing()});
    bench.connect();
    EXPECT_EQ(bench.demanded, 12U);
}

TEST(Forwarder, LeavesABrokerThatNeverAcknowledges) {
    Bench bench;
    bench.connect();
    bench.pass(5min);
    EXPECT_EQ(bench.drops, 0) << "nothing was in flight";
    bench.offer({1});
    bench.pass(29s);
    bench.offer({2});
    EXPECT_EQ(bench.drops, 0);
    bench.pass(1s);
    EXPECT_EQ(bench.drops, 1);
    EXPECT_TRUE(bench.log.has("lost: no acknowledgement for 30 s")) << bench.log.text();
    EXPECT_THAT(bench.links, ElementsAre(true, false));
    (void)bench.take_published();
    bench.connect({.session_present = true, .limits = {}});
    bench.deliver(1);
    bench.deliver(2);
    EXPECT_THAT(bench.acknowledged, ElementsAre(1, 2));
}

TEST(Forwarder, StaysWithABrokerThatAcknowledgesSlowly) {
    Bench bench;
    bench.connect();
    bench.offer({1, 2, 3, 4});
    for (const std::uint64_t seq : {1U, 2U, 3U, 4U}) {
        bench.pass(29s);
        bench.deliver(seq);
    }
    EXPECT_EQ(bench.drops, 0);
}

TEST(Forwarder, StartsCleanAfterTwoLinksWithoutAnyAcknowledgement) {
    Bench bench;
    bench.connect();
    bench.offer({1});
    bench.pass(30s);
    (void)bench.until_attempt();
    EXPECT_FALSE(bench.connects.back().clean_start);
    bench.tell(transport::Connected{.session_present = true, .limits = {}});
    bench.pass(30s);
    EXPECT_EQ(bench.drops, 2);
    (void)bench.take_published();
    (void)bench.until_attempt();
    EXPECT_TRUE(bench.connects.back().clean_start);
    bench.tell(transport::Connected{});
    EXPECT_THAT(bench.take_published(), ElementsAre(1));
}

// --- refusals

TEST(Forwarder, SetsARefusedMessageAsideAndSendsThoseBehindIt) {
    for (const int code : {0x87, 0x90, 0x95, 0x99}) {
        BrokerConfig config = without_status();
        config.max_in_flight = 1;
        Bench bench(config);
        bench.connect();
        bench.offer({1, 2});
        bench.fail(1, code);
        EXPECT_THAT(bench.take_published(), ElementsAre(1, 2)) << code;
        bench.deliver(2);
        EXPECT_THAT(bench.acknowledged, ElementsAre(2)) << "the buffer keeps what was refused";
        ASSERT_THAT(bench.refused, ElementsAre(1));
        EXPECT_EQ(bench.refusals[0].code, code);
        EXPECT_EQ(bench.refusals[0].times, 1U);
        EXPECT_EQ(bench.refusals[0].text, "the broker refuses it: said no");
        EXPECT_EQ(bench.forwarder.status().refused_messages, 1U);
        EXPECT_EQ(bench.forwarder.status().acked_readings, 1U);
    }
}

TEST(Forwarder, TriesTenTimesWhatIsRefusedForAPassingReason) {
    for (const int code : {0x80, 0x83, 0x97}) {
        Bench bench;
        bench.connect();
        bench.offer({1});
        for (int i = 0; i < 9; ++i) {
            bench.fail(1, code);
            EXPECT_EQ(bench.published.size(), static_cast<std::size_t>(i + 1)) << "it rests first";
            bench.pass(std::chrono::seconds(1 << i));
            ASSERT_EQ(bench.published.size(), static_cast<std::size_t>(i + 2));
        }
        EXPECT_EQ(bench.forwarder.status().refused_messages, 0U);
        bench.fail(1, code);
        EXPECT_THAT(bench.acknowledged, IsEmpty());
        ASSERT_THAT(bench.refused, ElementsAre(1));
        EXPECT_EQ(bench.refusals[0].times, 10U);
        EXPECT_EQ(bench.forwarder.status().published_readings, 1U) << "counted once";
        EXPECT_EQ(bench.drops, 0);
    }
}

TEST(Forwarder, SendsOthersWhileARefusedMessageRests) {
    BrokerConfig config = without_status();
    config.max_in_flight = 1;
    Bench bench(config);
    bench.connect();
    bench.offer({1, 2});
    bench.fail(1, 0x97);
    bench.deliver(2);
    bench.offer({3});
    bench.deliver(3);
    bench.pass(1s);
    EXPECT_THAT(bench.published, ElementsAre(1, 2, 3, 1));
}

TEST(Forwarder, HoldsABoundedNumberOfRestingMessages) {
    Bench bench;
    bench.connect();
    std::uint64_t seq = 0;
    for (int i = 0; i < 200; ++i) {
        while (seq < bench.demanded)
            bench.offer({++seq});
        const Seqs published = bench.take_published();
        for (const auto sent : published)
            bench.fail(sent, 0x97);
    }
    EXPECT_LE(seq, 4U * 4 + 2 * 4) << "four windows at rest, one in flight, one ready";
}

TEST(Forwarder, HasWhatIsTooLargeForTheBrokerSplitSoThatThePartsFit) {
    for (const bool properties : {false, true}) {
        BrokerConfig config = without_status();
        config.properties = properties;
        Bench bench(config);
        bench.connect(limited_to(600));
        const Batch batch = simple_batch(1, "host", 100);
        bench.forwarder.offered({batch, simple_batch(2)});
        bench.step();
        EXPECT_THAT(bench.take_published(), ElementsAre(2)) << "those behind it are not held up";
        EXPECT_THAT(bench.refused, IsEmpty());
        EXPECT_EQ(bench.forwarder.status().split_messages, 1U);
        ASSERT_EQ(bench.splits.size(), 1U);
        EXPECT_EQ(bench.splits[0].seq, 1U);
        auto parts = split_batch(batch, bench.splits[0].room);
        ASSERT_TRUE(parts);
        EXPECT_LT(parts->size(), 50U);
        std::uint64_t seq = std::numeric_limits<std::uint64_t>::max() - parts->size();
        for (Batch& part : *parts)
            part.header.seq = seq++;
        const std::size_t count = parts->size();
        bench.forwarder.offered(std::move(*parts));
        bench.step();
        while (bench.published.size() < count && !bench.tokens.empty()) {
            const std::size_t before = bench.published.size();
            for (const auto& [known, token] : std::map(bench.tokens))
                bench.deliver(known);
            ASSERT_GT(bench.published.size(), before);
        }
        EXPECT_EQ(bench.published.size(), count);
        EXPECT_EQ(bench.splits.size(), 1U);
    }
}

TEST(Forwarder, SetsAsideASingleReadingThatIsTooLarge) {
    Bench bench;
    bench.connect(limited_to(100));
    bench.forwarder.offered({simple_batch(1)});
    bench.step();
    ASSERT_THAT(bench.refused, ElementsAre(1));
    EXPECT_EQ(bench.refusals[0].code, 0x95);
    EXPECT_NE(bench.refusals[0].text.find("larger than the 100 that the broker takes"), std::string::npos);
    EXPECT_TRUE(bench.log.has("larger than the 100 that the broker takes")) << bench.log.text();
    EXPECT_EQ(bench.forwarder.status().published_readings, 0U);
}

TEST(Forwarder, DoesNotSplitWhatWasSentToABrokerThatTakesMore) {
    Bench bench;
    bench.connect();
    bench.forwarder.offered({simple_batch(1, "host", 100)});
    bench.step();
    EXPECT_THAT(bench.take_published(), ElementsAre(1));
    bench.tell(transport::ConnectionLost{passing()});
    bench.connect(limited_to(600));
    EXPECT_THAT(bench.published, IsEmpty());
    EXPECT_THAT(bench.splits, IsEmpty()) << "its id and its bytes may be known already";
    EXPECT_THAT(bench.refused, ElementsAre(1));
}

TEST(Forwarder, BlamesTheLargestInFlightWhenTheBrokerEndsTheLinkForASize) {
    Bench bench;
    bench.connect();
    bench.forwarder.offered({simple_batch(1), simple_batch(2, "host", 100), simple_batch(3)});
    bench.step();
    EXPECT_THAT(bench.take_published(), ElementsAre(1, 2, 3));
    bench.tell(transport::ConnectionLost{disconnect_failure(0x95)});
    ASSERT_THAT(bench.refused, ElementsAre(2));
    EXPECT_EQ(bench.refusals[0].code, 0x95);
    EXPECT_NE(bench.forwarder.status().state, BrokerState::refused) << "it comes back soon";
    bench.connect();
    EXPECT_TRUE(bench.connects.back().clean_start) << "or the session would send it again";
    EXPECT_THAT(bench.take_published(), ElementsAre(1, 3));
    bench.forwarder.offered({simple_batch(4, "host", 100)});
    bench.step();
    EXPECT_THAT(bench.take_published(), IsEmpty());
    ASSERT_EQ(bench.splits.size(), 1U) << "what is as large is not tried";
    EXPECT_EQ(bench.splits[0].seq, 4U);
}

TEST(Forwarder, LearnsTheLimitFromAMessageThatIsRefusedForItsSize) {
    Bench bench;
    bench.connect();
    bench.forwarder.offered({simple_batch(1, "host", 100)});
    bench.step();
    bench.fail(1, 0x95);
    EXPECT_THAT(bench.refused, ElementsAre(1));
    bench.forwarder.offered({simple_batch(2, "host", 100), simple_batch(3, "host", 50)});
    bench.step();
    ASSERT_EQ(bench.splits.size(), 1U);
    EXPECT_EQ(bench.splits[0].seq, 2U);
    EXPECT_THAT(bench.take_published(), ElementsAre(1, 3));
    EXPECT_GT(bench.forwarder.status().payload_limit, 0U);
}

TEST(Forwarder, GivesNothingUpForALimitThatItOnlyLearnt) {
    Bench bench;
    bench.connect();
    bench.offer({1});
    bench.fail(1, 0x95);
    bench.offer({2});
    EXPECT_THAT(bench.take_published(), ElementsAre(1, 2)) << "as large, but one reading can't be split";
    EXPECT_THAT(bench.refused, ElementsAre(1));
}

TEST(Forwarder, SendsWhatJustFitsThePacketLimit) {
    const Batch batch = simple_batch(1, "host", 10);
    BrokerConfig config = without_status();
    config.properties = true;
    Bench probe(config);
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
        Bench bench(config);
        transport::Connected answer;
        answer.limits.maximum_packet_size = static_cast<std::uint32_t>(limit);
        bench.connect(answer);
        bench.forwarder.offered({batch});
        bench.step();
        EXPECT_EQ(bench.published.size(), limit == packet ? 1U : 0U);
        EXPECT_EQ(bench.splits.size(), limit == packet ? 0U : 1U);
    }
}

TEST(Forwarder, SetsABatchAsideThatItCannotRead) {
    Bench bench;
    bench.connect();
    Batch damaged = simple_batch(1);
    damaged.body = "\x7F";
    bench.forwarder.offered({std::move(damaged), simple_batch(2)});
    bench.step();
    EXPECT_THAT(bench.take_published(), ElementsAre(2));
    EXPECT_EQ(bench.forwarder.status().refused_messages, 1U);
}

TEST(Forwarder, SetsABatchAsideWithoutTheTagThatTheTopicNeeds) {
    BrokerConfig config = without_status();
    config.topic = "x/{tag:site}";
    Bench bench(config);
    bench.connect();
    bench.offer({1});
    EXPECT_EQ(bench.forwarder.status().refused_messages, 1U);
    EXPECT_TRUE(bench.log.has("site")) << bench.log.text();
}

TEST(Forwarder, LogsRefusalsOnceAnHourAndNamesTheInput) {
    Bench bench;
    bench.connect();
    for (std::uint64_t seq = 1; seq <= 100; ++seq) {
        bench.offer({seq});
        bench.fail(seq, 0x99);
    }
    ASSERT_EQ(bench.log.count("set aside"), 1U) << bench.log.text();
    EXPECT_EQ(bench.log.entries().back().fields.at("INPUT"), "host");
    bench.clock.advance(1h);
    bench.offer({101});
    bench.fail(101, 0x99);
    EXPECT_TRUE(bench.log.has("set aside 100 message(s)")) << bench.log.text();
}

TEST(Forwarder, CountsNonFiniteNumbersOnceAMessage) {
    BatchMaker maker("host");
    const auto channel = maker.channel("v", ValueType::f64);
    maker.add(0, {Value::of(channel, std::numeric_limits<double>::quiet_NaN())});
    Bench bench;
    bench.connect();
    bench.forwarder.offered({maker.batch(1)});
    bench.step();
    bench.tell(transport::ConnectionLost{passing()});
    bench.connect();
    EXPECT_EQ(bench.published.size(), 2U);
    EXPECT_EQ(bench.forwarder.status().non_finite, 1U);
}

TEST(Forwarder, TellsWhatAMessageHoldsBesideItByMqtt5Only) {
    BrokerConfig config = without_status();
    config.message_expiry = 3600;
    config.properties = true;
    for (const Protocol protocol : {Protocol::v5, Protocol::v3_1_1}) {
        config.protocol = protocol;
        Bench bench(config);
        bench.connect();
        bench.offer({7});
        ASSERT_EQ(bench.messages.size(), 1u);
        const Message& message = bench.messages.front().message;
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
