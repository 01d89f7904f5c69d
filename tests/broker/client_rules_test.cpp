#include "broker/client_rules.hpp"

#include <gtest/gtest.h>

namespace holdfast::test {
namespace {

class ClientRulesTest : public ::testing::Test {
  protected:
    void connect(int connection, bool clean, bool session_present, Properties limits = {}) {
        from_client(connection,
                    {.type = PacketType::connect, .clean_start = clean, .keep_alive = 30, .client_id = "c"});
        rules_.sent(connection, {.type = PacketType::connack,
                                 .session_present = session_present,
                                 .properties = std::move(limits)});
    }
    void from_client(int connection, const Packet& packet) {
        const std::size_t bytes = encode_packet(packet, version_).size();
        rules_.received(connection, packet, bytes, version_, std::chrono::steady_clock::now());
    }
    static Packet message(std::uint16_t id, int qos = 1) {
        return {.type = PacketType::publish, .qos = qos, .topic = "t", .payload = "p", .id = id};
    }
    static Packet again(std::uint16_t id, int qos = 1) {
        Packet packet = message(id, qos);
        packet.dup = true;
        return packet;
    }
    std::string first() const {
        return rules_.violations().empty() ? "none" : rules_.violations().front().statement;
    }

    MqttVersion version_ = MqttVersion::v5;
    ClientRules rules_;
};

TEST_F(ClientRulesTest, FindNothingWrongInAGoodClient) {
    connect(0, true, false, {{property::receive_maximum, 2U}});
    from_client(0, message(1));
    from_client(0, message(2, 2));
    rules_.sent(0, {.type = PacketType::puback, .id = 1});
    rules_.sent(0, {.type = PacketType::pubrec, .id = 2});
    from_client(0, {.type = PacketType::pubrel, .id = 2});
    from_client(0, message(3));
    rules_.closed(0);
    connect(1, false, true);
    from_client(1, {.type = PacketType::pubrel, .id = 2});
    from_client(1, again(3));
    rules_.sent(1, {.type = PacketType::pubcomp, .id = 2});
    rules_.sent(1, {.type = PacketType::puback, .id = 3});
    from_client(1, message(3));
    from_client(1, {.type = PacketType::disconnect});
    EXPECT_EQ(rules_.report(), "");
}

TEST_F(ClientRulesTest, ConnectComesFirstAndOnce) {
    from_client(0, {.type = PacketType::pingreq});
    EXPECT_EQ(first(), "MQTT5 3.1.0-1");
    connect(1, true, false);
    from_client(1, {.type = PacketType::connect});
    EXPECT_EQ(rules_.violations().back().statement, "MQTT5 3.1.0-2");
}

TEST_F(ClientRulesTest, NothingFollowsDisconnect) {
    connect(0, true, false);
    from_client(0, {.type = PacketType::disconnect});
    from_client(0, message(1));
    EXPECT_EQ(first(), "MQTT5 3.14.4-1");
}

TEST_F(ClientRulesTest, TheIdOfAnUnacknowledgedMessageIsNotUsedForAnother) {
    connect(0, true, false);
    from_client(0, message(1));
    from_client(0, message(1));
    EXPECT_EQ(first(), "MQTT5 2.2.1-3");
}

TEST_F(ClientRulesTest, DupStandsOnRedeliveryAndNowhereElse) {
    connect(0, true, false);
    from_client(0, again(1));
    EXPECT_EQ(first(), "MQTT5 3.3.1-1");
    from_client(0, message(2));
    rules_.closed(0);
    connect(1, false, true);
    from_client(1, message(2));
    EXPECT_EQ(rules_.violations().size(), 2u);
    EXPECT_EQ(rules_.violations().back().statement, "MQTT5 3.3.1-1");
}

TEST_F(ClientRulesTest, Version5SendsAgainOnlyAfterANewConnection) {
    connect(0, true, false);
    from_client(0, message(1));
    from_client(0, again(1));
    EXPECT_EQ(first(), "MQTT5 4.4.0-1");
}

TEST_F(ClientRulesTest, Version3MaySendAgainAtAnyTime) {
    version_ = MqttVersion::v3_1_1;
    connect(0, true, false);
    from_client(0, message(1));
    from_client(0, again(1));
    EXPECT_EQ(first(), "none");
}

TEST_F(ClientRulesTest, ResendsKeepTheOriginalOrder) {
    connect(0, true, false);
    from_client(0, message(1));
    from_client(0, message(2));
    rules_.closed(0);
    connect(1, false, true);
    from_client(1, again(2));
    from_client(1, again(1));
    EXPECT_EQ(first(), "MQTT5 4.6.0-1");
}

TEST_F(ClientRulesTest, AnAcknowledgementThatWasLostDoesNotChangeTheOrder) {
    constexpr std::uint16_t ids[] = {1, 2, 3};
    connect(0, true, false);
    for (const std::uint16_t id : ids)
        from_client(0, message(id));
    rules_.sent(0, {.type = PacketType::puback, .id = 1});
    rules_.closed(0);
    for (const int connection : {1, 2}) {
        connect(connection, false, true);
        for (const std::uint16_t id : ids)
            from_client(connection, again(id));
        rules_.closed(connection);
    }
    EXPECT_EQ(rules_.report(), "");
}

TEST_F(ClientRulesTest, ARedeliveryHasTheSameBytes) {
    connect(0, true, false);
    from_client(0, message(1));
    rules_.closed(0);
    connect(1, false, true);
    Packet other = again(1);
    other.payload = "q";
    from_client(1, other);
    EXPECT_EQ(first(), "MQTT5 4.4.0-1");
}

TEST_F(ClientRulesTest, ALostSessionBeginsAnew) {
    connect(0, true, false);
    from_client(0, message(1));
    rules_.closed(0);
    connect(1, false, false);
    from_client(1, again(1));
    EXPECT_EQ(first(), "MQTT5 3.3.1-1");
}

TEST_F(ClientRulesTest, LimitsOfTheBrokerAreObeyed) {
    const auto breaks = [this](Properties limits, const Packet& packet) {
        rules_ = {};
        connect(0, true, false, std::move(limits));
        from_client(0, packet);
        return first();
    };
    Packet retained = message(1);
    retained.retain = true;
    Packet aliased = message(1);
    aliased.properties = {{property::topic_alias, 2U}};
    Packet unnamed = aliased;
    unnamed.topic.clear();
    Packet zero = message(1);
    zero.properties = {{property::topic_alias, 0U}};
    EXPECT_EQ(breaks({{property::maximum_qos, 0U}}, message(1)), "MQTT5 3.2.2-11");
    EXPECT_EQ(breaks({{property::retain_available, 0U}}, retained), "MQTT5 3.2.2-14");
    EXPECT_EQ(breaks({{property::maximum_packet_size, 5U}}, message(1)), "MQTT5 3.2.2-15");
    EXPECT_EQ(breaks({{property::topic_alias_maximum, 1U}}, aliased), "MQTT5 3.2.2-17");
    EXPECT_EQ(breaks({}, aliased), "MQTT5 3.2.2-18");
    EXPECT_EQ(breaks({{property::topic_alias_maximum, 2U}}, unnamed), "MQTT5 3.3.2-7");
    EXPECT_EQ(breaks({{property::topic_alias_maximum, 2U}}, zero), "MQTT5 3.3.2-8");
    EXPECT_EQ(breaks({{property::topic_alias_maximum, 2U}}, aliased), "none");
}

TEST_F(ClientRulesTest, NoMoreIsInFlightThanReceiveMaximum) {
    connect(0, true, false, {{property::receive_maximum, 1U}});
    from_client(0, message(1));
    EXPECT_EQ(first(), "none");
    from_client(0, message(2));
    EXPECT_EQ(first(), "MQTT5 3.3.4-7");
}

TEST_F(ClientRulesTest, PubrelFollowsPubrecAndEndsThePublishes) {
    connect(0, true, false);
    from_client(0, message(1, 2));
    from_client(0, {.type = PacketType::pubrel, .id = 1});
    EXPECT_EQ(first(), "MQTT5 4.3.3-4");
    rules_.closed(0);
    connect(1, false, true);
    from_client(1, again(1, 2));
    EXPECT_EQ(rules_.violations().back().statement, "MQTT5 4.3.3-6");
}

TEST_F(ClientRulesTest, NoAuthWithoutAMethodAndNothingAfterARefusal) {
    connect(0, true, false);
    from_client(0, {.type = PacketType::auth});
    EXPECT_EQ(first(), "MQTT5 4.12.0-7");
    from_client(1, {.type = PacketType::connect, .clean_start = true, .client_id = "c"});
    rules_.sent(1, {.type = PacketType::connack, .reason = 0x87});
    from_client(1, message(1));
    EXPECT_EQ(rules_.violations().back().statement, "MQTT5 4.13.2-1");
}

}  // namespace
}  // namespace holdfast::test
