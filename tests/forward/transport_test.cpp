// The Paho transport against real brokers: mosquitto over TCP, TLS, mutual TLS and WebSockets, both versions,
// each QoS.
#include "forward/paho_transport.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include "support/certificates.hpp"
#include "support/event_box.hpp"
#include "support/mosquitto_broker.hpp"
#include "support/recording_log.hpp"

namespace holdfast {
namespace {

using namespace std::chrono_literals;
using test::CertificateAuthority;
using test::CertificatePair;
using test::CertificateSpec;
using test::EventBox;
using test::MosquittoBroker;
using test::TempDir;
using ::testing::HasSubstr;

ConnectRequest request_to(Scheme scheme, std::uint16_t port, Protocol protocol) {
    ConnectRequest request;
    request.server = Server{.scheme = scheme, .host = "localhost", .port = port, .path = "", .url = ""};
    if (scheme == Scheme::ws || scheme == Scheme::wss) request.server.path = "/mqtt";
    request.client_id = "transport-test";
    request.protocol = protocol;
    return request;
}

class TransportTest : public ::testing::Test {
  protected:
    void SetUp() override { ::signal(SIGPIPE, SIG_IGN); }

    testing::AssertionResult connects(Transport& transport, EventBox& events, const ConnectRequest& request) {
        transport.connect(request);
        if (const auto connected = events.next<transport::Connected>()) {
            session_present_ = connected->session_present;
            return testing::AssertionSuccess();
        }
        const auto failed = events.next<transport::ConnectFailed>(0ms);
        return testing::AssertionFailure() << (failed ? failed->failure.text : "no answer");
    }
    testing::AssertionResult connects(const ConnectRequest& request) {
        return connects(*transport_, events_, request);
    }
    LinkFailure failure_of(const ConnectRequest& request) {
        transport_->connect(request);
        const auto failed = events_.next<transport::ConnectFailed>();
        return failed ? failed->failure : LinkFailure{.text = "it did not fail"};
    }

    test::RecordingLog log_;
    EventBox events_;
    std::unique_ptr<Transport> transport_ = make_paho_transport(events_.sink(), log_);
    bool session_present_ = false;
};

// Every way to reach a broker.
struct Way {
    const char* name;
    Scheme scheme;
    bool client_certificate;
    Protocol protocol;
};

class EveryWay : public TransportTest, public ::testing::WithParamInterface<Way> {
  protected:
    std::vector<std::string> broker_lines() {
        const Way& way = GetParam();
        std::vector<std::string> lines = {"allow_anonymous true"};
        if (way.scheme == Scheme::ws || way.scheme == Scheme::wss) lines.push_back("protocol websockets");
        if (!uses_tls(way.scheme)) return lines;
        const CertificatePair server = ca_.issue("server");
        lines.push_back("certfile " + server.certificate.string());
        lines.push_back("keyfile " + server.key.string());
        lines.push_back("cafile " + ca_.file().string());
        if (way.client_certificate) lines.push_back("require_certificate true");
        return lines;
    }
    ConnectRequest request(const MosquittoBroker& broker) {
        ConnectRequest request = request_to(GetParam().scheme, broker.port(), GetParam().protocol);
        request.tls.ca_file = ca_.file();
        if (!GetParam().client_certificate) return request;
        const CertificatePair client =
            ca_.issue("client", {.common_name = "gw-17", .key_password = "open sesame"});
        request.tls.cert_file = client.certificate;
        request.tls.key_file = client.key;
        request.tls.key_password_file = directory_.write("key-password", "open sesame\n");
        return request;
    }

    TempDir directory_;
    CertificateAuthority ca_{directory_, "Test CA"};
};

TEST_P(EveryWay, DeliversAtEachQualityOfServiceAndReceives) {
    const MosquittoBroker broker(broker_lines());
    ASSERT_TRUE(connects(request(broker)));
    transport_->subscribe({"way/#", "other/+"}, 2);
    const auto subscribed = events_.next<transport::Subscribed>();
    ASSERT_TRUE(subscribed);
    EXPECT_EQ(subscribed->error, "");

    for (int qos = 0; qos <= 2; ++qos) {
        const std::string topic = "way/" + std::to_string(qos);
        const std::string payload("with a zero \0 inside", 20);
        ASSERT_TRUE(transport_->publish(100 + static_cast<DeliveryToken>(qos), {topic, payload, qos, false}));
        const auto delivered = events_.next<transport::Delivered>();
        ASSERT_TRUE(delivered) << "qos " << qos;
        EXPECT_EQ(delivered->token, 100u + static_cast<unsigned>(qos));
        const auto received = events_.next<transport::Received>();
        ASSERT_TRUE(received) << "qos " << qos;
        EXPECT_EQ(received->topic, topic);
        EXPECT_EQ(received->payload, payload);
        EXPECT_EQ(received->qos, qos);
        EXPECT_FALSE(received->retained);
    }
    transport_->disconnect();
    EXPECT_TRUE(events_.next<transport::Disconnected>());
    EXPECT_EQ(events_.count<transport::ConnectionLost>(), 0u);
    EXPECT_FALSE(transport_->publish(200, {"way/0", "x", 0, false}));
}

INSTANTIATE_TEST_SUITE_P(Transport, EveryWay,
                         ::testing::Values(Way{"mqtt_5", Scheme::mqtt, false, Protocol::v5},
                                           Way{"mqtt_3_1_1", Scheme::mqtt, false, Protocol::v3_1_1},
                                           Way{"tls_5", Scheme::mqtts, false, Protocol::v5},
                                           Way{"tls_3_1_1", Scheme::mqtts, false, Protocol::v3_1_1},
                                           Way{"mutual_tls_5", Scheme::mqtts, true, Protocol::v5},
                                           Way{"mutual_tls_3_1_1", Scheme::mqtts, true, Protocol::v3_1_1},
                                           Way{"ws_5", Scheme::ws, false, Protocol::v5},
                                           Way{"ws_3_1_1", Scheme::ws, false, Protocol::v3_1_1},
                                           Way{"wss_5", Scheme::wss, false, Protocol::v5},
                                           Way{"wss_3_1_1", Scheme::wss, false, Protocol::v3_1_1}),
                         [](const auto& test_info) { return test_info.param.name; });

class EveryVersion : public TransportTest, public ::testing::WithParamInterface<Protocol> {
  protected:
    ConnectRequest request(const MosquittoBroker& broker) const {
        return request_to(Scheme::mqtt, broker.port(), GetParam());
    }
};

std::string version_name(const ::testing::TestParamInfo<Protocol>& test_info) {
    return test_info.param == Protocol::v5 ? "mqtt_5" : "mqtt_3_1_1";
}

INSTANTIATE_TEST_SUITE_P(Transport, EveryVersion, ::testing::Values(Protocol::v5, Protocol::v3_1_1),
                         version_name);

TEST_P(EveryVersion, WrongPasswordIsForAPersonAndTheRightOneConnects) {
    const TempDir directory;
    const auto passwords = directory / "passwords";
    ASSERT_EQ(std::system(("mosquitto_passwd -c -b " + passwords.string() + " gw-17 right").c_str()), 0);
    const MosquittoBroker broker({"allow_anonymous false", "password_file " + passwords.string()});

    ConnectRequest wrong = request(broker);
    wrong.username = "gw-17";
    wrong.password = "wrong";
    const LinkFailure failure = failure_of(wrong);
    EXPECT_EQ(failure.kind, LinkFailure::Class::person) << failure.text;
    EXPECT_NE(failure.code, 0);

    ConnectRequest right = wrong;
    right.password = "right";
    EXPECT_TRUE(connects(right));
}

TEST_P(EveryVersion, ResumesTheSessionThatTheBrokerKept) {
    MosquittoBroker broker({"allow_anonymous true", "persistence true"});
    ConnectRequest again = request(broker);
    again.clean_start = false;
    ASSERT_TRUE(connects(again));
    broker.stop();
    ASSERT_TRUE(events_.next<transport::ConnectionLost>());
    EXPECT_FALSE(transport_->publish(1, {"t", "while away", 1, false}));
    broker.start();
    ASSERT_TRUE(connects(again));
    EXPECT_TRUE(session_present_);
    ASSERT_TRUE(transport_->publish(2, {"t", "back", 1, false}));
    EXPECT_TRUE(events_.next<transport::Delivered>());
}

TEST_P(EveryVersion, ConnectsToABrokerThatLostTheSession) {
    MosquittoBroker broker({"allow_anonymous true", "persistence false"});
    ConnectRequest again = request(broker);
    again.clean_start = false;
    ASSERT_TRUE(connects(again));
    broker.kill();
    ASSERT_TRUE(events_.next<transport::ConnectionLost>());
    broker.start();
    ASSERT_TRUE(connects(again));
    EXPECT_FALSE(session_present_);
}

TEST_P(EveryVersion, DropMakesTheBrokerSendTheWill) {
    const MosquittoBroker broker;
    EventBox watcher_events;
    const auto watcher = make_paho_transport(watcher_events.sink(), log_);
    ConnectRequest watching = request(broker);
    watching.client_id = "watcher";
    ASSERT_TRUE(connects(*watcher, watcher_events, watching));
    watcher->subscribe({"status"}, 1);
    ASSERT_TRUE(watcher_events.next<transport::Subscribed>());

    ConnectRequest with_will = request(broker);
    with_will.will = Will{.topic = "status", .payload = "offline", .qos = 1, .retain = true};
    ASSERT_TRUE(connects(with_will));
    transport_->drop();
    const auto will = watcher_events.next<transport::Received>();
    ASSERT_TRUE(will);
    EXPECT_EQ(will->payload, "offline");
    EXPECT_FALSE(transport_->publish(1, {"t", "x", 1, false}));

    ASSERT_TRUE(connects(with_will));
    EXPECT_EQ(events_.count<transport::ConnectionLost>(), 0u);
}

TEST_P(EveryVersion, GoodbyeSendsNoWill) {
    const MosquittoBroker broker;
    EventBox watcher_events;
    const auto watcher = make_paho_transport(watcher_events.sink(), log_);
    ConnectRequest watching = request(broker);
    watching.client_id = "watcher";
    ASSERT_TRUE(connects(*watcher, watcher_events, watching));
    watcher->subscribe({"status"}, 1);
    ASSERT_TRUE(watcher_events.next<transport::Subscribed>());

    ConnectRequest with_will = request(broker);
    with_will.will = Will{.topic = "status", .payload = "will"};
    ASSERT_TRUE(connects(with_will));
    ASSERT_TRUE(transport_->publish(1, {"status", "goodbye", 1, false}));
    ASSERT_TRUE(events_.next<transport::Delivered>());
    transport_->disconnect();
    ASSERT_TRUE(events_.next<transport::Disconnected>());
    // Another connection after it, so that a will would have come before.
    ASSERT_TRUE(connects(request(broker)));
    ASSERT_TRUE(transport_->publish(2, {"status", "end", 1, false}));
    EXPECT_EQ(watcher_events.next<transport::Received>()->payload, "goodbye");
    EXPECT_EQ(watcher_events.next<transport::Received>()->payload, "end");
}

TEST_P(EveryVersion, DropLeavesABrokerThatIsFrozen) {
    MosquittoBroker broker;
    ASSERT_TRUE(connects(request(broker)));
    broker.freeze();
    ASSERT_TRUE(transport_->publish(7, {"t", "no answer comes", 1, false}));
    transport_->drop();
    broker.thaw();
    ASSERT_TRUE(connects(request(broker)));
    EXPECT_EQ(events_.count<transport::ConnectionLost>(), 0u);
}

TEST_F(TransportTest, TakesTheNextServerAfterAnother) {
    const MosquittoBroker first;
    const MosquittoBroker second;
    ASSERT_TRUE(connects(request_to(Scheme::mqtt, first.port(), Protocol::v5)));
    ASSERT_TRUE(connects(request_to(Scheme::mqtt, second.port(), Protocol::v3_1_1)));
    ASSERT_TRUE(transport_->publish(1, {"t", "x", 1, false}));
    EXPECT_TRUE(events_.next<transport::Delivered>());
    EXPECT_EQ(events_.count<transport::ConnectionLost>(), 0u);
}

TEST_F(TransportTest, SaysThatNobodyListens) {
    const LinkFailure failure = failure_of(request_to(Scheme::mqtt, test::free_port(), Protocol::v5));
    EXPECT_EQ(failure.kind, LinkFailure::Class::passing);
    EXPECT_THAT(failure.text, HasSubstr("Connection refused"));
}

TEST_F(TransportTest, SaysThatTheNameDoesNotResolve) {
    ConnectRequest request = request_to(Scheme::mqtt, 1883, Protocol::v5);
    request.server.host = "no-such-host.invalid";
    request.timeout = 5s;
    const LinkFailure failure = failure_of(request);
    EXPECT_EQ(failure.kind, LinkFailure::Class::passing);
    EXPECT_THAT(failure.text, HasSubstr("cannot resolve no-such-host.invalid"));
}

}  // namespace
}  // namespace holdfast
