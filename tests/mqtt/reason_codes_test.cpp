// What the agent does about each reason that a broker can give: a row a code. A refusal that stays is told
// once, waited out slowly, and ends neither the process nor the buffering.
#include <array>
#include <atomic>

#include "mqtt/mqtt_test.hpp"

namespace holdfast::test {
namespace {

using Time = std::chrono::steady_clock::time_point;

enum class Wait { passing, person };
struct Row {
    int code;
    const char* name;
    const char* advice;  // in the log
    Wait wait = Wait::passing;
};

std::string row_name(const ::testing::TestParamInfo<Row>& info) {
    std::array<char, 16> code{};
    std::snprintf(code.data(), code.size(), "_0x%02X_", static_cast<unsigned>(info.param.code));
    return "Code" + std::string(code.data()) + info.param.name;
}

std::string code_text(int code) {
    std::array<char, 16> text{};
    std::snprintf(text.data(), text.size(), code < 0x80 ? "(%d)" : "(0x%02X)", static_cast<unsigned>(code));
    return text.data();
}

constexpr auto longest_wait = 100ms;  // backoff_max of these tests; the least wait for a person is as long

class ReasonTest : public MqttTest {
  protected:
    static AgentSettings settings(MqttVersion version = MqttVersion::v5, AgentSettings::Keys broker = {}) {
        broker.emplace("backoff_max", "\"100ms\"");
        return {.version = version, .broker = std::move(broker), .readings = 10};
    }
    // From the end of a connection to the next CONNECT.
    std::vector<Time::duration> waits() const {
        std::vector<Time::duration> found;
        Time ended{};
        for (const BrokerEvent& event : broker_->log()) {
            if (event.kind == Kind::sent && event.packet->reason >= 1) ended = event.time;
            const bool is_connect = event.kind == Kind::received && event.packet->type == PacketType::connect;
            if (is_connect && ended != Time{}) found.push_back(event.time - std::exchange(ended, Time{}));
        }
        return found;
    }
    void expect_waits(const Row& row, std::size_t count) const {
        const auto all = waits();
        EXPECT_EQ(all.size(), count);
        const Time::duration least = row.wait == Wait::person ? longest_wait : Time::duration::zero();
        for (const auto wait : all)
            EXPECT_GE(wait, least);
    }
    // Nothing was lost meanwhile, and the process is there and ends as it should.
    void expect_all_delivered() {
        EXPECT_TRUE(all_arrive(10));
        EXPECT_TRUE(agent_->wait_status("buffer", "readings", "0"));
        EXPECT_EQ(agent_->status("broker", "state"), "connected");
        EXPECT_EQ(agent_->status("buffer", "dropped_readings"), "0");
        stop();
    }
};

class Connack : public ReasonTest, public ::testing::WithParamInterface<Row> {
  protected:
    void refuse_twice(MqttVersion version) {
        const Row& row = GetParam();
        serve([&row](Peer& peer) {
            if (peer.number() > 1) return take_all(peer);
            peer.send_connack(static_cast<std::uint8_t>(row.code));
            peer.read_to_end();
        });
        start(settings(version));
        expect_all_delivered();
        expect_waits(row, 2);
        EXPECT_EQ(agent_->logged("cannot connect to"), 1) << "once per change";
        EXPECT_EQ(agent_->logged(row.advice), 1);
        EXPECT_EQ(agent_->logged(code_text(row.code)), 1);
        EXPECT_EQ(agent_->logged("after 2 failed attempts"), 1);
    }
};

class Mqtt5Connack : public Connack {};
TEST_P(Mqtt5Connack, IsToldOnceAndWaitedOut) {
    refuse_twice(MqttVersion::v5);
}
const Row connack_rows[] = {
    {0x80, "UnspecifiedError", "gave no reason"},
    {0x81, "MalformedPacket", "please report this"},
    {0x82, "ProtocolError", "please report this"},
    {0x83, "ImplementationSpecific", "its log may say more"},
    {0x84, "UnsupportedProtocolVersion", "does not speak this version", Wait::person},
    {0x85, "ClientIdNotValid", "check client_id", Wait::person},
    {0x86, "BadUserNameOrPassword", "check username and password_file", Wait::person},
    {0x87, "NotAuthorized", "check the broker's access rules", Wait::person},
    {0x88, "ServerUnavailable", "not available"},
    {0x89, "ServerBusy", "busy"},
    {0x8A, "Banned", "ask who runs it", Wait::person},
    {0x8C, "BadAuthenticationMethod", "another way of authentication", Wait::person},
    {0x90, "TopicNameInvalid", "check topic and status_topic", Wait::person},
    {0x95, "PacketTooLarge", "larger than the broker allows", Wait::person},
    {0x97, "QuotaExceeded", "quota"},
    {0x99, "PayloadFormatInvalid", "payload format", Wait::person},
    {0x9C, "UseAnotherServer", "another server for now"},
    {0x9D, "ServerMoved", "check servers"},
    {0x9F, "ConnectionRateExceeded", "too many connections", Wait::person},
};
INSTANTIATE_TEST_SUITE_P(Reason, Mqtt5Connack, ::testing::ValuesIn(connack_rows), row_name);

class Mqtt3Connack : public Connack {};
TEST_P(Mqtt3Connack, IsToldOnceAndWaitedOut) {
    refuse_twice(MqttVersion::v3_1_1);
}
const Row connack_rows_v3[] = {
    {1, "UnacceptableProtocolVersion", "does not speak this version", Wait::person},
    {2, "IdentifierRejected", "check client_id", Wait::person},
    {3, "ServerUnavailable", "not available"},
    {4, "BadUserNameOrPassword", "check username and password_file", Wait::person},
    {5, "NotAuthorized", "check the broker's access rules", Wait::person},
};
INSTANTIATE_TEST_SUITE_P(Reason, Mqtt3Connack, ::testing::ValuesIn(connack_rows_v3), row_name);

TEST_F(ReasonTest, Connack_0x00_SuccessDelivers) {
    serve(take_all);
    start(settings());
    expect_all_delivered();
    EXPECT_EQ(agent_->logged("warning"), 0);
}
TEST_F(ReasonTest, Connack_0x84_FallsBackTo3_1_1) {
    serve([](Peer& peer) {
        if (peer.version() == MqttVersion::v5) return peer.send_connack(0x84);
        take_all(peer);
    });
    start(settings(MqttVersion::v5, {{"protocol", "\"auto\""}}));
    expect_all_delivered();
    EXPECT_EQ(broker_->connects(), 2);
    EXPECT_EQ(agent_->logged("does not speak MQTT 5: trying 3.1.1"), 1);
}
TEST_F(ReasonTest, Connack_0x9A_ConnectsWithoutARetainedWill) {
    serve([](Peer& peer) {
        if (peer.connect().will && peer.connect().will->retain) return peer.send_connack(0x9A);
        take_all(peer);
    });
    start(settings());
    expect_all_delivered();
    EXPECT_EQ(broker_->connects(), 2);
    EXPECT_EQ(agent_->logged("does not keep retained messages"), 1);
}
TEST_F(ReasonTest, Connack_0x9B_ConnectsWithALesserWill) {
    serve([](Peer& peer) {
        if (peer.connect().will && peer.connect().will->qos > 0) return peer.send_connack(0x9B);
        take_all(peer);
    });
    start(settings());
    expect_all_delivered();
    EXPECT_EQ(broker_->connects(), 2);
    EXPECT_EQ(agent_->logged("quality of service"), 1);
}
class ConnackReference : public ReasonTest, public ::testing::WithParamInterface<int> {};
TEST_P(ConnackReference, OfAnotherServerIsNotFollowed) {
    ScriptedBroker elsewhere(take_all);
    const std::string reference = "localhost:" + std::to_string(elsewhere.port());
    serve([&](Peer& peer) {
        if (peer.number() > 1) return take_all(peer);
        peer.send_connack(static_cast<std::uint8_t>(GetParam()), false,
                          {{property::server_reference, reference}});
    });
    start(settings());
    expect_all_delivered();
    EXPECT_TRUE(elsewhere.log().empty());
}
INSTANTIATE_TEST_SUITE_P(Code, ConnackReference, ::testing::Values(0x9C, 0x9D),
                         [](const auto& i) { return "_" + std::to_string(i.param); });

// Of a PUBACK by QoS 1, and of a PUBREC by QoS 2.
struct Refusal {
    int code;
    const char* name;
    enum class Then { delivered, tried_again, set_aside } then;
    const char* advice = "";
};
class Acknowledgement : public ReasonTest, public ::testing::WithParamInterface<std::tuple<int, Refusal>> {};
TEST_P(Acknowledgement, BlocksNothing) {
    const auto& [qos, row] = GetParam();
    std::atomic<int> answered = 0;
    serve([&, code = row.code](Peer& peer) {
        peer.accept();
        while (const auto packet = peer.read()) {
            const bool first = reading_number(*packet) == 0 && answered++ == 0;
            if (first)
                peer.acknowledge(*packet, static_cast<std::uint8_t>(code));
            else
                peer.answer(*packet);
        }
    });
    start(settings(MqttVersion::v5, {{"qos", std::to_string(qos)}}));
    EXPECT_TRUE(all_arrive(10));
    const bool kept = row.then == Refusal::Then::set_aside;
    EXPECT_TRUE(agent_->wait_status("forward", "acked_readings", kept ? "9" : "10"));
    EXPECT_EQ(agent_->status("buffer", "readings"), kept ? "1" : "0");
    EXPECT_EQ(agent_->status("buffer", "dropped_readings"), "0");
    EXPECT_EQ(broker_->connects(), 1);
    EXPECT_EQ(answered, row.then == Refusal::Then::tried_again ? 2 : 1);
    EXPECT_EQ(agent_->logged("set aside 1 message"), kept ? 1 : 0);
    stop();
    if (!kept) return;
    EXPECT_EQ(agent_->logged(row.advice), 1);
    // It is sent again when somebody has mended the cause and says so, not by a restart.
    start({.version = MqttVersion::v5, .broker = {{"qos", std::to_string(qos)}}, .readings = 1});
    EXPECT_TRUE(agent_->wait_status("forward", "acked_readings", "1"));
    EXPECT_EQ(answered, 2);
    EXPECT_EQ(agent_->command("buffer refused retry --all").exit_code, 0);
    EXPECT_TRUE(agent_->wait_status("forward", "acked_readings", "2"));
    EXPECT_EQ(answered, 3);
    stop();
}
constexpr Refusal refusals[] = {
    {0x10, "NoMatchingSubscribers", Refusal::Then::delivered},
    {0x80, "UnspecifiedError", Refusal::Then::tried_again},
    {0x83, "ImplementationSpecific", Refusal::Then::tried_again},
    {0x87, "NotAuthorized", Refusal::Then::set_aside, "check the broker's access rules"},
    {0x90, "TopicNameInvalid", Refusal::Then::set_aside, "check topic"},
    {0x91, "PacketIdentifierInUse", Refusal::Then::tried_again},
    {0x97, "QuotaExceeded", Refusal::Then::tried_again},
    {0x99, "PayloadFormatInvalid", Refusal::Then::set_aside, "payload format"},
};
std::string refusal_name(const ::testing::TestParamInfo<std::tuple<int, Refusal>>& info) {
    const auto& [qos, row] = info.param;
    std::array<char, 32> text{};
    std::snprintf(text.data(), text.size(), "%s_0x%02X_", qos == 1 ? "Puback" : "Pubrec",
                  static_cast<unsigned>(row.code));
    return std::string(text.data()) + row.name;
}
INSTANTIATE_TEST_SUITE_P(Reason, Acknowledgement,
                         ::testing::Combine(::testing::Values(1, 2), ::testing::ValuesIn(refusals)),
                         refusal_name);

// Which message it was the broker does not say: the largest in flight, here the only one, is set aside.
TEST_F(ReasonTest, DisconnectForAPacketThatIsTooLargeSetsTheLargestAside) {
    serve([](Peer& peer) {
        peer.accept();
        if (peer.number() > 0) return peer.serve();
        (void)read_reading(peer);
        peer.send({.type = PacketType::disconnect, .reason = 0x95});
        peer.read_to_end();
    });
    start(settings(MqttVersion::v5, {{"max_in_flight", "1"}}));
    EXPECT_TRUE(agent_->wait_status("forward", "acked_readings", "9"));
    EXPECT_EQ(agent_->status("buffer", "readings"), "1");
    EXPECT_EQ(agent_->logged("set aside 1 message"), 1);
    EXPECT_EQ(readings().size(), 10U);
}

class Mqtt5Disconnect : public ReasonTest, public ::testing::WithParamInterface<Row> {};
TEST_P(Mqtt5Disconnect, IsToldAndTheAgentComesBack) {
    const Row& row = GetParam();
    serve([&row](Peer& peer) {
        peer.accept();
        if (peer.number() > 0) return peer.serve();
        (void)read_reading(peer);
        peer.send({.type = PacketType::disconnect, .reason = static_cast<std::uint8_t>(row.code)});
        peer.read_to_end();
    });
    start(settings(MqttVersion::v5, {{"max_in_flight", "1"}}));
    expect_all_delivered();
    expect_waits(row, row.code == 0 ? 0 : 1);
    EXPECT_EQ(broker_->connects(), 2);
    EXPECT_EQ(agent_->logged(row.advice), 1);
    EXPECT_EQ(agent_->logged(code_text(row.code)), 1);
}
const Row disconnect_rows[] = {
    {0x00, "Normal", "the broker ended the connection"},
    {0x80, "UnspecifiedError", "gave no reason"},
    {0x81, "MalformedPacket", "please report this"},
    {0x82, "ProtocolError", "please report this"},
    {0x83, "ImplementationSpecific", "its log may say more"},
    {0x87, "NotAuthorized", "check the broker's access rules", Wait::person},
    {0x89, "ServerBusy", "busy"},
    {0x8B, "ServerShuttingDown", "shutting down"},
    {0x8D, "KeepAliveTimeout", "keep alive"},
    {0x8E, "SessionTakenOver", "give each its own", Wait::person},
    {0x8F, "TopicFilterInvalid", "topic filter", Wait::person},
    {0x90, "TopicNameInvalid", "check topic and status_topic", Wait::person},
    {0x93, "ReceiveMaximumExceeded", "please report this"},
    {0x94, "TopicAliasInvalid", "please report this"},
    {0x96, "MessageRateTooHigh", "message rate"},
    {0x97, "QuotaExceeded", "quota"},
    {0x98, "AdministrativeAction", "administrator"},
    {0x99, "PayloadFormatInvalid", "payload format", Wait::person},
    {0x9A, "RetainNotSupported", "set status_topic", Wait::person},
    {0x9B, "QosNotSupported", "lower qos", Wait::person},
    {0x9C, "UseAnotherServer", "another server for now"},
    {0x9D, "ServerMoved", "check servers"},
    {0x9E, "SharedSubscriptionsNotSupported", "shared subscriptions", Wait::person},
    {0x9F, "ConnectionRateExceeded", "too many connections", Wait::person},
    {0xA0, "MaximumConnectTime", "longest time"},
    {0xA1, "SubscriptionIdsNotSupported", "subscription", Wait::person},
    {0xA2, "WildcardsNotSupported", "wildcard", Wait::person},
};
INSTANTIATE_TEST_SUITE_P(Reason, Mqtt5Disconnect, ::testing::ValuesIn(disconnect_rows), row_name);

}  // namespace
}  // namespace holdfast::test
