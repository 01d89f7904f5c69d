// Sessions: what is sent again after a connection ended, and what is not.
#include <atomic>
#include <mutex>

#include "mqtt/statements.hpp"

namespace holdfast::test {
namespace {

constexpr int in_flight = 5;

class SessionStatements : public Statements {
  protected:
    using Statements::Statements;

    // The first connection that can be resumed ends with readings in flight; the next one keeps the session,
    // or loses it. By 3.1.1 the very first session is a clean one and ends with its connection.
    void cut(bool session_kept, AgentSettings::Keys broker = {}) {
        const int first = version_ == MqttVersion::v5 ? 0 : 1;
        cut_ = first;
        serve([this, first, session_kept](Peer& peer) {
            peer.send_connack(0, session_kept && peer.number() > first);
            if (peer.number() < first) {
                if (const auto publish = read_reading(peer)) peer.answer(*publish);
                return;
            }
            if (peer.number() > first) return peer.serve();
            (void)read_readings(peer, in_flight);
        });
        broker.emplace("max_in_flight", std::to_string(in_flight));
        start(settings(30, std::move(broker)));
        ASSERT_TRUE(all_arrive(30));
        ASSERT_TRUE(agent_->wait_status("buffer", "readings", "0"));
        before_ = readings(cut_);
        after_ = readings(cut_ + 1);
        ASSERT_EQ(before_.size(), static_cast<std::size_t>(in_flight));
        ASSERT_GE(after_.size(), before_.size());
    }
    void resent_ids_are_the_same() {
        cut(true);
        for (std::size_t i = 0; i < before_.size(); ++i) {
            EXPECT_EQ(after_[i].id, before_[i].id);
            EXPECT_EQ(after_[i].payload, before_[i].payload);
        }
    }
    void dup_stands_on_redelivery() {
        cut(true);
        for (std::size_t i = 0; i < before_.size(); ++i)
            EXPECT_TRUE(after_[i].dup) << i;
        EXPECT_FALSE(after_.back().dup);
        for (const Packet& packet : before_)
            EXPECT_FALSE(packet.dup);
    }
    void no_dup_on_first_send() {
        cut(false);
        for (const Packet& packet : readings())
            EXPECT_FALSE(packet.dup) << *reading_number(packet);
    }
    void order_is_kept() {
        cut(true);
        for (std::size_t i = 0; i < before_.size(); ++i)
            EXPECT_EQ(reading_number(after_[i]), reading_number(before_[i]));
    }
    void unacknowledged_are_sent_again() {
        cut(true);
        const auto again = reading_numbers(after_);
        for (const int number : reading_numbers(before_))
            EXPECT_TRUE(again.contains(number)) << number;
    }

    int cut_ = 0;
    std::vector<Packet> before_;  // the cut
    std::vector<Packet> after_;
};

using Mqtt5Session = For<SessionStatements, MqttVersion::v5>;
using Mqtt3Session = For<SessionStatements, MqttVersion::v3_1_1>;

TEST_F(Mqtt5Session, S4_4_0_1_ResumeSendsAgainWithTheOriginalIds) {
    resent_ids_are_the_same();
}
TEST_F(Mqtt3Session, S4_4_0_1_ResumeSendsAgainWithTheOriginalIds) {
    resent_ids_are_the_same();
}
TEST_F(Mqtt3Session, S2_3_1_3_SameIdWhenSentAgain) {
    resent_ids_are_the_same();
}
TEST_F(Mqtt5Session, S4_6_0_1_ResumeKeepsTheOriginalOrder) {
    order_is_kept();
}
TEST_F(Mqtt3Session, S4_6_0_1_ResumeKeepsTheOriginalOrder) {
    order_is_kept();
}
TEST_F(Mqtt5Session, S3_3_1_1_DupStandsOnRedelivery) {
    dup_stands_on_redelivery();
}
TEST_F(Mqtt3Session, S3_3_1_1_DupStandsOnRedelivery) {
    dup_stands_on_redelivery();
}
TEST_F(Mqtt5Session, S4_3_2_2_NoDupOnTheFirstSend) {
    no_dup_on_first_send();
}
TEST_F(Mqtt3Session, S4_3_2_1_NoDupOnTheFirstSend) {
    no_dup_on_first_send();
}
TEST_F(Mqtt3Session, S4_1_0_1_SessionIsKeptWhileMessagesAreInFlight) {
    unacknowledged_are_sent_again();
    EXPECT_FALSE(broker_->received(PacketType::connect).back().clean_start);
}

// At no other time: a broker that acknowledges nothing until the first ping, for longer than 3.1.1 would wait
// (a third of ack_timeout), sees each message once.
TEST_F(Mqtt5Session, S4_4_0_1_NothingIsSentAgainOnTheSameConnection) {
    serve([](Peer& peer) {
        peer.accept();
        std::vector<Packet> held;
        while (const auto packet = peer.read()) {
            if (!reading_number(*packet)) peer.answer(*packet);
            if (packet->type == PacketType::pingreq && !held.empty()) {
                for (const Packet& publish : held)
                    peer.answer(publish);
                return peer.serve();
            }
            if (reading_number(*packet)) held.push_back(*packet);
        }
    });
    start(settings(in_flight, {{"keep_alive", "\"14s\""}, {"ack_timeout", "\"30s\""}}));
    ASSERT_TRUE(all_arrive(in_flight));
    ASSERT_TRUE(agent_->wait_status("buffer", "readings", "0"));
    EXPECT_EQ(readings().size(), static_cast<std::size_t>(in_flight));
    EXPECT_EQ(broker_->connects(), 1);
}

TEST_F(Mqtt5Session, S3_2_2_4_FreshProcessLeavesASessionItDidNotAskFor) {
    std::atomic<bool> closed = false;
    serve([&](Peer& peer) {
        if (peer.number() > 0) return take_all(peer);
        peer.resume();
        peer.read_to_end();
        closed = peer.ended();
    });
    start(settings(5));
    EXPECT_TRUE(all_arrive(5));
    EXPECT_TRUE(closed);
    EXPECT_TRUE(broker_->received(PacketType::connect).front().clean_start);
    EXPECT_TRUE(readings(0).empty());
}

TEST_F(Mqtt5Session, S3_2_2_5_LostSessionMakesEachReadingANewMessage) {
    cut(false);
    const auto again = reading_numbers(after_);
    for (const int number : reading_numbers(before_))
        EXPECT_TRUE(again.contains(number)) << number;
    for (const Packet& packet : after_)
        EXPECT_FALSE(packet.dup) << *reading_number(packet);
}

TEST_F(Mqtt5Session, S4_3_2_3_ReadingIsHeldUntilItsPuback) {
    std::atomic<bool> go = false;
    serve([&](Peer& peer) {
        peer.accept();
        const auto held = read_readings(peer, 3);
        while (!go && !peer.ended())
            (void)peer.read(Peer::Limit(20));
        for (const Packet& publish : held)
            peer.answer(publish);
        peer.serve();
    });
    start(settings(3));
    ASSERT_TRUE(all_arrive(3));
    EXPECT_TRUE(agent_->wait_status("forward", "in_flight", "3"));
    EXPECT_EQ(agent_->status("buffer", "readings"), "3");
    EXPECT_EQ(agent_->status("forward", "acked_readings"), "0");
    go = true;
    EXPECT_TRUE(agent_->wait_status("buffer", "readings", "0"));
    EXPECT_EQ(agent_->status("forward", "acked_readings"), "3");
}

}  // namespace
}  // namespace holdfast::test
