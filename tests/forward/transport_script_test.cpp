// The Paho transport against brokers that do what a real one rarely does: packets are written out byte for
// byte.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include "broker/scripted_broker.hpp"
#include "forward/paho_transport.hpp"
#include "support/event_box.hpp"
#include "support/recording_log.hpp"
#include "support/scripted_server.hpp"
#include "support/wait_until.hpp"

namespace holdfast {
namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;
using test::EventBox;
using test::ScriptedServer;
using test::wait_until;
using Peer = ScriptedServer::Peer;
using ::testing::HasSubstr;

const std::string connack_v5 = "\x20\x03\x00\x00\x00"s;
const std::string connack_v5_session = "\x20\x03\x01\x00\x00"s;
const std::string connack_v3 = "\x20\x02\x00\x00"s;

constexpr char publish_type = 0x30;
constexpr char disconnect_type = '\xE0';

char type_of(const std::string& packet) {
    return packet.empty() ? '\0' : static_cast<char>(packet[0] & '\xF0');
}

// Of a QoS 1 or 2 PUBLISH with a topic of one letter.
std::string packet_id(const std::string& publish) {
    return publish.substr(5, 2);
}

// The other end's next write fails, whatever it has buffered.
void reset_at_close(const Peer& peer) {
    const linger at_once{1, 0};
    ::setsockopt(peer.fd(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

class ScriptTest : public ::testing::Test {
  protected:
    void SetUp() override { ::signal(SIGPIPE, SIG_IGN); }

    ConnectRequest request(const ScriptedServer& server, Protocol protocol = Protocol::v5) const {
        return request(server.port(), protocol);
    }
    ConnectRequest request(std::uint16_t port, Protocol protocol) const {
        ConnectRequest request;
        request.server =
            Server{.scheme = Scheme::mqtt, .host = "127.0.0.1", .port = port, .path = "", .url = ""};
        request.client_id = "script-test";
        request.protocol = protocol;
        request.clean_start = false;
        request.timeout = 2s;
        return request;
    }
    LinkFailure failure_of(const ConnectRequest& request) {
        transport_->connect(request);
        const auto failed = events_.next<transport::ConnectFailed>();
        return failed ? failed->failure : LinkFailure{.text = "it did not fail"};
    }

    test::RecordingLog log_;
    EventBox events_;
    std::unique_ptr<Transport> transport_ = make_paho_transport(events_.sink(), log_);
};

TEST_F(ScriptTest, PassesOnTheLimitsOfTheConnack) {
    ScriptedServer server([](Peer& peer, int) {
        peer.read_packet();
        // Receive Maximum 7, Maximum QoS 1, no retain, packets up to 1000 bytes, id "ab", 5 aliases, keep
        // alive 4.
        const std::string properties = "\x21\x00\x07\x24\x01\x25\x00\x27\x00\x00\x03\xE8\x12\x00\x02"s +
                                       "ab" + "\x22\x00\x05\x13\x00\x04"s;
        peer.send("\x20"s + static_cast<char>(3 + properties.size()) + "\x01\x00"s +
                  static_cast<char>(properties.size()) + properties);
        peer.read_to_end();
    });
    transport_->connect(request(server));
    const auto connected = events_.next<transport::Connected>();
    ASSERT_TRUE(connected);
    EXPECT_TRUE(connected->session_present);
    const BrokerLimits& limits = connected->limits;
    EXPECT_EQ(limits.receive_maximum, 7u);
    EXPECT_EQ(limits.maximum_qos, 1);
    EXPECT_FALSE(limits.retain_available);
    EXPECT_EQ(limits.maximum_packet_size, 1000u);
    EXPECT_EQ(limits.assigned_client_id, "ab");
    EXPECT_EQ(limits.topic_alias_maximum, 5);
    EXPECT_EQ(limits.server_keep_alive, 4);
}

TEST_F(ScriptTest, SendsAgainWhatWasNotAcknowledgedWhenTheBrokerKeptTheSession) {
    ScriptedServer server([](Peer& peer, int number) {
        peer.read_packet();
        peer.send(number == 0 ? connack_v5 : connack_v5_session);
        const std::string publish = peer.read_packet();
        if (number == 0) return;        // closes without an acknowledgement
        EXPECT_EQ(publish[0], '\x3A');  // QoS 1 with DUP
        peer.send("\x40\x02"s + packet_id(publish));
        peer.read_to_end();
    });
    transport_->connect(request(server));
    ASSERT_TRUE(events_.next<transport::Connected>());
    ASSERT_TRUE(transport_->publish(41, {"t", "once", 1, false}));
    ASSERT_TRUE(events_.next<transport::ConnectionLost>());
    EXPECT_EQ(events_.count<transport::DeliveryFailed>(), 0u);
    transport_->connect(request(server));
    ASSERT_TRUE(events_.next<transport::Connected>());
    const auto delivered = events_.next<transport::Delivered>();
    ASSERT_TRUE(delivered);
    EXPECT_EQ(delivered->token, 41u);
}

TEST_F(ScriptTest, FailsWhatWasNotAcknowledgedWhenTheBrokerLostTheSession) {
    ScriptedServer server([](Peer& peer, int number) {
        peer.read_packet();
        peer.send(connack_v5);
        if (number == 0)
            peer.read_packet();
        else
            peer.read_to_end();
    });
    transport_->connect(request(server));
    ASSERT_TRUE(events_.next<transport::Connected>());
    ASSERT_TRUE(transport_->publish(42, {"t", "lost", 1, false}));
    ASSERT_TRUE(events_.next<transport::ConnectionLost>());
    transport_->connect(request(server));
    const auto failed = events_.next<transport::DeliveryFailed>();
    ASSERT_TRUE(failed);
    EXPECT_EQ(failed->token, 42u);
    EXPECT_LT(failed->code, 0);
    EXPECT_TRUE(events_.next<transport::Connected>());
}

TEST_F(ScriptTest, FailsWhatWasNotAcknowledgedWhenAnotherServerTakesOver) {
    const auto answer = [](Peer& peer, int) {
        peer.read_packet();
        peer.send(connack_v5);
        peer.read_to_end();
    };
    ScriptedServer first(answer);
    ScriptedServer second(answer);
    transport_->connect(request(first));
    ASSERT_TRUE(events_.next<transport::Connected>());
    ASSERT_TRUE(transport_->publish(43, {"t", "x", 1, false}));
    transport_->connect(request(second));
    const auto failed = events_.next<transport::DeliveryFailed>();
    ASSERT_TRUE(failed);
    EXPECT_EQ(failed->token, 43u);
    EXPECT_LT(failed->code, 0);
    EXPECT_TRUE(events_.next<transport::Connected>());
}

TEST_F(ScriptTest, RefusedMessageFailsWithItsReasonCode) {
    ScriptedServer server([](Peer& peer, int) {
        peer.read_packet();
        peer.send(connack_v5);
        peer.send("\x40\x03"s + packet_id(peer.read_packet()) + "\x87");
        peer.send("\x40\x03"s + packet_id(peer.read_packet()) +
                  "\x10");  // no matching subscribers: a success
        peer.read_to_end();
    });
    transport_->connect(request(server));
    ASSERT_TRUE(events_.next<transport::Connected>());
    ASSERT_TRUE(transport_->publish(1, {"t", "forbidden", 1, false}));
    const auto failed = events_.next<transport::DeliveryFailed>();
    ASSERT_TRUE(failed);
    EXPECT_EQ(failed->token, 1u);
    EXPECT_EQ(failed->code, 0x87);
    EXPECT_THAT(failed->text, HasSubstr("not authorised"));
    ASSERT_TRUE(transport_->publish(2, {"t", "unheard", 1, false}));
    EXPECT_TRUE(events_.next<transport::Delivered>());
}

class ScriptVersions : public ScriptTest, public ::testing::WithParamInterface<Protocol> {
  protected:
    const std::string& connack() const { return GetParam() == Protocol::v5 ? connack_v5 : connack_v3; }
};

INSTANTIATE_TEST_SUITE_P(Transport, ScriptVersions, ::testing::Values(Protocol::v5, Protocol::v3_1_1),
                         [](const auto& i) { return i.param == Protocol::v5 ? "mqtt_5" : "mqtt_3_1_1"; });

TEST_P(ScriptVersions, DropSendsNoDisconnectAndTheMessageGoesAgain) {
    std::atomic<bool> said_goodbye = false;
    std::atomic<bool> published = false;
    ScriptedServer server([&](Peer& peer, int number) {
        peer.read_packet();
        std::string answer = connack();
        if (number == 1) answer[2] = 1;  // the session is there
        peer.send(answer);
        const std::string publish = peer.read_packet();
        EXPECT_EQ(type_of(publish), publish_type);
        published = true;
        if (number == 1) peer.send("\x40\x02"s + packet_id(publish));
        for (std::string packet = peer.read_packet(); !packet.empty() && number == 0;
             packet = peer.read_packet())
            if (type_of(packet) == disconnect_type) said_goodbye = true;
    });
    transport_->connect(request(server, GetParam()));
    ASSERT_TRUE(events_.next<transport::Connected>());
    ASSERT_TRUE(transport_->publish(5, {"t", "no answer comes", 1, false}));
    ASSERT_TRUE(wait_until([&] { return published.load(); }));
    transport_->drop();
    transport_->connect(request(server, GetParam()));
    ASSERT_TRUE(events_.next<transport::Connected>());
    const auto delivered = events_.next<transport::Delivered>();
    ASSERT_TRUE(delivered);
    EXPECT_EQ(delivered->token, 5u);
    EXPECT_FALSE(said_goodbye);
    EXPECT_EQ(events_.count<transport::ConnectionLost>(), 0u);
    EXPECT_EQ(log_.count(LogLevel::warning), 0u) << log_.text();
}

// Paho frees a message whose write fails, and goes on holding it: it would be sent again from freed memory.
TEST_P(ScriptVersions, MessagesThatAResetConnectionCouldNotTakeGoAgainUnharmed) {
    constexpr int resets = 10;
    constexpr DeliveryToken burst = 100;
    const std::string payload(40, '#');
    std::atomic<int> harmed = 0;
    ScriptedServer server([&](Peer& peer, int number) {
        peer.read_packet();
        std::string answer = connack();
        if (number > 0) answer[2] = 1;  // the session is there
        peer.send(answer);
        std::string publish = peer.read_packet();
        if (number < resets) return reset_at_close(peer);
        for (; !publish.empty(); publish = peer.read_packet()) {
            if (publish.substr(2, 3) != "\0\1t"s || !publish.ends_with(payload)) ++harmed;
            peer.send("\x40\x02"s + packet_id(publish));
        }
    });
    DeliveryToken taken = 0;
    for (int turn = 0; turn <= resets; ++turn) {
        transport_->connect(request(server, GetParam()));
        ASSERT_TRUE(events_.next<transport::Connected>());
        for (DeliveryToken i = 0; i < burst && transport_->publish(taken + 1, {"t", payload, 1, false}); ++i)
            ++taken;
        ASSERT_TRUE(turn == resets || events_.next<transport::ConnectionLost>());
    }
    for (DeliveryToken i = 0; i < taken; ++i)
        ASSERT_TRUE(events_.next<transport::Delivered>());
    EXPECT_EQ(events_.count<transport::DeliveryFailed>(), 0u);
    EXPECT_EQ(harmed, 0);
}

TEST_P(ScriptVersions, BrokerThatDoesNotAnswerConnectIsLeftInTime) {
    std::atomic<bool> answers = false;
    test::ScriptedBroker broker([&](test::ScriptedBroker::Connection& connection) {
        if (answers) connection.accept();
        connection.read_to_end();
    });
    ConnectRequest impatient = request(broker.port(), GetParam());
    const LinkFailure failure = failure_of(impatient);
    EXPECT_EQ(failure.kind, LinkFailure::Class::passing);
    EXPECT_THAT(failure.text, HasSubstr("does not answer CONNECT"));
    answers = true;
    impatient.timeout = 60s;  // the limit of the first attempt was the point
    transport_->connect(impatient);
    EXPECT_TRUE(events_.next<transport::Connected>());
    EXPECT_EQ(events_.count<transport::ConnectFailed>(), 0u);
    EXPECT_EQ(broker.violations(), "");
}

TEST_P(ScriptVersions, DropEndsAnAttemptThatHangs) {
    ScriptedServer server([&](Peer& peer, int number) {
        peer.read_packet();
        if (number > 0) peer.send(connack());
        peer.read_to_end();
    });
    ConnectRequest patient = request(server, GetParam());
    patient.timeout = 60s;
    transport_->connect(patient);
    ASSERT_TRUE(wait_until([&] { return server.connections() > 0; }));
    transport_->drop();
    transport_->connect(patient);
    EXPECT_TRUE(events_.next<transport::Connected>());
    EXPECT_EQ(events_.count<transport::ConnectFailed>(), 0u);
    EXPECT_EQ(log_.count(LogLevel::warning), 0u) << log_.text();
}

TEST_F(ScriptTest, SendsContentTypeExpiryAndUserProperties) {
    ScriptedServer server([](Peer& peer, int) {
        peer.read_packet();
        peer.send(connack_v5);
        const std::string publish = peer.read_packet();
        const std::string expected = "\x03\x00\x04text\x02\x00\x00\x00\x3C\x26\x00\x01k\x00\x02vw"s;
        EXPECT_EQ(publish.substr(7), static_cast<char>(expected.size()) + expected + "x");
        peer.send("\x40\x02"s + packet_id(publish));
        peer.read_to_end();
    });
    transport_->connect(request(server));
    ASSERT_TRUE(events_.next<transport::Connected>());
    ASSERT_TRUE(transport_->publish(1, {"t", "x", 1, false, "text", 60, {{"k", "vw"}}}));
    EXPECT_TRUE(events_.next<transport::Delivered>());
}

// A message larger than the sockets' buffers: what is left of it goes out as soon as there is room.
TEST_P(ScriptVersions, LargeMessagesFlow) {
    const std::string large(4'000'000, '#');
    constexpr int count = 5;
    ScriptedServer server([&](Peer& peer, int) {
        peer.read_packet();
        peer.send(connack());
        std::string bytes(65'536, ' ');
        const std::size_t all = count * (large.size() + 5);
        for (std::size_t got = 0; got < all;) {
            const ssize_t more = ::read(peer.fd(), bytes.data(), bytes.size());
            if (more <= 0) return;
            got += static_cast<std::size_t>(more);
        }
        for (char id = 1; id <= count; ++id)
            peer.send("\x40\x02\x00"s + id);
        peer.read_to_end();
    });
    transport_->connect(request(server, GetParam()));
    ASSERT_TRUE(events_.next<transport::Connected>());
    for (DeliveryToken token = 1; token <= count; ++token)
        ASSERT_TRUE(transport_->publish(token, {"t", large, 1, false}));
    for (int i = 0; i < count; ++i)
        ASSERT_TRUE(events_.next<transport::Delivered>());
}

TEST_F(ScriptTest, ProbeTellsWhetherAServerIsThere) {
    ScriptedServer server([](Peer& peer, int) {
        peer.read_packet();
        peer.send(connack_v5);
        peer.read_to_end();
    });
    ScriptedServer other([](Peer&, int) {});
    transport_->connect(request(server));
    ASSERT_TRUE(events_.next<transport::Connected>());
    transport_->probe(request(other).server, 2s);
    const auto there = events_.next<transport::Probed>();
    ASSERT_TRUE(there);
    EXPECT_TRUE(there->reachable);
    Server absent = request(other).server;
    absent.port = test::free_port();
    transport_->probe(absent, 2s);
    const auto away = events_.next<transport::Probed>();
    ASSERT_TRUE(away);
    EXPECT_FALSE(away->reachable);
}

TEST_P(ScriptVersions, UnsupportedVersionAsksForTheOther) {
    ScriptedServer server([&](Peer& peer, int) {
        peer.read_packet();
        peer.send(GetParam() == Protocol::v5 ? "\x20\x03\x00\x84\x00"s : "\x20\x02\x00\x01"s);
        peer.read_to_end();
    });
    EXPECT_EQ(failure_of(request(server, GetParam())).kind, LinkFailure::Class::protocol_version);
}

TEST_F(ScriptTest, CloseRightAtAVersion5ConnectAsksOnceForTheOtherVersion) {
    ScriptedServer server([](Peer& peer, int) { peer.read_packet(); });
    EXPECT_EQ(failure_of(request(server)).kind, LinkFailure::Class::protocol_version);
    const LinkFailure again = failure_of(request(server));
    EXPECT_EQ(again.kind, LinkFailure::Class::passing);
    EXPECT_THAT(again.text, HasSubstr("without answering CONNECT"));
    EXPECT_EQ(failure_of(request(server, Protocol::v3_1_1)).kind, LinkFailure::Class::passing);
}

TEST_F(ScriptTest, DisconnectOfTheBrokerEndsTheConnectionOnceWithItsReason) {
    ScriptedServer server([](Peer& peer, int number) {
        peer.read_packet();
        peer.send(connack_v5);
        if (number == 0) peer.send("\xE0\x02\x8B\x00"s);
        peer.read_to_end();
    });
    transport_->connect(request(server));
    ASSERT_TRUE(events_.next<transport::Connected>());
    const auto lost = events_.next<transport::ConnectionLost>();
    ASSERT_TRUE(lost);
    EXPECT_EQ(lost->failure.code, 0x8B);
    EXPECT_EQ(lost->failure.kind, LinkFailure::Class::passing);
    transport_->connect(request(server));
    EXPECT_TRUE(events_.next<transport::Connected>());
    EXPECT_EQ(events_.count<transport::ConnectionLost>(), 0u);
}

TEST_F(ScriptTest, SaysThatAnotherClientTookTheSessionOver) {
    ScriptedServer server([](Peer& peer, int) {
        peer.read_packet();
        peer.send(connack_v5);
        peer.send("\xE0\x02\x8E\x00"s);
        peer.read_to_end();
    });
    transport_->connect(request(server));
    const auto lost = events_.next<transport::ConnectionLost>();
    ASSERT_TRUE(lost);
    EXPECT_EQ(lost->failure.code, 0x8E);
    EXPECT_EQ(lost->failure.kind, LinkFailure::Class::person);
    EXPECT_THAT(lost->failure.text, HasSubstr("same client id"));
}

TEST_P(ScriptVersions, SubscriptionThatTheBrokerForbidsIsReported) {
    ScriptedServer server([&](Peer& peer, int) {
        peer.read_packet();
        peer.send(connack());
        for (std::string subscribe = peer.read_packet(); !subscribe.empty(); subscribe = peer.read_packet()) {
            const std::string id = subscribe.substr(2, 2);
            const bool is_pair = subscribe.find("two") != std::string::npos;
            const std::string codes = is_pair ? "\x01\x80"s : "\x80"s;
            const std::string properties = GetParam() == Protocol::v5 ? "\x00"s : ""s;
            const std::string body = id + properties + codes;
            peer.send("\x90"s + static_cast<char>(body.size()) + body);
        }
    });
    transport_->connect(request(server, GetParam()));
    ASSERT_TRUE(events_.next<transport::Connected>());
    for (const std::vector<std::string>& filters : {std::vector<std::string>{"one"}, {"one", "two"}}) {
        transport_->subscribe(filters, 1);
        const auto subscribed = events_.next<transport::Subscribed>();
        ASSERT_TRUE(subscribed);
        EXPECT_NE(subscribed->error, "") << filters.size();
    }
}

TEST_F(ScriptTest, IsDestroyedWhileAnAttemptHangs) {
    ScriptedServer server([](Peer& peer, int) { peer.read_to_end(); });
    ConnectRequest patient = request(server);
    patient.timeout = 60s;
    transport_->connect(patient);
    ASSERT_TRUE(wait_until([&] { return server.connections() > 0; }));
    transport_.reset();
    EXPECT_EQ(events_.count<transport::ConnectFailed>(), 0u);
}

TEST_F(ScriptTest, TakesNothingBeforeItIsConnected) {
    EXPECT_FALSE(transport_->publish(1, {"t", "x", 1, false}));
    transport_->drop();
    transport_->disconnect();
    EXPECT_TRUE(events_.next<transport::Disconnected>());
}

}  // namespace
}  // namespace holdfast
