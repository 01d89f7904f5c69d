#include "forward/dialer.hpp"

#include <algorithm>
#include <utility>

namespace holdfast {
namespace {

using namespace std::chrono_literals;

// A link that held this long, with an acknowledgement, was good: the next failure is a new story.
constexpr auto good_link = 60s;
// What a person has to mend is not mended sooner, and brokers ban those who ask often.
constexpr auto person_wait = 60s;
// CONNACK 0x9F: Connection Rate Exceeded.
constexpr int connection_rate_exceeded = 0x9F;
constexpr auto connection_rate_wait = 30s;
// How soon after a failure a report of the network may bring the next attempt forward.
constexpr auto flap_wait = 1s;
constexpr auto refused_flap_wait = 5s;
// And at most, when it did not help again and again.
constexpr std::chrono::seconds longest_hint_wait = 60s;

}  // namespace

Dialer::Dialer(const BrokerConfig& config, std::uint64_t seed)
    : configured_(config.protocol),
      protocols_(config.servers.size(), configured_ == Protocol::automatic ? Protocol::v5 : configured_),
      backoff_(config.backoff_initial, config.backoff_max, seed),
      hint_wait_(flap_wait) {}

void Dialer::start(MonoTime now) {
    next_at_ = now + backoff_.next();
    backoff_.reset();
}

Dialer::Attempt Dialer::begin() {
    const Session session{server_, protocols_[server_]};
    const bool resumes = session_ == session;
    // An attempt elsewhere ends the session: the transport has one client, and its state goes with it.
    if (!resumes) session_.reset();
    acknowledged_ = false;
    return {session.server, session.protocol, !resumes};
}

void Dialer::connected(MonoTime now) {
    connected_at_ = now;
    refused_ = false;
    hinted_ = false;
    hint_wait_ = flap_wait;
    session_ = Session{server_, protocols_[server_]};
}

Dialer::Next Dialer::failed(const LinkFailure& failure, MonoTime now) {
    if (failure.kind == LinkFailure::Class::protocol_version && fall_back()) {
        next_at_ = now;
        return Next::older_protocol;
    }
    next_server();
    schedule(failure, now);
    return Next::next_server;
}

void Dialer::lost(const LinkFailure& failure, MonoTime now) {
    if (acknowledged_ && now - connected_at_ >= good_link) backoff_.reset();
    if (!acknowledged_) next_server();
    schedule(failure, now);
}

// True when the older protocol is to be tried at once. A server that speaks neither is asked for both again
// next time.
bool Dialer::fall_back() {
    if (configured_ != Protocol::automatic) return false;
    Protocol& protocol = protocols_[server_];
    const bool newer_refused = protocol == Protocol::v5;
    protocol = newer_refused ? Protocol::v3_1_1 : Protocol::v5;
    return newer_refused;
}

void Dialer::schedule(const LinkFailure& failure, MonoTime now) {
    refused_ = failure.kind != LinkFailure::Class::passing;
    Backoff::Duration floor{};
    if (refused_)
        floor = person_wait;
    else if (failure.code == connection_rate_exceeded)
        floor = connection_rate_wait;
    failed_at_ = now;
    hint_wait_ = std::exchange(hinted_, false) ? std::min(hint_wait_ * 2, longest_hint_wait) : flap_wait;
    next_at_ = now + backoff_.next(floor);
}

void Dialer::prefer_first_server() {
    server_ = 0;
    forget_session();
}

void Dialer::network_changed(MonoTime now) {
    const std::chrono::seconds least = refused_ ? refused_flap_wait : flap_wait;
    const MonoTime soonest = std::max(now, failed_at_ + std::max(least, hint_wait_));
    if (soonest >= next_at_) return;
    next_at_ = soonest;
    hinted_ = true;
}

}  // namespace holdfast
