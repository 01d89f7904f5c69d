// Twins of the cases of mosquitto's own client suite (test/lib) and of its bridge tests (test/broker) that a
// client can have which only publishes: the same exchange of packets, with the agent as the client.
#include <algorithm>
#include <atomic>

#include "mqtt/mqtt_test.hpp"
#include "support/loopback.hpp"

namespace holdfast::test {
namespace {

class MosquittoLib : public MqttTest {
  protected:
    static AgentSettings settings(int count, AgentSettings::Keys broker = {}) {
        return {.broker = std::move(broker), .readings = count};
    }
    std::string path(const char* name) const { return '"' + (directory_ / name).string() + '"'; }
    void expect_delivered(int count) {
        EXPECT_TRUE(all_arrive(count));
        EXPECT_TRUE(agent_->wait_status("buffer", "readings", "0"));
        EXPECT_EQ(agent_->status("forward", "acked_readings"), std::to_string(count));
        EXPECT_EQ(agent_->status("buffer", "dropped_readings"), "0");
    }
    // The first connection ends when `step` is through; the session is kept.
    void disconnect_after(int qos, std::function<void(Peer&, const Packet&)> step) {
        serve([step = std::move(step)](Peer& peer) {
            peer.send_connack(0, peer.number() > 0);
            if (peer.number() > 0) return peer.serve();
            if (const auto publish = read_reading(peer)) step(peer, *publish);
        });
        start(settings(5, {{"qos", std::to_string(qos)}, {"max_in_flight", "1"}}));
        expect_delivered(5);
        EXPECT_EQ(broker_->connects(), 2);
    }
    // The first connection falls silent when `step` is through: the link is made anew, and only then goes on
    // what was begun.
    void silence_after(int qos, std::function<void(Peer&, const Packet&)> step) {
        serve([step = std::move(step)](Peer& peer) {
            peer.send_connack(0, peer.number() > 0);
            if (peer.number() > 0) return peer.serve();
            if (const auto publish = read_reading(peer)) step(peer, *publish);
            peer.read_to_end();
        });
        start(settings(1, {{"qos", std::to_string(qos)}, {"ack_timeout", "\"500ms\""}}));
        expect_delivered(1);
        EXPECT_EQ(readings(0).size(), 1u);
        EXPECT_EQ(agent_->logged("no acknowledgement for"), 1);
    }
    // What was not acknowledged comes again, as itself.
    void qos1_disconnect() {
        disconnect_after(1, [](Peer&, const Packet&) {});
        EXPECT_EQ(sent_of(0), 2);
        EXPECT_TRUE(readings(1).front().dup);
        EXPECT_EQ(readings(1).front().id, readings(0).front().id);
    }
    int sent_of(int reading) const {
        const auto all = readings();
        return static_cast<int>(std::count_if(
            all.begin(), all.end(), [&](const Packet& packet) { return reading_number(packet) == reading; }));
    }
    // The broker holds every message back until so many are unacknowledged, and then lets one go at a time.
    void receive_maximum(int qos, std::uint32_t maximum) {
        std::atomic<std::size_t> most = 0;
        serve([&, maximum](Peer& peer) {
            peer.accept({{property::receive_maximum, maximum}});
            std::vector<Packet> held;
            std::size_t let_go = 0;
            while (const auto packet = peer.read()) {
                if (reading_number(*packet)) {
                    held.push_back(*packet);
                    most = std::max<std::size_t>(most, held.size() - let_go);
                    const bool lets_go = held.size() - let_go == maximum || held.size() == 7;
                    if (lets_go) peer.answer(held[let_go]);
                    if (lets_go && packet->qos == 1) ++let_go;
                    continue;
                }
                peer.answer(*packet);
                if (packet->type != PacketType::pubrel) continue;
                ++let_go;
                if (held.size() == 7 && let_go < 7) peer.answer(held[let_go]);
            }
        });
        start(settings(7, {{"qos", std::to_string(qos)}, {"status_topic", "\"\""}}));
        EXPECT_TRUE(all_arrive(7));
        EXPECT_EQ(most, maximum);
    }
    // Answers in every legal length: without reason, with it, with an empty list of properties, with one.
    void answer_lengths(int qos) {
        serve([](Peer& peer) {
            peer.accept();
            int turn = 0;
            while (const auto packet = peer.read()) {
                const bool is_release = packet->type == PacketType::pubrel;
                if (!is_release && !reading_number(*packet)) {
                    peer.answer(*packet);
                    continue;
                }
                const PacketType type = is_release         ? PacketType::pubcomp
                                        : packet->qos == 1 ? PacketType::puback
                                                           : PacketType::pubrec;
                const std::string id{static_cast<char>(packet->id >> 8),
                                     static_cast<char>(packet->id & 0xFF)};
                const std::string rests[] = {"", "\x00"s, "\x00\x00"s, "\x00\x07\x26\x00\x01p\x00\x01q"s};
                const std::string body = id + rests[turn++ % 4];
                const std::string head{static_cast<char>(static_cast<int>(type) << 4),
                                       static_cast<char>(body.size())};
                peer.send_as({.type = type, .id = packet->id}, head + body);
            }
        });
        start(settings(8, {{"qos", std::to_string(qos)}}));
        expect_delivered(8);
        EXPECT_EQ(broker_->connects(), 1);
    }
    // An answer that nobody asked for, before all others: the client lives on.
    void unexpected(PacketType type) {
        serve([type](Peer& peer) {
            peer.accept();
            peer.send({.type = type, .id = 13'423});
            peer.serve();
        });
        start(settings(10));
        expect_delivered(10);
        EXPECT_EQ(broker_->connects(), 1);
        stop();
    }
};

TEST_F(MosquittoLib, T01_con_discon_success) {
    serve(take_all);
    start({.broker = {{"status_topic", "\"\""}}, .readings = 1});
    expect_delivered(1);
    stop();
    ASSERT_TRUE(wait_closed());
    std::vector<PacketType> types;
    for (const BrokerEvent& event : events(Kind::received))
        types.push_back(event.packet->type);
    EXPECT_THAT(types,
                ::testing::ElementsAre(PacketType::connect, PacketType::publish, PacketType::disconnect));
}
TEST_F(MosquittoLib, T01_no_clean_session) {
    serve([](Peer& peer) {
        peer.send_connack(0, peer.number() > 0);
        if (peer.number() > 0) peer.serve();
    });
    start(settings(5));
    expect_delivered(5);
    const auto connects = broker_->received(PacketType::connect);
    EXPECT_TRUE(connects.front().clean_start);
    EXPECT_FALSE(connects.back().clean_start);
    EXPECT_GT(connects.back().number(property::session_expiry).value_or(0), 0u);
}
TEST_F(MosquittoLib, T01_unpwd_set) {
    serve(take_all);
    directory_.write("password", ";'[08gn=#");
    start(settings(1, {{"username", "\"uname\""}, {"password_file", path("password")}}));
    expect_delivered(1);
    EXPECT_EQ(broker_->received(PacketType::connect).front().username, "uname");
    EXPECT_EQ(broker_->received(PacketType::connect).front().password, ";'[08gn=#");
}
TEST_F(MosquittoLib, T01_will_set) {
    serve(take_all);
    start(settings(1));
    expect_delivered(1);
    const auto will = broker_->received(PacketType::connect).front().will;
    ASSERT_TRUE(will);
    EXPECT_EQ(will->topic, "holdfast/gw/status");
    EXPECT_THAT(will->payload, ::testing::HasSubstr("\"state\":\"offline\""));
    EXPECT_TRUE(will->retain);
    EXPECT_EQ(will->qos, 1);
}
TEST_F(MosquittoLib, T01_will_unpwd_set) {
    serve(take_all);
    directory_.write("password", "#'^2hg9a&nm38*us");
    start(settings(1, {{"username", "\"oibvvwqw\""}, {"password_file", path("password")}}));
    expect_delivered(1);
    const Packet connect = broker_->received(PacketType::connect).front();
    EXPECT_TRUE(connect.will);
    EXPECT_EQ(connect.username, "oibvvwqw");
    EXPECT_EQ(connect.password, "#'^2hg9a&nm38*us");
}

TEST_F(MosquittoLib, T03_publish_qos0) {
    serve(take_all);
    start(settings(3, {{"qos", "0"}}));
    EXPECT_TRUE(all_arrive(3));
    stop();
    EXPECT_TRUE(events(Kind::sent, PacketType::puback).empty());
}
TEST_F(MosquittoLib, T03_publish_c2b_qos1_disconnect) {
    qos1_disconnect();
}
TEST_F(MosquittoLib, T03_publish_c2b_qos1_len) {
    answer_lengths(1);
}
TEST_F(MosquittoLib, T03_publish_c2b_qos1_receive_maximum) {
    receive_maximum(1, 3);
}
TEST_F(MosquittoLib, T03_publish_c2b_qos1_timeout) {
    silence_after(1, [](Peer&, const Packet&) {});
    ASSERT_EQ(readings(1).size(), 1u);
    EXPECT_TRUE(readings(1).front().dup);
}
TEST_F(MosquittoLib, T03_publish_c2b_qos2) {
    serve(take_all);
    start(settings(5, {{"qos", "2"}}));
    expect_delivered(5);
    EXPECT_EQ(broker_->received(PacketType::pubrel).size(), 5u);
}
TEST_F(MosquittoLib, T03_publish_c2b_qos2_disconnect_after_publish) {
    disconnect_after(2, [](Peer&, const Packet&) {});
    EXPECT_EQ(sent_of(0), 2);
}
TEST_F(MosquittoLib, T03_publish_c2b_qos2_disconnect_after_pubrel) {
    disconnect_after(2, [](Peer& peer, const Packet& publish) {
        peer.answer(publish);
        (void)peer.read(PacketType::pubrel);
    });
    EXPECT_EQ(sent_of(0), 1);
    EXPECT_EQ(broker_->received(PacketType::pubrel).size(), 6u);
}
TEST_F(MosquittoLib, T03_publish_c2b_qos2_timeout_of_pubrec) {
    silence_after(2, [](Peer&, const Packet&) {});
    ASSERT_EQ(readings(1).size(), 1u);
    EXPECT_TRUE(readings(1).front().dup);
    EXPECT_EQ(readings(1).front().id, readings(0).front().id);
}
TEST_F(MosquittoLib, T03_publish_c2b_qos2_timeout_of_pubcomp) {
    silence_after(2, [](Peer& peer, const Packet& publish) {
        peer.answer(publish);
        (void)peer.read(PacketType::pubrel);
    });
    EXPECT_TRUE(readings(1).empty());
    const auto releases = broker_->received(PacketType::pubrel);
    ASSERT_EQ(releases.size(), 2u);
    for (const Packet& release : releases)
        EXPECT_EQ(release.id, readings(0).front().id);
}
TEST_F(MosquittoLib, T03_publish_c2b_qos2_len) {
    answer_lengths(2);
}
TEST_F(MosquittoLib, T03_publish_c2b_qos2_maximum_qos_0) {
    serve([](Peer& peer) {
        peer.accept({{property::maximum_qos, std::uint32_t{0}}});
        peer.serve();
    });
    start(settings(3, {{"qos", "2"}}));
    EXPECT_TRUE(all_arrive(3));
    EXPECT_EQ(readings().front().qos, 0);
}
TEST_F(MosquittoLib, T03_publish_c2b_qos2_maximum_qos_1) {
    serve([](Peer& peer) {
        peer.accept({{property::maximum_qos, std::uint32_t{1}}});
        peer.serve();
    });
    start(settings(3, {{"qos", "2"}}));
    expect_delivered(3);
    EXPECT_EQ(readings().front().qos, 1);
}
TEST_F(MosquittoLib, T03_publish_c2b_qos2_pubrec_error) {
    serve([](Peer& peer) {
        peer.accept();
        int refused = 0;
        while (const auto packet = peer.read()) {
            if (reading_number(*packet) && refused < 2)
                peer.acknowledge(*packet, refused++ == 0 ? 0x80 : 0x97);
            else
                peer.answer(*packet);
        }
    });
    start(settings(3, {{"qos", "2"}}));
    expect_delivered(3);
    EXPECT_EQ(broker_->received(PacketType::pubrel).size(), 3u);
    EXPECT_EQ(readings().size(), 5u);
}
TEST_F(MosquittoLib, T03_publish_c2b_qos2_receive_maximum_1) {
    receive_maximum(2, 1);
}
TEST_F(MosquittoLib, T03_publish_c2b_qos2_receive_maximum_2) {
    receive_maximum(2, 2);
}
TEST_F(MosquittoLib, T03_publish_b2c_qos1_unexpected_puback) {
    unexpected(PacketType::puback);
}
TEST_F(MosquittoLib, T03_publish_b2c_qos2_unexpected_pubrel) {
    unexpected(PacketType::pubrel);
}
TEST_F(MosquittoLib, T03_publish_b2c_qos2_unexpected_pubcomp) {
    unexpected(PacketType::pubcomp);
}
TEST_F(MosquittoLib, T04_retain_qos0) {
    serve(take_all);
    start(settings(3, {{"qos", "0"}, {"retain", "true"}}));
    EXPECT_TRUE(all_arrive(3));
    for (const Packet& publish : readings())
        EXPECT_TRUE(publish.retain);
}

TEST_F(MosquittoLib, T08_ssl_bad_cacert) {
    serve(take_all);
    directory_.write("bad.pem", "this is no certificate");
    AgentSettings bad = settings(1);
    bad.tls = {{"ca_file", path("bad.pem")}};
    start(bad);
    EXPECT_TRUE(agent_->wait_logged("bad.pem"));
    stop();
    EXPECT_EQ(broker_->connects(), 0);
}
TEST_F(MosquittoLib, T08_ssl_fake_cacert) {
    serve(take_all);
    const CertificateAuthority fake(directory_, "Fake");
    AgentSettings other = settings(1);
    other.tls = {{"ca_file", '"' + fake.file().string() + '"'}};
    start(other);
    EXPECT_TRUE(agent_->wait_logged("cannot connect to"));
    stop();
    EXPECT_EQ(broker_->connects(), 0);
}
TEST_F(MosquittoLib, T08_ssl_connect_no_auth) {
    serve(take_all);
    start(settings(1));
    expect_delivered(1);
}
TEST_F(MosquittoLib, T11_prop_oversize_packet) {
    serve([](Peer& peer) {
        peer.accept({{property::maximum_packet_size, std::uint32_t{300}}});
        peer.serve();
    });
    AgentSettings two = settings(1, {{"status_topic", "\"\""}});
    two.more =
        "channels = 50\n[[input]]\nname = \"small\"\nplugin = \"simulator\"\n"
        "[input.options]\nrate = 200.0\ncount = 5\n";
    start(two);
    EXPECT_TRUE(all_arrive(5));
    EXPECT_TRUE(agent_->wait_logged("larger than"));
    EXPECT_EQ(agent_->logged("larger than"), 1);
    EXPECT_EQ(readings().size(), 5u);
}
TEST_F(MosquittoLib, T11_prop_send_content_type) {
    serve(take_all);
    start(settings(1, {{"properties", "true"}}));
    expect_delivered(1);
    EXPECT_EQ(readings().front().text(property::content_type), "application/json");
}

class MosquittoBridge : public MosquittoLib {};

TEST_F(MosquittoBridge, T06_b2br_late_connection) {
    const std::uint16_t port = free_port();
    agent_ = std::make_unique<AgentProcess>(directory_, port, ca_.file());
    agent_->configure(settings(10));
    agent_->start();
    ASSERT_TRUE(agent_->wait_status("buffer", "readings", "10"));
    serve(take_all, {.port = port});
    expect_delivered(10);
}
TEST_F(MosquittoBridge, T06_b2br_disconnect_qos1) {
    qos1_disconnect();
}
TEST_F(MosquittoBridge, T06_b2br_disconnect_qos2) {
    disconnect_after(2, [](Peer& peer, const Packet& publish) { peer.answer(publish); });
}
// After a restart the broker acknowledges what the agent that died had sent; that one starts a new session.
class MosquittoBridgeResend : public MosquittoBridge, public ::testing::WithParamInterface<int> {};
TEST_P(MosquittoBridgeResend, T06_fail_persist_resend) {
    serve([answer = GetParam() == 1 ? PacketType::puback : PacketType::pubrec](Peer& peer) {
        if (peer.number() == 0) {
            peer.accept();
            (void)read_readings(peer, 3);
            return peer.read_to_end();
        }
        peer.accept();
        for (const std::uint16_t id : std::initializer_list<std::uint16_t>{2000, 2001, 2002})
            peer.send({.type = answer, .id = id});
        peer.serve();
    });
    if (GetParam() == 2) may_break_ = "MQTT5 4.3.3-4";  // PUBREL for PUBRECs that answer nothing
    AgentSettings strict = settings(3, {{"qos", std::to_string(GetParam())}});
    strict.buffer = {{"durability", "\"strict\""}};
    start(strict);
    ASSERT_TRUE(all_arrive(3));
    agent_->kill();
    strict.readings = 1;
    start(strict);
    EXPECT_TRUE(agent_->wait_status("buffer", "readings", "0"));
    EXPECT_EQ(reading_numbers(readings(1)), numbers_up_to(3));
    EXPECT_EQ(agent_->status("forward", "acked_readings"), "4");
}
INSTANTIATE_TEST_SUITE_P(Qos, MosquittoBridgeResend, ::testing::Values(1, 2),
                         ::testing::PrintToStringParamName());
TEST_F(MosquittoBridge, T06_remote_shutdown) {
    serve([](Peer& peer) {
        peer.accept();
        if (peer.number() > 0) return peer.serve();
        (void)read_reading(peer);
        peer.send({.type = PacketType::disconnect, .reason = 0x8B});
    });
    start(settings(20, {{"max_in_flight", "1"}}));
    expect_delivered(20);
    EXPECT_EQ(agent_->logged("shutting down"), 1);
}
TEST_F(MosquittoBridge, T06_clean_session_csT) {
    serve([](Peer& peer) {
        peer.accept();
        if (peer.number() > 0) return peer.serve();
        (void)read_readings(peer, 3);
    });
    start(settings(10));
    expect_delivered(10);
    EXPECT_FALSE(readings(1).front().dup);
}
TEST_F(MosquittoBridge, T06_clean_session_csF) {
    serve([](Peer& peer) {
        peer.send_connack(0, peer.number() > 0);
        if (peer.number() > 0) return peer.serve();
        (void)read_readings(peer, 3);
    });
    start(settings(10));
    expect_delivered(10);
    EXPECT_TRUE(readings(1).front().dup);
}
TEST_F(MosquittoBridge, T15_persist_bridge_queue) {
    const std::uint16_t port = free_port();
    agent_ = std::make_unique<AgentProcess>(directory_, port, ca_.file());
    agent_->configure(settings(50));
    agent_->start();
    ASSERT_TRUE(agent_->wait_status("buffer", "readings", "50"));
    stop();
    EXPECT_THAT(agent_->command("buffer stat --json").output, ::testing::HasSubstr("\"readings\":50,"));
    serve(take_all, {.port = port});
    start({.version = MqttVersion::v3_1_1, .readings = 1});
    EXPECT_TRUE(all_arrive(50));
    EXPECT_TRUE(agent_->wait_status("forward", "acked_readings", "51"));
    stop();
    EXPECT_THAT(agent_->command("buffer stat --json").output, ::testing::HasSubstr("\"readings\":0,"));
}

}  // namespace
}  // namespace holdfast::test
