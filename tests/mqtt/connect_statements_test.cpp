// What a client sends to open and close a connection, and what it never sends at all.
#include <atomic>

#include "mqtt/statements.hpp"

namespace holdfast::test {
namespace {

constexpr auto passing_break = 0x8B;  // DISCONNECT: the server is shutting down

class ConnectStatements : public Statements {
  protected:
    using Statements::Statements;

    // Three connections, each with readings; the broker ends the first two.
    void connect_three_times(AgentSettings::Keys broker = {}) {
        serve([](Peer& peer) {
            peer.accept();
            if (peer.number() == 2) return peer.serve();
            if (const auto publish = read_reading(peer)) peer.answer(*publish);
        });
        start(settings(0, std::move(broker)));
        ASSERT_TRUE(broker_->wait_connects(3));
        ASSERT_TRUE(wait_received(PacketType::publish, 3));
    }

    void first_packet_is_connect() {
        connect_three_times();
        std::set<int> begun;
        for (const BrokerEvent& event : events(Kind::received)) {
            const bool is_first = begun.insert(event.connection).second;
            EXPECT_EQ(is_first, event.packet->type == PacketType::connect) << name_of(event.packet->type);
        }
        EXPECT_GE(begun.size(), 3u);
    }
    void connect_comes_once() {
        connect_three_times();
        std::multiset<int> connections;
        for (const BrokerEvent& event : events(Kind::received, PacketType::connect))
            connections.insert(event.connection);
        EXPECT_GE(connections.size(), 3u);
        for (const int connection : connections)
            EXPECT_EQ(connections.count(connection), 1u);
    }

    // The agent's whole life with username, password, will, QoS 2 and a clean end: the log has the bytes.
    void live(int qos = 2) {
        serve(take_all, {.payload_bytes_kept = 64 * 1024, .keep_bytes = true});
        directory_.write("password", "secret\n");
        start(settings(3, {{"qos", std::to_string(qos)},
                           {"username", "\"user\""},
                           {"password_file", "\"" + (directory_ / "password").string() + "\""},
                           {"keep_alive", "\"1s\""},
                           {"properties", "true"}}));
        ASSERT_TRUE(all_arrive(3));
        const int pings = qos == 2 ? 1 : 0;
        ASSERT_TRUE(wait_received(PacketType::pingreq, pings));
        stop();
        ASSERT_TRUE(wait_closed());
    }
    // Each packet is what the encoder of the tests makes of it: no other bits, no longer integers. A goodbye
    // may leave out its reason and properties, or write out that there are none.
    std::set<PacketType> check_bytes() const {
        std::set<PacketType> types;
        for (const BrokerEvent& event : events(Kind::received)) {
            types.insert(event.packet->type);
            std::string expected = encode_packet(*event.packet, version_);
            if (event.packet->type == PacketType::disconnect && event.bytes.size() == 4)
                expected = "\xE0\x02\x00\x00"s;
            EXPECT_EQ(::testing::PrintToString(event.bytes), ::testing::PrintToString(expected));
        }
        return types;
    }
    std::string connect_bytes() const { return events(Kind::received, PacketType::connect).back().bytes; }
    int connect_flags() const {
        const std::string bytes = connect_bytes();
        return static_cast<unsigned char>(bytes.at(bytes.find("MQTT") + 5));
    }

    void pings_when_idle() {
        serve(take_all);
        start(settings(1, {{"keep_alive", "\"1s\""}}));
        EXPECT_TRUE(all_arrive(1));
        ASSERT_TRUE(wait_received(PacketType::pingreq, 3));
        EXPECT_EQ(broker_->connects(), 1);
    }

    void last_packet_is_disconnect() {
        serve(take_all);
        start(settings(0));
        ASSERT_TRUE(all_arrive(5));
        stop();
        ASSERT_TRUE(wait_closed());
        const Packet last = *events(Kind::received).back().packet;
        EXPECT_EQ(name_of(last.type), "DISCONNECT");
        // Who ends in order leaves no session behind; 3.1.1 has no word for that.
        if (version_ == MqttVersion::v5) {
            EXPECT_EQ(last.number(property::session_expiry), 0U);
        }
    }
    void closes_after_disconnect() {
        std::atomic<bool> closed = false;
        serve([&](Peer& peer) {
            peer.accept();
            while (const auto packet = peer.read()) {
                peer.answer(*packet);
                if (packet->type != PacketType::disconnect) continue;
                EXPECT_FALSE(peer.read());
                closed = peer.ended();
            }
        });
        start(settings(3));
        ASSERT_TRUE(all_arrive(3));
        stop();
        ASSERT_TRUE(wait_closed());
        EXPECT_TRUE(closed);
    }

    // What the broker may not send makes the agent close, and come back for the rest.
    void closes_at(std::string bytes) {
        std::atomic<bool> closed = false;
        serve([&, bytes](Peer& peer) {
            peer.accept();
            if (peer.number() > 0) return peer.serve();
            for (const Packet& publish : read_readings(peer, 2))
                peer.answer(publish);
            peer.send_raw(bytes);
            peer.read_to_end();
            closed = peer.ended();
        });
        start(settings(20));
        EXPECT_TRUE(broker_->wait_connects(2));
        EXPECT_TRUE(closed);
        EXPECT_TRUE(all_arrive(20));
        EXPECT_TRUE(agent_->wait_status("buffer", "readings", "0"));
        EXPECT_EQ(agent_->logged("the broker broke the rules of MQTT"), 1);
    }
};

using Mqtt5Connect = For<ConnectStatements, MqttVersion::v5>;
using Mqtt3Connect = For<ConnectStatements, MqttVersion::v3_1_1>;

TEST_F(Mqtt5Connect, S3_1_0_1_ConnectIsTheFirstPacket) {
    first_packet_is_connect();
}
TEST_F(Mqtt3Connect, S3_1_0_1_ConnectIsTheFirstPacket) {
    first_packet_is_connect();
}
TEST_F(Mqtt5Connect, S3_1_0_2_ConnectComesOncePerConnection) {
    connect_comes_once();
}
TEST_F(Mqtt3Connect, S3_1_0_2_ConnectComesOncePerConnection) {
    connect_comes_once();
}

TEST_F(Mqtt5Connect, S2_1_3_1_ReservedBitsOfEveryPacketAreZero) {
    live();
    EXPECT_THAT(check_bytes(),
                ::testing::IsSupersetOf({PacketType::connect, PacketType::publish, PacketType::pubrel,
                                         PacketType::pingreq, PacketType::disconnect}));
    for (const BrokerEvent& event : events(Kind::received, PacketType::pubrel))
        EXPECT_EQ(event.bytes[0], '\x62');
    for (const BrokerEvent& event : events(Kind::received, PacketType::pingreq))
        EXPECT_EQ(event.bytes, "\xC0\x00"s);
}
TEST_F(Mqtt5Connect, S2_2_2_1_PropertyLengthIsThereAlsoWithoutProperties) {
    serve(take_all, {.keep_bytes = true});
    start(settings(1, {{"topic", "\"t\""}}));
    ASSERT_TRUE(all_arrive(1));
    for (const BrokerEvent& event : events(Kind::received, PacketType::publish)) {
        if (event.packet->topic != "t") continue;
        // Type, two bytes of length, the topic with its length, the packet id, no properties, the payload.
        EXPECT_EQ(event.bytes.substr(3, 3), "\x00\x01t"s);
        EXPECT_EQ(event.bytes.substr(8, 2), "\x00{"s);
    }
}
TEST_F(Mqtt5Connect, S1_5_5_1_VariableByteIntegersAreTheShortest) {
    live(1);
    EXPECT_THAT(check_bytes(), ::testing::Contains(PacketType::publish));
    std::set<std::size_t> length_bytes;
    for (const BrokerEvent& event : events(Kind::received))
        length_bytes.insert(event.bytes.size() > 2 + 0x7F ? 2 : 1);
    EXPECT_EQ(length_bytes.size(), 2u);
}

TEST_F(Mqtt5Connect, S3_1_2_16_NoUserNameWithoutItsFlag) {
    serve(take_all);
    start(settings(1));
    ASSERT_TRUE(all_arrive(1));
    EXPECT_FALSE(broker_->received(PacketType::connect).front().username);
}
TEST_F(Mqtt5Connect, S3_1_2_17_UserNameWithItsFlag) {
    live(1);
    EXPECT_EQ(connect_flags() & 0x80, 0x80);
    EXPECT_EQ(broker_->received(PacketType::connect).front().username, "user");
}
TEST_F(Mqtt5Connect, S3_1_2_18_NoPasswordWithoutItsFlag) {
    serve(take_all);
    start(settings(1, {{"username", "\"user\""}}));
    ASSERT_TRUE(all_arrive(1));
    EXPECT_EQ(broker_->received(PacketType::connect).front().username, "user");
    EXPECT_FALSE(broker_->received(PacketType::connect).front().password);
}
TEST_F(Mqtt5Connect, S3_1_2_19_PasswordWithItsFlag) {
    live(1);
    EXPECT_EQ(connect_flags() & 0x40, 0x40);
    EXPECT_EQ(broker_->received(PacketType::connect).front().password, "secret");
}
TEST_F(Mqtt5Connect, S3_1_3_1_FieldsOfConnectComeInTheirOrder) {
    live(1);
    const std::string bytes = connect_bytes();
    std::size_t at = 0;
    for (const char* field :
         {"MQTT", "\x02gw", "\x12holdfast/gw/status", "offline", "\x04user", "\x06secret"}) {
        at = bytes.find(field, at);
        ASSERT_NE(at, std::string::npos) << field;
    }
    EXPECT_EQ(at, bytes.size() - 7);
}

TEST_F(Mqtt5Connect, S3_1_2_20_IdleClientPingsWithinKeepAlive) {
    pings_when_idle();
}
TEST_F(Mqtt3Connect, S3_1_2_23_IdleClientPingsWithinKeepAlive) {
    pings_when_idle();
}

TEST_F(Mqtt3Connect, S3_1_3_7_ClientIdIsNeverEmpty) {
    connect_three_times();
    for (const Packet& connect : broker_->received(PacketType::connect))
        EXPECT_EQ(connect.client_id, "gw");
    EXPECT_FALSE(broker_->received(PacketType::connect).back().clean_start);
}

TEST_F(Mqtt5Connect, S3_14_4_1_NothingFollowsDisconnect) {
    last_packet_is_disconnect();
}
TEST_F(Mqtt3Connect, S3_14_4_2_NothingFollowsDisconnect) {
    last_packet_is_disconnect();
}
TEST_F(Mqtt5Connect, S3_14_4_2_ClosesAfterDisconnect) {
    closes_after_disconnect();
}
TEST_F(Mqtt3Connect, S3_14_4_1_ClosesAfterDisconnect) {
    closes_after_disconnect();
}

TEST_F(Mqtt5Connect, S4_12_0_NoAuthWithoutAMethod) {
    serve([](Peer& peer) {
        peer.accept();
        if (peer.number() == 0) peer.send({.type = PacketType::auth, .reason = 0x18});
        peer.serve();
    });
    start(settings(20));
    EXPECT_TRUE(all_arrive(20));
    EXPECT_TRUE(broker_->received(PacketType::auth).empty());
    EXPECT_FALSE(broker_->received(PacketType::connect).front().text(property::authentication_method));
}

TEST_F(Mqtt5Connect, S4_13_2_1_ClosesAfterAConnackThatRefuses) {
    std::atomic<bool> closed = false;
    serve([&](Peer& peer) {
        if (peer.number() > 0) return take_all(peer);
        peer.send_connack(0x89);
        peer.read_to_end();
        closed = peer.ended();
    });
    start(settings(3));
    EXPECT_TRUE(all_arrive(3));
    EXPECT_TRUE(closed);
}
TEST_F(Mqtt5Connect, S4_13_2_1_ClosesAfterADisconnectWithAnError) {
    std::atomic<bool> closed = false;
    serve([&](Peer& peer) {
        if (peer.number() > 0) return take_all(peer);
        peer.accept();
        (void)read_reading(peer);
        peer.send({.type = PacketType::disconnect, .reason = passing_break});
        peer.read_to_end();
        closed = peer.ended();
    });
    start(settings(3, {{"max_in_flight", "1"}}));  // so that nothing is on its way meanwhile
    EXPECT_TRUE(all_arrive(3));
    EXPECT_TRUE(closed);
}

TEST_F(Mqtt5Connect, S4_13_1_1_ClosesAtAPacketOfNoType) {
    closes_at("\x00\x00"s);
}
TEST_F(Mqtt3Connect, S4_8_0_1_ClosesAtAPacketOfNoType) {
    closes_at("\x00\x00"s);
}
TEST_F(Mqtt5Connect, S4_13_1_1_ClosesAtAPublishShorterThanItsProperties) {
    closes_at("\x30\x05\x00\x01t\x7F\x01"s);
}
TEST_F(Mqtt3Connect, S4_8_0_1_ClosesAtAPublishShorterThanItsTopic) {
    closes_at("\x30\x04\x00\x7Ftt"s);
}
TEST_F(Mqtt5Connect, S4_13_1_1_ClosesAtALengthOfFiveBytes) {
    closes_at("\x30\xFF\xFF\xFF\xFF\x01"s);
}
TEST_F(Mqtt3Connect, S4_8_0_1_ClosesAtALengthOfFiveBytes) {
    closes_at("\x30\xFF\xFF\xFF\xFF\x01"s);
}

struct BadName {
    const char* name;
    const char* key;
    const char* value;
};
// As TOML has it, or as bytes that TOML does not take.
const BadName bad_names[] = {
    {"S1_5_4_1_SurrogateInTheClientId", "client_id", "\"a\xED\xA0\x80\""},
    {"S1_5_4_1_EscapedSurrogateInTheClientId", "client_id", "\"a\\uD800\""},
    {"S1_5_4_1_SurrogateInTheUserName", "username", "\"a\xED\xA0\x80\""},
    {"S1_5_4_1_NotUtf8InTheTopic", "topic", "\"a/\xFF\""},
    {"S1_5_4_2_ZeroInTheClientId", "client_id", "\"a\\u0000b\""},
    {"S1_5_4_2_ZeroInTheUserName", "username", "\"a\\u0000b\""},
    {"S4_7_3_1_EmptyTopic", "topic", "\"\""},
    {"S4_7_3_2_ZeroInTheTopic", "topic", "\"a\\u0000b\""},
    {"S4_7_3_2_ZeroInTheStatusTopic", "status_topic", "\"a\\u0000b\""},
    {"S4_7_0_1_WildcardInTheStatusTopic", "status_topic", "\"a/+\""},
    {"S3_3_2_2_PlusInTheTopic", "topic", "\"a/+/b\""},
    {"S3_3_2_2_NumberSignInTheTopic", "topic", "\"a/#\""},
};

class Mqtt5Name : public MqttTest, public ::testing::WithParamInterface<BadName> {
  protected:
    void check_refused(const char* key, const std::string& value) {
        serve(take_all);
        AgentProcess& agent = prepare({.broker = {{key, value}}});
        const CommandResult checked = agent.command("check");
        EXPECT_EQ(checked.exit_code, 78);
        EXPECT_THAT(checked.output, ::testing::HasSubstr("holdfast.toml:"));
        agent.start();
        EXPECT_EQ(agent.wait_end(), 78);
        EXPECT_TRUE(broker_->log().empty());
    }
};

TEST_P(Mqtt5Name, IsRefusedAtLoadAndNeverOnTheWire) {
    check_refused(GetParam().key, GetParam().value);
}
TEST_F(Mqtt5Name, S4_7_3_3_TopicLongerThan65535Bytes) {
    check_refused("topic", "\"" + std::string(65'536, 't') + "\"");
}
TEST_F(Mqtt5Name, S4_7_3_3_ClientIdLongerThan65535Bytes) {
    check_refused("client_id", "\"" + std::string(65'536, 'c') + "\"");
}
INSTANTIATE_TEST_SUITE_P(Bad, Mqtt5Name, ::testing::ValuesIn(bad_names),
                         [](const auto& i) { return i.param.name; });

}  // namespace
}  // namespace holdfast::test
