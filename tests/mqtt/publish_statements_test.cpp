// Packet ids, flags, and the limits that a broker sets for what is published to it.
#include <atomic>

#include "mqtt/statements.hpp"

namespace holdfast::test {
namespace {

class PublishStatements : public Statements {
  protected:
    using Statements::Statements;

    // More messages than there are ids, the very first one unacknowledged until the end: its id is never
    // used for another, which the broker's rules watch.
    void wrap_the_ids() {
        constexpr int count = 70'000;
        std::atomic<int> zeros = 0, first_id = 0, reused = 0, wraps = 0, acknowledged = 0;
        serve(
            [&](Peer& peer) {
                peer.accept();
                const auto first = read_reading(peer);
                if (!first) return;
                first_id = first->id;
                int latest = first->id;
                for (int got = 1; got < count;) {
                    const auto publish = peer.read();
                    if (!publish) return;
                    peer.answer(*publish);
                    if (!reading_number(*publish)) continue;
                    ++got;
                    zeros += publish->id == 0 ? 1 : 0;
                    reused += publish->id == first->id ? 1 : 0;
                    wraps += publish->id < latest ? 1 : 0;
                    latest = publish->id;
                    acknowledged = got;
                }
                peer.answer(*first);
                peer.serve();
            },
            {.keep_events = false});
        AgentSettings fast = settings(count, {{"max_in_flight", "1000"}, {"ack_timeout", "\"1h\""}});
        fast.rate = 0;
        fast.buffer = {{"memory", "\"64MiB\""}};
        start(fast);
        ASSERT_TRUE(agent_->wait_status("forward", "acked_readings", std::to_string(count), 120s))
            << acknowledged;
        EXPECT_EQ(broker_->connects(), 1);
        EXPECT_EQ(zeros, 0);
        EXPECT_GE(first_id, 1);
        EXPECT_EQ(reused, 0);
        EXPECT_GE(wraps, 1);
    }

    void qos_0() {
        serve(take_all);
        start(settings(10, {{"qos", "0"}}));
        ASSERT_TRUE(all_arrive(10));
        for (const Packet& publish : readings()) {
            EXPECT_EQ(publish.qos, 0);
            EXPECT_FALSE(publish.dup);
            EXPECT_EQ(publish.payload.front(), '{');  // not a packet id
        }
    }

    void expect_aliases_up_to(std::uint32_t maximum) const {
        int aliases = 0;
        for (const Packet& publish : readings()) {
            const auto alias = publish.number(property::topic_alias);
            if (!alias) continue;
            ++aliases;
            EXPECT_GE(*alias, 1u);
            EXPECT_LE(*alias, maximum);
        }
        EXPECT_GE(aliases, 1);
    }

    void qos_is_never_3() {
        serve(take_all);
        AgentProcess& agent = prepare(settings(5, {{"qos", "3"}}));
        EXPECT_EQ(agent.command("check").exit_code, 78);
        for (int qos = 0; qos < 3; ++qos) {
            start(settings(5, {{"qos", std::to_string(qos)}}));
            ASSERT_TRUE(broker_->wait([&](const auto& log) {
                int there = 0;
                for (const BrokerEvent& event : log)
                    there += event.kind == Kind::received && reading_number(*event.packet) &&
                             event.packet->qos == qos;
                return there == 5;
            })) << qos;
            stop();
        }
    }
};

using Mqtt5Publish = For<PublishStatements, MqttVersion::v5>;
using Mqtt3Publish = For<PublishStatements, MqttVersion::v3_1_1>;

TEST_F(Mqtt5Publish, S2_2_1_2_NoPacketIdAtQos0) {
    qos_0();
}
TEST_F(Mqtt5Publish, S3_3_1_2_NoDupAtQos0) {
    qos_0();
}
TEST_F(Mqtt3Publish, S3_3_1_2_NoDupAtQos0) {
    qos_0();
}
TEST_F(Mqtt5Publish, S3_3_1_4_QosIsNever3) {
    qos_is_never_3();
}
TEST_F(Mqtt3Publish, S3_3_1_4_QosIsNever3) {
    qos_is_never_3();
}
TEST_F(Mqtt5Publish, S2_2_1_3_SeventyThousandPublishesUseFreeIdsAbove0) {
    wrap_the_ids();
}
TEST_F(Mqtt3Publish, S2_3_1_1_S2_3_1_2_SeventyThousandPublishesUseFreeIdsAbove0) {
    wrap_the_ids();
}

TEST_F(Mqtt3Publish, S3_3_2_2_NoWildcardInATopic) {
    serve(take_all);
    AgentProcess& agent = prepare(settings(1, {{"topic", "\"a/+\""}}));
    EXPECT_EQ(agent.command("check").exit_code, 78);
    start(settings(1, {{"topic", "\"a/b\""}}));
    ASSERT_TRUE(all_arrive(1));
    EXPECT_EQ(readings().front().topic, "a/b");
}
TEST_F(Mqtt3Publish, S4_7_3_1_TopicIsNotEmpty) {
    serve(take_all);
    EXPECT_EQ(prepare(settings(1, {{"topic", "\"\""}})).command("check").exit_code, 78);
}
TEST_F(Mqtt3Publish, S4_7_3_2_NoZeroInATopic) {
    serve(take_all);
    EXPECT_EQ(prepare(settings(1, {{"topic", "\"a\\u0000\""}})).command("check").exit_code, 78);
}
TEST_F(Mqtt3Publish, S4_7_3_3_TopicHasAtMost65535Bytes) {
    serve(take_all);
    const std::string topic = '"' + std::string(65'536, 't') + '"';
    EXPECT_EQ(prepare(settings(1, {{"topic", topic}})).command("check").exit_code, 78);
}

TEST_F(Mqtt5Publish, S3_2_2_21_ServerKeepAliveIsKeptTo) {
    serve([](Peer& peer) {
        peer.accept({{property::server_keep_alive, std::uint32_t{1}}});
        peer.serve();
    });
    start(settings(1, {{"keep_alive", "\"1m\""}}));
    ASSERT_TRUE(wait_received(PacketType::pingreq, 3));
    EXPECT_TRUE(all_arrive(1));
}

class Mqtt5MaximumQos : public Mqtt5Publish, public ::testing::WithParamInterface<int> {};
TEST_P(Mqtt5MaximumQos, S3_2_2_11_NothingIsPublishedAboveIt) {
    const int maximum = GetParam();
    serve([maximum](Peer& peer) {
        peer.accept({{property::maximum_qos, static_cast<std::uint32_t>(maximum)}});
        peer.serve();
    });
    start(settings(5, {{"qos", "2"}}));
    EXPECT_TRUE(all_arrive(5));
    for (const Packet& publish : broker_->received(PacketType::publish))
        EXPECT_LE(publish.qos, maximum);
}
INSTANTIATE_TEST_SUITE_P(Of, Mqtt5MaximumQos, ::testing::Values(0, 1), ::testing::PrintToStringParamName());

TEST_F(Mqtt5Publish, S3_2_2_14_NothingIsRetainedByABrokerThatDoesNot) {
    serve([](Peer& peer) {
        peer.accept({{property::retain_available, std::uint32_t{0}}});
        peer.serve();
    });
    start(settings(5, {{"retain", "true"}}));
    EXPECT_TRUE(all_arrive(5));
    const auto publishes = broker_->received(PacketType::publish);
    EXPECT_GE(publishes.size(), 6u);  // the status, too
    for (const Packet& publish : publishes)
        EXPECT_FALSE(publish.retain);
}

constexpr auto small_input = R"([[input]]
name = "small"
plugin = "simulator"
[input.options]
rate = 200.0
count = 10
)";

TEST_F(Mqtt5Publish, S3_2_2_15_NothingIsLargerThanMaximumPacketSize) {
    serve([](Peer& peer) {
        peer.accept({{property::maximum_packet_size, std::uint32_t{400}}});
        peer.serve();
    });
    AgentSettings large = settings(4);
    large.more = "channels = 100\n" + std::string(small_input);
    start(large);
    // The large ones block nothing, and are told of and counted.
    EXPECT_TRUE(all_arrive(10));
    EXPECT_TRUE(agent_->wait_logged("larger than"));
    for (const Packet& publish : readings())
        EXPECT_EQ(publish.topic, "holdfast/gw/small");
    EXPECT_EQ(broker_->connects(), 1);
}

TEST_F(Mqtt5Publish, S3_2_2_17_S3_3_2_8_NoTopicAliasIs0OrAboveTheMaximum) {
    serve([](Peer& peer) {
        peer.accept({{property::topic_alias_maximum, std::uint32_t{1}}});
        peer.serve();
    });
    AgentSettings two = settings(10, {{"status_topic", "\"\""}});  // which would have the only alias
    two.more = small_input;
    start(two);
    EXPECT_TRUE(broker_->wait([](const auto& log) {
        std::multiset<std::string> topics;
        for (const BrokerEvent& event : log)
            if (event.kind == Kind::received && reading_number(*event.packet))
                topics.insert(event.packet->payload);
        return topics.size() >= 20;
    }));
    expect_aliases_up_to(1);
}
TEST_F(Mqtt5Publish, S3_2_2_18_S3_3_2_9_NoTopicAliasWithoutAMaximum) {
    serve(take_all);
    start(settings(20));
    EXPECT_TRUE(all_arrive(20));
    for (const Packet& publish : readings())
        EXPECT_FALSE(publish.number(property::topic_alias));
}
// The rules miss a topic that a connection has not set.
TEST_F(Mqtt5Publish, S3_3_2_7_NoTopicAliasOutlivesItsConnection) {
    serve([](Peer& peer) {
        const bool resumes = peer.number() > 0;
        peer.send_connack(0, resumes, {{property::topic_alias_maximum, std::uint32_t{10}}});
        if (peer.number() == 3) return peer.serve();
        const auto publishes = read_readings(peer, 4);
        for (std::size_t i = 0; i < 2 && i < publishes.size(); ++i)
            peer.answer(publishes[i]);
    });
    start(settings(40));
    EXPECT_TRUE(all_arrive(40));
    EXPECT_GE(broker_->connects(), 4);
    expect_aliases_up_to(10);
}

class Mqtt5ReceiveMaximum : public Mqtt5Publish {
  protected:
    // The broker takes `maximum` messages, sees that no more come until something is acknowledged, and then
    // goes on like that.
    void flow(std::uint32_t maximum, int connections) {
        std::atomic<int> too_many = 0, pings = 0;
        serve([&, maximum, connections](Peer& peer) {
            peer.send_connack(0, peer.number() > 0, {{property::receive_maximum, maximum}});
            std::vector<Packet> held;
            while (const auto packet = peer.read()) {
                if (packet->type != PacketType::publish) {
                    // A ping shows that nothing else was waiting to be sent, and that others are answered.
                    if (packet->type == PacketType::pingreq && held.size() == maximum) ++pings;
                    peer.answer(*packet);
                    if (packet->type != PacketType::pingreq || held.empty()) continue;
                    if (peer.number() < connections - 1) return;
                    for (const Packet& publish : held)
                        peer.answer(publish);
                    return peer.serve();
                }
                if (!reading_number(*packet)) {
                    peer.answer(*packet);
                    continue;
                }
                held.push_back(*packet);
                too_many += held.size() > maximum ? 1 : 0;
            }
        });
        start(settings(20, {{"keep_alive", "\"1s\""}}));
        EXPECT_TRUE(all_arrive(20));
        EXPECT_TRUE(agent_->wait_status("buffer", "readings", "0"));
        EXPECT_EQ(too_many, 0);
        EXPECT_EQ(pings, connections);
        EXPECT_EQ(broker_->connects(), connections);
    }
};

TEST_F(Mqtt5ReceiveMaximum, S3_3_4_7_NoMoreThanItIsInFlight) {
    flow(3, 1);
}
TEST_F(Mqtt5ReceiveMaximum, S4_9_0_1_QuotaBeginsAnewWithAConnection) {
    flow(4, 2);
}
TEST_F(Mqtt5ReceiveMaximum, S4_9_0_2_NothingIsPublishedAtQuota0) {
    flow(1, 1);
}
TEST_F(Mqtt5ReceiveMaximum, S4_9_0_3_OtherPacketsGoOnAtQuota0) {
    flow(2, 1);
}

}  // namespace
}  // namespace holdfast::test
