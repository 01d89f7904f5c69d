// The link: connecting, noticing that it is lost, leaving. What travels over it is in forwarder_delivery.cpp.
#include "forward/forwarder.hpp"

#include <algorithm>
#include <utility>

#include "base/journal_id.hpp"
#include "forward/reason_codes.hpp"

namespace holdfast {
namespace {

using namespace std::chrono_literals;

// The transport's own limit comes first; this is for a transport that forgets to answer.
constexpr auto connect_slack = 5s;
// For the acknowledgement of the offline status, and again for DISCONNECT.
constexpr auto farewell_limit = 1s;
// After so many links in a row without one acknowledgement the session itself is suspect.
constexpr unsigned silent_links_limit = 2;

// What is in flight when the connection is renewed may take so long.
constexpr auto renew_grace = 5s;
// A first server that was away is gone back to when it could be reached at so many probes in a row.
constexpr auto probe_interval = 60s;
constexpr unsigned probes_to_trust = 3;

constexpr auto short_link = 60s;

constexpr MonoTime at_once{};

std::string in_seconds(std::chrono::milliseconds time) {
    return std::to_string(time.count() / 1000) + " s";
}

}  // namespace

std::string_view to_string(BrokerState state) {
    switch (state) {
        case BrokerState::connected:
            return "connected";
        case BrokerState::connecting:
            return "connecting";
        case BrokerState::waiting:
            return "waiting";
        case BrokerState::refused:
            return "refused";
    }
    return "waiting";
}

Forwarder::Forwarder(const BrokerConfig& config, const ForwardIdentity& identity, Log& log,
                     std::uint64_t seed)
    : config_(config),
      identity_(identity),
      log_(log),
      dialer_(config_, seed),
      encoder_({identity_.agent_id, identity_.epoch, identity_.timestamp_unit}),
      refusals_(log),
      keep_alive_(config_.servers.size(), config_.keep_alive),
      assigned_ids_(config_.servers.size()),
      logged_failures_(config_.servers.size()),
      learnt_limits_(config_.servers.size()) {}

void Forwarder::start(MonoTime now) {
    if (config_.servers.empty()) {
        actions_.emplace_back(action::SetLink{false});
        return;
    }
    status_.server = config_.servers.front().url;
    dialer_.start(now);
    phase_ = Phase::waiting;
}

void Forwarder::told(const transport::Event& event, MonoTime now) {
    std::visit([&](const auto& what) { on(what, now); }, event);
}

void Forwarder::network_changed(MonoTime now) {
    if (phase_ == Phase::waiting) dialer_.network_changed(now);
}

void Forwarder::renew(MonoTime now) {
    renew_due_ = phase_ == Phase::connecting;
    if (phase_ != Phase::connected) return network_changed(now);
    phase_ = Phase::renewing;
    phase_ends_ = now + renew_grace;
}

void Forwarder::stop(std::chrono::milliseconds grace, MonoTime now) {
    if (phase_ == Phase::turning) return disconnect(now);
    if (phase_ == Phase::connected || phase_ == Phase::renewing) {
        give_back(outbox_.take_ready());
        phase_ = Phase::draining;
        phase_ends_ = now + grace;
    } else if (phase_ < Phase::connected) {
        if (phase_ == Phase::connecting) actions_.emplace_back(action::Drop{});
        finish();
    }
}

Actions Forwarder::step(MonoTime now) {
    step_link(now);
    if (phase_ == Phase::connected) {
        look_for_first_server(now);
        follow_backlog(now);
        publish_what_fits(now);
        ask_for_more();
    }
    if (!acked_.empty()) actions_.emplace_back(action::Acknowledge{std::exchange(acked_, {})});
    status_.in_flight = outbox_.sent();
    Actions due = std::exchange(actions_, {});
    actions_.reserve(due.size());  // a busy turn follows a busy one
    return due;
}

void Forwarder::step_link(MonoTime now) {
    switch (phase_) {
        case Phase::idle:
        case Phase::stopped:
            break;
        case Phase::waiting:
            if (now >= dialer_.next_at()) connect(now);
            break;
        case Phase::connecting:
            if (now < phase_ends_) break;
            actions_.emplace_back(action::Drop{});
            attempt_failed({.text = "no answer within " + in_seconds(config_.connect_timeout)}, now);
            break;
        case Phase::connected:
            if (in_flight() > 0 && now >= deadline_for_acknowledgement()) leave_silent_broker(now);
            break;
        case Phase::renewing:
            if (in_flight() > 0 && now < phase_ends_) break;
            dialer_.forget_session();
            turn_round(now);
            break;
        case Phase::turning:
            if (now < phase_ends_) break;
            actions_.emplace_back(action::Drop{});
            connect(now);
            break;
        case Phase::draining:
            if (in_flight() == 0 || now >= phase_ends_) say_farewell(now);
            break;
        case Phase::farewell:
            if (!status_token_) {
                disconnect(now);
            } else if (now >= phase_ends_) {
                // Without DISCONNECT the broker publishes the will, which says the same.
                actions_.emplace_back(action::Drop{});
                finish();
            }
            break;
        case Phase::leaving:
            if (now >= phase_ends_) finish();
            break;
    }
}

std::optional<MonoTime> Forwarder::next_step() const {
    switch (phase_) {
        case Phase::idle:
        case Phase::stopped:
            return std::nullopt;
        case Phase::waiting:
            return dialer_.next_at();
        case Phase::renewing:
        case Phase::draining:
            return in_flight() == 0 ? at_once : phase_ends_;
        case Phase::farewell:
            return status_token_ ? phase_ends_ : at_once;
        case Phase::connecting:
        case Phase::turning:
        case Phase::leaving:
            return phase_ends_;
        case Phase::connected:
            break;
    }
    std::optional<MonoTime> next = paused_until_;
    const auto consider = [&](MonoTime when) { next = next ? std::min(*next, when) : when; };
    if (next_status_) consider(*next_status_);
    if (next_probe_) consider(*next_probe_);
    if (in_flight() > 0) consider(deadline_for_acknowledgement());
    if (const auto release = outbox_.next_release()) consider(*release);
    return next;
}

void Forwarder::connect(MonoTime now) {
    attempt_ = dialer_.begin();
    renew_due_ = false;
    phase_ = Phase::connecting;
    phase_ends_ = now + config_.connect_timeout + connect_slack;
    status_.state = BrokerState::connecting;
    status_.server = config_.servers[attempt_.server].url;
    // Without a client id there is no session to resume (MQTT 3.1.1, 3.1.3-7).
    if (!has_client_id()) attempt_.clean_start = true;
    actions_.emplace_back(action::Connect{attempt_.server, attempt_.protocol, attempt_.clean_start,
                                          keep_alive_[attempt_.server], assigned_ids_[attempt_.server]});
}

bool Forwarder::has_client_id() const {
    return !config_.client_id.empty() || !assigned_ids_[attempt_.server].empty();
}

// The broker's keep alive time holds instead of ours (MQTT 5, 3.2.2.3.14), but Paho keeps to what CONNECT
// said: so CONNECT says it, once per server.
bool Forwarder::adopt_keep_alive(MonoTime now) {
    std::chrono::seconds& ours = keep_alive_[attempt_.server];
    if (!limits_.server_keep_alive) return false;
    const std::chrono::seconds told(*limits_.server_keep_alive);
    if (told.count() == 0 || told >= ours) return false;
    ours = told;
    log_.info(status_.server + " wants a keep alive of " + in_seconds(told) + ": connecting again with that");
    dialer_.forget_session();
    turn_round(now);
    return true;
}

// A session that we did not ask for belongs to somebody else, or to an earlier life: MQTT 5 wants it left
// (3.2.2-4).
bool Forwarder::leave_foreign_session(const transport::Connected& event, MonoTime now) {
    const bool foreign = event.session_present && attempt_.clean_start;
    if (!foreign || attempt_.protocol != Protocol::v5) return false;
    actions_.emplace_back(action::Drop{});
    attempt_failed({.text = "the broker resumes a session although a new one was asked for"}, now);
    return true;
}

// A client id that the broker chose (MQTT 5, 3.2.2.3.7) is ours from then on; the transport's session goes
// by the id, so it begins with it.
bool Forwarder::adopt_client_id(MonoTime now) {
    if (has_client_id() || limits_.assigned_client_id.empty()) return false;
    assigned_ids_[attempt_.server] = limits_.assigned_client_id;
    log_.info(status_.server + " gives us the client id " + limits_.assigned_client_id +
              ": connecting again with that");
    dialer_.forget_session();
    turn_round(now);
    return true;
}

// A clean session ends with its connection (MQTT 3.1.1, 3.1.2.4). QoS 2 wants one that lasts; but one that an
// earlier process left must not be resumed, so it is cleared by a connection of its own.
bool Forwarder::open_lasting_session(MonoTime now) {
    if (config_.qos < 2 || attempt_.protocol != Protocol::v3_1_1 || !attempt_.clean_start) return false;
    if (!has_client_id()) return false;
    turn_round(now);
    return true;
}

// DISCONNECT ends the session that the dialer was told to forget, so what is in flight then goes again.
void Forwarder::turn_round(MonoTime now) {
    actions_.emplace_back(action::Disconnect{});
    status_token_.reset();
    phase_ = Phase::turning;
    phase_ends_ = now + farewell_limit;
}

void Forwarder::look_for_first_server(MonoTime now) {
    if (!next_probe_ || now < *next_probe_) return;
    next_probe_ = now + probe_interval;
    actions_.emplace_back(action::Probe{0});
}

void Forwarder::on(const transport::Probed& event, MonoTime now) {
    if (phase_ != Phase::connected || !next_probe_) return;
    reachable_in_a_row_ = event.reachable ? reachable_in_a_row_ + 1 : 0;
    if (reachable_in_a_row_ < probes_to_trust) return;
    log_.info(config_.servers.front().url + " can be reached again: going back to it");
    dialer_.prefer_first_server();
    renew(now);
}

void Forwarder::on(const transport::Connected& event, MonoTime now) {
    if (phase_ != Phase::connecting) return;
    if (leave_foreign_session(event, now)) return;
    dialer_.connected(now);
    limits_ = event.limits;
    status_.payload_limit = 0;
    status_.tls = event.tls;
    if (adopt_client_id(now) || adopt_keep_alive(now) || open_lasting_session(now)) return;
    phase_ = Phase::connected;
    reachable_in_a_row_ = 0;
    next_probe_.reset();
    if (attempt_.server != 0) next_probe_ = now + probe_interval;
    status_.connected_at = last_answer_ = now;
    paused_until_.reset();
    status_due_ = true;
    if (connections_++ > 0) ++status_.reconnects;
    status_.state = BrokerState::connected;
    status_.last_error.clear();
    actions_.emplace_back(action::SetLink{true});
    log_.info("connected to " + describe_link(), {journal_id::connected});
    failed_attempts_ = 0;
    logged_failures_.assign(config_.servers.size(), {});
    if (std::exchange(renew_due_, false)) renew(now);
}

std::string Forwarder::describe_link() const {
    std::string text = config_.servers[attempt_.server].url;
    text += attempt_.protocol == Protocol::v5 ? " by MQTT 5" : " by MQTT 3.1.1";
    if (config_.proxy) text += " through " + config_.proxy->url;
    if (limits_.maximum_qos < config_.qos)
        text += ", which takes QoS " + std::to_string(limits_.maximum_qos) + " at most: sending with that";
    if (config_.retain && !limits_.retain_available) text += ", which retains nothing";
    if (failed_attempts_ > 0) text += ", after " + std::to_string(failed_attempts_) + " failed attempts";
    return text;
}

void Forwarder::on(const transport::ConnectFailed& event, MonoTime now) {
    if (phase_ != Phase::connecting) return;
    LinkFailure failure = event.failure;
    // It may have been the id that the broker gave us before.
    if (failure.kind != LinkFailure::Class::passing) assigned_ids_[attempt_.server].clear();
    if (offer_less(failure.code)) {
        failure.kind = LinkFailure::Class::passing;
        failure.text += "; the next attempt does without";
    }
    attempt_failed(failure, now);
}

// After a CONNACK that refuses the last will for its QoS or its retain flag. False: it was not that.
bool Forwarder::offer_less(int code) {
    constexpr int retain_not_supported = 0x9A;
    constexpr int qos_not_supported = 0x9B;
    if (config_.status_topic.empty()) return false;
    if (code == retain_not_supported) return std::exchange(status_retain_, false);
    return code == qos_not_supported && std::exchange(status_qos_, 0) > 0;
}

void Forwarder::attempt_failed(const LinkFailure& failure, MonoTime now) {
    const std::string& url = config_.servers[attempt_.server].url;
    if (dialer_.failed(failure, now) == Dialer::Next::older_protocol) {
        log_.info(url + " does not speak MQTT 5: trying 3.1.1");
    } else {
        if (failed_attempts_++ == 0) actions_.emplace_back(action::SetLink{false});
        give_back(outbox_.take_ready());
        std::string& logged = logged_failures_[attempt_.server];
        if (logged != failure.text)
            log_.warning("cannot connect to " + url + ": " + failure.text, {journal_id::connection_failed});
        logged = failure.text;
        status_.last_error = failure.text;
    }
    wait_for_next_attempt();
}

void Forwarder::on(const transport::ConnectionLost& event, MonoTime now) {
    if (online()) {
        note_end(event.failure, now);
        link_lost(event.failure, now);
    }
    if (phase_ == Phase::turning) connect(now);
    if (phase_ == Phase::leaving) finish();
}

// What tells of another client with our id: by MQTT 5 a broker may say so, else it just closes.
void Forwarder::note_end(const LinkFailure& failure, MonoTime now) {
    const bool is_short = failure.code == 0 && now - status_.connected_at < short_link;
    status_.short_links = is_short ? status_.short_links + 1 : 0;
    if (failure.code != session_taken_over) return;
    ++status_.takeovers;
    status_.last_takeover = now;
}

void Forwarder::leave_silent_broker(MonoTime now) {
    if (++silent_links_ >= silent_links_limit) dialer_.forget_session();
    actions_.emplace_back(action::Drop{});
    link_lost({.text = "no acknowledgement for " + in_seconds(config_.ack_timeout)}, now);
}

void Forwarder::link_lost(const LinkFailure& failure, MonoTime now) {
    log_.warning("connection to " + status_.server + " lost: " + failure.text, {journal_id::connection_lost});
    status_.last_error = failure.text;
    LinkFailure reason = failure;
    if (blame_the_largest(failure, now)) reason.kind = LinkFailure::Class::passing;
    outbox_.link_lost();
    give_back(outbox_.take_ready());
    status_token_.reset();
    status_due_ = false;
    next_status_.reset();
    next_probe_.reset();
    actions_.emplace_back(action::SetLink{false});
    dialer_.lost(reason, now);
    if (phase_ == Phase::connected || phase_ == Phase::renewing)
        wait_for_next_attempt();
    else
        finish();
}

void Forwarder::wait_for_next_attempt() {
    phase_ = Phase::waiting;
    status_.state = dialer_.refused() ? BrokerState::refused : BrokerState::waiting;
}

void Forwarder::say_farewell(MonoTime now) {
    if (!status_message(AgentState::offline)) return disconnect(now);
    publish_status(AgentState::offline, now);
    phase_ = Phase::farewell;
    phase_ends_ = now + farewell_limit;
}

void Forwarder::disconnect(MonoTime now) {
    actions_.emplace_back(action::Disconnect{});
    phase_ = Phase::leaving;
    phase_ends_ = now + farewell_limit;
}

void Forwarder::on(const transport::Disconnected&, MonoTime now) {
    if (phase_ == Phase::turning) connect(now);
    if (phase_ == Phase::leaving) finish();
}

void Forwarder::finish() {
    give_back(outbox_.take_all());
    actions_.emplace_back(action::SetLink{false});
    phase_ = Phase::stopped;
    status_.state = BrokerState::waiting;
}

}  // namespace holdfast
