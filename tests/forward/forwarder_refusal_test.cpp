// What the broker refuses, or could not take: set aside, tried again, or split.
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

}  // namespace
}  // namespace holdfast
