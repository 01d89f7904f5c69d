// Moves batches to the broker whenever it can: the state machine of the link and of what is in flight over
// it.
//
// Passive: no clock, no thread, no socket. Its thread tells it what happened and what time it is, calls
// step() once a turn and carries out the actions that step() returns, in their order. It promises that every
// batch it was offered is answered exactly once: acknowledged, given back, set aside or split; that no more
// is in flight than the broker allows; and that a message which the broker refuses never blocks those behind
// it.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/clock.hpp"
#include "base/log.hpp"
#include "forward/dialer.hpp"
#include "forward/forward_status.hpp"
#include "forward/outbox.hpp"
#include "forward/payload.hpp"
#include "forward/refusals.hpp"
#include "forward/transport.hpp"
#include "model/refusal.hpp"

namespace holdfast {

namespace action {
struct Connect {
    std::size_t server = 0;  // index into BrokerConfig::servers
    Protocol protocol = Protocol::v5;
    bool clean_start = true;
    std::chrono::seconds keep_alive{30};
    std::string client_id = {};  // that the broker gave us; empty: as configured
};
struct Probe {
    std::size_t server = 0;
};
struct Publish {
    DeliveryToken token = 0;  // grows by publish, also when a batch is sent again
    Message message;
};
struct Disconnect {};
struct Drop {};
// To the source of batches.
struct SetLink {
    bool up = false;
};
struct Demand {
    std::uint32_t count = 0;
};
struct Acknowledge {
    std::vector<std::uint64_t> seqs;
};
struct GiveBack {
    std::vector<std::uint64_t> seqs;
};
struct SetAside {
    Refusal refusal;
};
struct Split {
    Oversize oversize;
};
using Any = std::variant<Connect, Probe, Publish, Disconnect, Drop, SetLink, Demand, Acknowledge, GiveBack,
                         SetAside, Split>;
}  // namespace action
using Actions = std::vector<action::Any>;

class Forwarder {
  public:
    // `seed` is for the jitter: another one on each gateway and at each start.
    Forwarder(const BrokerConfig& config, const ForwardIdentity& identity, Log& log, std::uint64_t seed);

    void start(MonoTime now);
    void offered(std::vector<Batch> batches);
    void told(const transport::Event& event, MonoTime now);
    // The transport did not take what the action Publish gave it.
    void not_taken(DeliveryToken token, MonoTime now);
    void network_changed(MonoTime now);
    // Connects anew without losing anything: what is in flight is finished, then DISCONNECT and CONNECT
    // follow at once. For changed credentials; while it waits to connect, the next attempt comes at once.
    void renew(MonoTime now);
    // What the status message is to tell of the buffer.
    void set_backlog(const Backlog& backlog) { backlog_ = backlog; }
    // What is in flight gets `grace` to be acknowledged, then the farewell is said.
    void stop(std::chrono::milliseconds grace, MonoTime now);

    // Does what is due and returns what the thread has to do.
    Actions step(MonoTime now);
    // When step() has something to do if nothing happens before; none: nothing.
    std::optional<MonoTime> next_step() const;
    // So many messages may be in flight.
    std::size_t window() const;
    // After stop(): nothing is left to do.
    bool stopped() const { return phase_ == Phase::stopped; }

    // All but since_wall_us, which the thread knows.
    const ForwardStatus& status() const { return status_; }
    // Retained on the status topic; the offline one is the last will too. None: the topic is turned off.
    std::optional<Message> status_message(AgentState state) const;

  private:
    enum class Phase {
        idle,        // no server is configured
        waiting,     // for the next attempt
        connecting,  // an attempt is under way
        connected,
        renewing,  // what is in flight may still be acknowledged, then DISCONNECT
        turning,   // DISCONNECT is on its way, and CONNECT follows
        draining,  // stopping: what is in flight may still be acknowledged
        farewell,  // the offline status is on its way
        leaving,   // DISCONNECT is
        stopped,
    };
    bool online() const {
        return phase_ >= Phase::connected && phase_ <= Phase::farewell && phase_ != Phase::turning;
    }

    void on(const transport::Connected& event, MonoTime now);
    void on(const transport::ConnectFailed& event, MonoTime now);
    void on(const transport::ConnectionLost& event, MonoTime now);
    void on(const transport::Delivered& event, MonoTime now);
    void on(const transport::DeliveryFailed& event, MonoTime now);
    void on(const transport::Disconnected& event, MonoTime now);
    void on(const transport::Probed& event, MonoTime now);
    void on(const transport::Subscribed&, MonoTime) {}
    void on(const transport::Received&, MonoTime) {}

    void connect(MonoTime now);
    // True: the connection that was just made is left for another.
    bool adopt_keep_alive(MonoTime now);
    bool adopt_client_id(MonoTime now);
    bool open_lasting_session(MonoTime now);
    bool leave_foreign_session(const transport::Connected& event, MonoTime now);
    bool has_client_id() const;
    void turn_round(MonoTime now);
    void look_for_first_server(MonoTime now);
    void note_end(const LinkFailure& failure, MonoTime now);
    void leave_silent_broker(MonoTime now);
    bool offer_less(int code);
    void attempt_failed(const LinkFailure& failure, MonoTime now);
    void link_lost(const LinkFailure& failure, MonoTime now);
    void wait_for_next_attempt();
    void step_link(MonoTime now);
    void finish();

    void publish_what_fits(MonoTime now);
    void publish(Outbox::Item item, MonoTime now);
    void publish_status(AgentState state, MonoTime now);
    void follow_backlog(MonoTime now);
    DeliveryToken hand_over(Message message, MonoTime now);
    void pause(MonoTime now);
    void on_status_failed(const transport::DeliveryFailed& event, MonoTime now);
    struct Encoded {
        Message message;
        std::uint64_t non_finite = 0;
    };
    Result<Encoded> encode(const Batch& batch);
    void describe(Message& message, const BatchHeader& header) const;
    void acknowledged(const Outbox::Item& item);
    void refuse(const Outbox::Item& item, int code, const std::string& why, MonoTime now);
    bool split(const Outbox::Item& item);
    std::size_t bytes_beside_readings(const Batch& batch);
    bool blame_the_largest(const LinkFailure& failure, MonoTime now);
    void learn_limit(std::size_t refused_bytes);
    void follow_packet_limit(std::size_t around);  // bytes of a packet beside its payload
    std::size_t packet_limit() const;
    void give_back(std::vector<std::uint64_t> seqs);
    void ask_for_more();
    void say_farewell(MonoTime now);
    void disconnect(MonoTime now);

    std::size_t in_flight() const { return outbox_.sent() + (status_token_ ? 1 : 0); }
    MonoTime deadline_for_acknowledgement() const { return last_answer_ + config_.ack_timeout; }
    std::string describe_link() const;

    const BrokerConfig config_;
    const ForwardIdentity identity_;
    Log& log_;
    Dialer dialer_;
    Outbox outbox_;
    PayloadEncoder encoder_;
    Refusals refusals_;
    ForwardStatus status_;

    Phase phase_ = Phase::idle;
    Dialer::Attempt attempt_;
    MonoTime phase_ends_{};  // of connecting, renewing, turning, draining, farewell and leaving
    std::vector<std::chrono::seconds> keep_alive_;  // by server: as configured, or as the server told
    std::vector<std::string> assigned_ids_;         // by server: the client id that it gave us, if any
    bool renew_due_ = false;              // as soon as the attempt under way has come to a connection
    std::optional<MonoTime> next_probe_;  // of the first server, while connected to another
    unsigned reachable_in_a_row_ = 0;     // it was, at the last probes
    BrokerLimits limits_;
    MonoTime last_answer_{};                // from the broker, or since when one is owed
    std::optional<MonoTime> paused_until_;  // the transport took nothing: publish again then
    // The broker takes a will, and so a status message, with these; it may take less than it was offered.
    int status_qos_ = 1;
    bool status_retain_ = true;
    bool status_due_ = false;  // the online status has to be published
    std::optional<DeliveryToken> status_token_;
    Backlog backlog_;
    std::optional<MonoTime> next_status_;  // while there is a backlog
    DeliveryToken last_token_ = 0;
    std::uint64_t asked_ = 0;    // batches demanded and not yet offered
    unsigned silent_links_ = 0;  // left one after the other for want of acknowledgements
    std::uint64_t connections_ = 0;
    std::uint64_t failed_attempts_ = 0;         // since the last connection
    std::vector<std::string> logged_failures_;  // by server, since the last connection
    std::vector<std::uint64_t> acked_;          // for the next Acknowledge
    // By server: smaller than what it would not take, though its CONNACK did not say so. 0: no such limit.
    std::vector<std::size_t> learnt_limits_;
    Actions actions_;
};

}  // namespace holdfast
