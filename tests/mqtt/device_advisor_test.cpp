// The cases of AWS IoT Core Device Advisor that a device which only publishes can be put to, by their ids.
#include <algorithm>
#include <atomic>
#include <future>
#include <numeric>

#include "mqtt/mqtt_test.hpp"
#include "support/backoff_class.hpp"
#include "support/scripted_server.hpp"

namespace holdfast::test {
namespace {

// Of a ClientHello: 5 bytes of record, 4 of handshake, 2 of version, 32 of random, the session id, the list.
std::vector<int> cipher_suites(const std::string& hello) {
    const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(hello.at(at)); };
    std::size_t at = 5 + 4 + 2 + 32;
    at += 1U + byte(at);
    const std::size_t end = at + 2 + (byte(at) << 8U | byte(at + 1));
    std::vector<int> suites;
    for (at += 2; at < end; at += 2)
        suites.push_back(byte(at) << 8 | byte(at + 1));
    return suites;
}

class DeviceAdvisor : public MqttTest {
  protected:
    static constexpr int gaps_per_round = 12;
    static constexpr int compared = 5;  // the last ones, in which a busy machine weighs least
    static constexpr int summed = 4;    // of the first and of the last

    static AgentSettings settings(AgentSettings::Keys broker = {}) {
        broker.emplace("backoff_initial", "\"20ms\"");
        broker.emplace("backoff_max", "\"2s\"");
        return {.broker = std::move(broker)};
    }
    void expect_refused(const CertificatePair& pair, const char* alert, const char* advice) {
        serve(take_all, {.tls = pair});
        start(settings());
        EXPECT_TRUE(broker_->wait([&](const auto& log) {
            for (const BrokerEvent& event : log)
                if (event.kind == Kind::handshake_failed && event.text.find(alert) != std::string::npos)
                    return true;
            return false;
        })) << alert;
        EXPECT_TRUE(agent_->wait_logged(advice));
        EXPECT_EQ(broker_->connects(), 0);
    }
    // From the end of each connection to the next CONNECT, as the broker sees it. Attempts that did not come
    // as far as a CONNECT, on a busy machine, are a part of the gap.
    Gaps gaps() const {
        Gaps found;
        std::optional<std::chrono::steady_clock::time_point> ended;
        std::set<int> connected;
        for (const BrokerEvent& event : broker_->log()) {
            if (event.kind == Kind::closed && connected.contains(event.connection)) ended = event.time;
            if (event.kind != Kind::received || event.packet->type != PacketType::connect) continue;
            connected.insert(event.connection);
            if (ended) found.push_back(std::chrono::duration<double>(event.time - *ended).count());
        }
        return found;
    }
    // Two processes, a round each: `end` is what the broker does to every connection. With waits as ours one
    // round in some 100,000 fails by chance.
    void expect_growing_jitter(const ScriptedBroker::Script& end, AgentSettings::Keys broker = {}) {
        Gaps last[2];
        double first_gaps = 0, last_gaps = 0;
        for (Gaps& compared_gaps : last) {
            agent_.reset();
            serve([&](Peer& peer) { peer.number() < gaps_per_round ? end(peer) : take_all(peer); });
            start(settings(broker));
            ASSERT_TRUE(wait_received(PacketType::connect, gaps_per_round + 1));
            ASSERT_TRUE(wait_received(PacketType::publish));
            const Gaps round = gaps();
            ASSERT_EQ(round.size(), static_cast<std::size_t>(gaps_per_round));
            compared_gaps.assign(round.end() - compared, round.end());
            first_gaps += std::accumulate(round.begin(), round.begin() + summed, 0.0);
            last_gaps += std::accumulate(round.end() - summed, round.end(), 0.0);
        }
        EXPECT_EQ(classify(last[0], last[1]), BackoffKind::jitter);
        EXPECT_GT(last_gaps, 2 * first_gaps);  // the bound grows
    }
};

TEST_F(DeviceAdvisor, TLS_Connect) {
    serve(take_all);
    start(settings());
    EXPECT_TRUE(wait_received(PacketType::connect));
    EXPECT_EQ(events(Kind::handshake).size(), 1u);
}
TEST_F(DeviceAdvisor, TLS_Receive_Maximum_Size_Fragments) {
    serve([](Peer& peer) {
        Properties long_ones;
        for (int i = 0; i < 5; ++i)
            long_ones.push_back(
                {property::user_property, Property::Pair{"filler", std::string(10'000, 'x')}});
        peer.accept(long_ones);
        peer.serve();
    });
    start(settings());
    EXPECT_TRUE(all_arrive(5));
    EXPECT_EQ(broker_->connects(), 1);
}
TEST_F(DeviceAdvisor, TLS_Support_AWS_IoT_Cipher_Suites) {
    // TLS 1.3, and ECDHE with AES-GCM or ChaCha20: the recommended ones; the last is a signal, not a suite.
    const std::set<int> recommended{0x1301, 0x1302, 0x1303, 0xC02B, 0xC02C, 0xC02F, 0xC030};
    const std::set<int> also_good{0xCCA8, 0xCCA9, 0x00FF};
    std::promise<std::string> hello;
    ScriptedServer server([&](ScriptedServer::Peer& peer, int number) {
        if (number > 0) return;
        std::string bytes = peer.read(5);
        bytes += peer.read(static_cast<std::size_t>(static_cast<unsigned char>(bytes.at(3))) << 8U |
                           static_cast<unsigned char>(bytes.at(4)));
        hello.set_value(bytes);
    });
    agent_ = std::make_unique<AgentProcess>(directory_, server.port(), ca_.file());
    agent_->configure(settings());
    agent_->start();
    auto arrived = hello.get_future();
    ASSERT_EQ(arrived.wait_for(30s), std::future_status::ready);
    const auto suites = cipher_suites(arrived.get());
    EXPECT_TRUE(std::any_of(suites.begin(), suites.end(), [&](int s) { return recommended.contains(s); }));
    for (const int suite : suites)
        EXPECT_TRUE(recommended.contains(suite) || also_good.contains(suite)) << std::hex << suite;
    agent_.reset();
}
TEST_F(DeviceAdvisor, TLS_Large_Size_Server_Cert) {
    CertificateSpec large;
    for (int i = 0; i < 400; ++i)
        large.alternative_names += ",DNS:name-" + std::to_string(i) + ".example.org";
    serve(take_all, {.tls = ca_.issue("large", large)});
    start(settings());
    EXPECT_TRUE(all_arrive(1));
}
TEST_F(DeviceAdvisor, TLS_Unsecure_Server_Cert) {
    const CertificateAuthority unknown(directory_, "Unknown");
    expect_refused(unknown.issue("unknown"), "unknown ca", "cannot connect to");
}
TEST_F(DeviceAdvisor, TLS_Incorrect_Subject_Name_Server_Cert) {
    expect_refused(ca_.issue("other", {.alternative_names = "DNS:other.example.org"}), "alert",
                   "cannot connect to");
}
TEST_F(DeviceAdvisor, TLS_Expired_Server_Cert) {
    expect_refused(ca_.issue("expired", {.begins = -48h, .ends = -24h}), "certificate expired", "expired");
}

TEST_F(DeviceAdvisor, MQTT_Connect) {
    serve(take_all);
    start(settings());
    EXPECT_TRUE(broker_->wait_connects(1));
}
TEST_F(DeviceAdvisor, MQTT_Publish) {
    serve(take_all);
    start(settings({{"qos", "0"}}));
    EXPECT_TRUE(all_arrive(1));
    EXPECT_EQ(readings().front().qos, 0);
    EXPECT_EQ(readings().front().topic, "holdfast/gw/sim");
}
// MQTT 5 forbids it; by 3.1.1 a third of ack_timeout passes, at least 10 s. The case gives 15 s.
TEST_F(DeviceAdvisor, MQTT_Publish_Retry_No_Puback) {
    serve([](Peer& peer) {
        peer.accept();
        while (const auto packet = peer.read())
            if (!reading_number(*packet)) peer.answer(*packet);
    });
    AgentSettings patient = settings({{"ack_timeout", "\"30s\""}, {"max_in_flight", "1"}});
    patient.version = MqttVersion::v3_1_1;
    start(patient);
    ASSERT_TRUE(broker_->wait([](const auto& log) {
        return std::any_of(log.begin(), log.end(), [](const BrokerEvent& event) {
            return event.kind == Kind::received && event.packet->dup;
        });
    }));
    std::vector<std::chrono::steady_clock::time_point> times;
    for (const BrokerEvent& event : events(Kind::received, PacketType::publish))
        if (reading_number(*event.packet)) times.push_back(event.time);
    ASSERT_EQ(times.size(), 2u);
    EXPECT_LT(times[1] - times[0], 15s);
    EXPECT_FALSE(readings()[0].dup);
    EXPECT_TRUE(readings()[1].dup);
    EXPECT_EQ(readings()[1].id, readings()[0].id);
    EXPECT_EQ(readings()[1].payload, readings()[0].payload);
    EXPECT_EQ(broker_->connects(), 1);
}
// Who is not answered that either connects anew, by both versions, and keeps the id.
TEST_F(DeviceAdvisor, MQTT_Publish_Retry_No_Puback_ByANewConnection) {
    serve([](Peer& peer) {
        peer.send_connack(0, peer.number() > 1);
        if (peer.number() == 0) {
            (void)read_reading(peer);
            return;
        }
        if (peer.number() >= 2) return peer.serve();
        (void)read_reading(peer);
        peer.read_to_end();
    });
    AgentSettings slow = settings({{"ack_timeout", "\"500ms\""}, {"max_in_flight", "1"}});
    slow.version = MqttVersion::v3_1_1;
    start(slow);
    ASSERT_TRUE(broker_->wait_connects(3));
    ASSERT_TRUE(all_arrive(3));
    ASSERT_EQ(readings(1).size(), 1u);
    EXPECT_EQ(readings(2).front().id, readings(1).front().id);
    EXPECT_TRUE(readings(2).front().dup);
}
TEST_F(DeviceAdvisor, MQTT_No_Ack_PingResp) {
    std::atomic<bool> left = false;
    serve([&](Peer& peer) {
        if (peer.number() > 0) return take_all(peer);
        peer.accept();
        peer.read_to_end();  // neither PUBACK nor PINGRESP
        left = peer.ended();
    });
    start(settings({{"keep_alive", "\"1s\""}}));
    ASSERT_TRUE(broker_->wait_connects(2));
    EXPECT_TRUE(left);
    EXPECT_EQ(agent_->logged("connection to"), 1);
    may_break_ = "MQTT5 3.1.2-20";  // between the ping that is not answered and leaving there is no other
}
TEST_F(DeviceAdvisor, MQTT_Expired_Persistent_Session) {
    serve([](Peer& peer) {
        peer.accept();
        if (peer.number() == 0)
            (void)read_readings(peer, 5);
        else
            peer.serve();
    });
    start(settings());
    ASSERT_TRUE(broker_->wait_connects(2));
    ASSERT_TRUE(all_arrive(20));
    for (const int number : reading_numbers(readings(0)))
        EXPECT_TRUE(reading_numbers(readings(1)).contains(number)) << number;
}

TEST_F(DeviceAdvisor, MQTT_Connect_Jitter_Backoff_Retries) {
    expect_growing_jitter([](Peer& peer) { peer.read_to_end(); }, {{"connect_timeout", "\"200ms\""}});
}
TEST_F(DeviceAdvisor, MQTT_Connect_Exponential_Backoff_Retries) {
    expect_growing_jitter([](Peer& peer) { peer.send_connack(0x89); });
}
TEST_F(DeviceAdvisor, MQTT_Reconnect_Backoff_Retries_On_Server_Disconnect) {
    expect_growing_jitter(
        [](Peer& peer) {
            peer.accept();
            peer.send({.type = PacketType::disconnect, .reason = 0x8B});
        },
        {{"max_in_flight", "1"}});
}
TEST_F(DeviceAdvisor, MQTT_Reconnect_Backoff_Retries_On_Unstable_Connection) {
    expect_growing_jitter([](Peer& peer) {
        peer.accept();
        if (const auto publish = peer.read(PacketType::publish)) peer.answer(*publish);
    });
}

}  // namespace
}  // namespace holdfast::test
