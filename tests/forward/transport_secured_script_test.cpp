// What goes over TLS only, against a broker that does what a real one rarely does: topic aliases, and
// messages that are sent again over the same connection.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include "broker/scripted_broker.hpp"
#include "forward/paho_transport.hpp"
#include "support/event_box.hpp"
#include "support/recording_log.hpp"

namespace holdfast {
namespace {

using namespace std::chrono_literals;

class SecuredScript : public ::testing::Test {
  protected:
    void SetUp() override { ::signal(SIGPIPE, SIG_IGN); }

    test::CertificatePair certificate() const { return ca_.issue("server"); }
    ConnectRequest request_to(const test::ScriptedBroker& broker, Protocol protocol) const {
        ConnectRequest request;
        request.server = Server{
            .scheme = Scheme::mqtts, .host = "localhost", .port = broker.port(), .path = "", .url = ""};
        request.client_id = "script-test";
        request.protocol = protocol;
        request.clean_start = false;
        request.timeout = 2s;
        request.tls.ca_file = ca_.file();
        return request;
    }

    const test::TempDir directory_;
    const test::CertificateAuthority ca_{directory_, "CA"};
    test::RecordingLog log_;
    test::EventBox events_;
    std::unique_ptr<Transport> transport_ = make_paho_transport(events_.sink(), log_);
};

TEST_F(SecuredScript, TopicAliasesAreUsedWhenOfferedAndEndWithTheirConnection) {
    test::ScriptedBroker broker(
        [&](test::ScriptedBroker::Connection& connection) {
            const test::Properties offer = {{test::property::topic_alias_maximum, 2U}};
            if (connection.number() > 0) {
                connection.resume(offer);
                return connection.serve();
            }
            connection.accept(offer);
            for (int i = 0; i < 5; ++i)
                (void)connection.read(test::PacketType::publish);
        },
        {.tls = certificate()});
    const ConnectRequest secured = request_to(broker, Protocol::v5);
    transport_->connect(secured);
    ASSERT_TRUE(events_.next<transport::Connected>());
    DeliveryToken token = 0;
    const auto topics = {"room/one", "room/two", "room/one", "room/six", "room/two"};
    for (const char* topic : topics)
        ASSERT_TRUE(transport_->publish(++token, {topic, "x", 1, false}));
    ASSERT_TRUE(events_.next<transport::ConnectionLost>());
    transport_->connect(secured);
    ASSERT_TRUE(events_.next<transport::Connected>());
    ASSERT_TRUE(transport_->publish(++token, {"room/one", "x", 1, false}));
    for (DeliveryToken i = 0; i < token; ++i)
        ASSERT_TRUE(events_.next<transport::Delivered>());

    std::vector<std::pair<std::string, std::uint32_t>> seen;
    for (const test::Packet& packet : broker.received(test::PacketType::publish))
        seen.emplace_back(packet.topic, packet.number(test::property::topic_alias).value_or(0));
    using Seen = std::pair<std::string, std::uint32_t>;
    std::vector<Seen> expected = {{"room/one", 1}, {"room/two", 2}, {"", 1}, {"room/six", 0}, {"", 2}};
    // What is sent again comes before anything else, and with its topic.
    for (const char* topic : topics)
        expected.emplace_back(topic, 0);
    expected.emplace_back("room/one", 1);
    EXPECT_EQ(seen, expected);
    EXPECT_EQ(broker.violations(), "");
}

// MQTT 3.1.1 allows it (4.4), MQTT 5 does not (4.4.0-1).
TEST_F(SecuredScript, MessageWithoutAcknowledgementGoesAgainOverTheSameConnectionByTheOldVersion) {
    test::ScriptedBroker broker(
        [&](test::ScriptedBroker::Connection& connection) {
            connection.accept();
            const auto publish = connection.read(test::PacketType::publish);
            const auto again = connection.read(test::PacketType::publish);
            EXPECT_TRUE(again && again->dup);
            if (again) connection.acknowledge(*again);
            connection.serve();
        },
        {.tls = certificate()});
    ConnectRequest retrying = request_to(broker, Protocol::v3_1_1);
    retrying.retry_interval = 10s;
    transport_->connect(retrying);
    ASSERT_TRUE(events_.next<transport::Connected>());
    ASSERT_TRUE(transport_->publish(1, {"t", "x", 1, false}));
    EXPECT_TRUE(events_.next<transport::Delivered>(60s));
    EXPECT_EQ(broker.connects(), 1);
    EXPECT_EQ(broker.violations(), "");
}

// What was begun to be sent again before the broker's offer of aliases is known goes on as it was begun.
TEST_F(SecuredScript, PacketThatIsHalfWrittenIsNotShortened) {
    constexpr int count = 400;
    const std::string payload(15'000, '#');
    std::atomic<std::size_t> taken_in = 0;
    test::ScriptedBroker broker(
        [&](test::ScriptedBroker::Connection& connection) {
            const test::Properties offer = {{test::property::topic_alias_maximum, 2U}};
            if (connection.number() == 0) {
                connection.accept(offer);
                for (int i = 0; i < count; ++i)
                    (void)connection.read(test::PacketType::publish);
                return;
            }
            connection.resume(offer);
            taken_in = connection.wait_until_full();
            connection.serve();
        },
        {.tls = certificate(), .receive_buffer = 64 * 1024});
    const ConnectRequest secured = request_to(broker, Protocol::v5);
    transport_->connect(secured);
    ASSERT_TRUE(events_.next<transport::Connected>());
    for (DeliveryToken token = 1; token <= count; ++token)
        ASSERT_TRUE(transport_->publish(token, {"room/one", payload, 1, false}));
    ASSERT_TRUE(events_.next<transport::ConnectionLost>());
    transport_->connect(secured);
    ASSERT_TRUE(events_.next<transport::Connected>());
    for (int i = 0; i < count; ++i)
        ASSERT_TRUE(events_.next<transport::Delivered>()) << i;
    // More was left than a socket takes ahead (tcp_wmem): some of it in the middle of a packet.
    EXPECT_GT(taken_in, 0u);
    EXPECT_GT(count * payload.size() - taken_in, 4u * 1024 * 1024);
    EXPECT_EQ(broker.connects(), 2);
    EXPECT_EQ(broker.violations(), "");
}

}  // namespace
}  // namespace holdfast
