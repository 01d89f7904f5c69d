// When to connect, to which server, and how: the servers in turn, backoff with full jitter, the protocol
// version each server speaks, and whether the session that the broker keeps may be resumed.
//
// Passive; the forwarder owns it. Between start() and the end it is always in one of two states: an attempt
// or a link is under way, or next_at() says when the next attempt is due.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/backoff.hpp"
#include "base/clock.hpp"
#include "config/config.hpp"
#include "forward/transport.hpp"

namespace holdfast {

class Dialer {
  public:
    Dialer(const BrokerConfig& config, std::uint64_t seed);

    // The first attempt is due within backoff_initial, at random, so that a fleet that gets its power back
    // does not come at once.
    void start(MonoTime now);
    // Precondition: there is a server.
    MonoTime next_at() const { return next_at_; }
    // Whether the last attempt or link failed for a reason that a person has to mend.
    bool refused() const { return refused_; }

    struct Attempt {
        std::size_t server = 0;
        Protocol protocol = Protocol::v5;
        bool clean_start =
            true;  // false: the last link was to this server by this protocol, its session may go on
    };
    Attempt begin();

    void connected(MonoTime now);
    // The broker acknowledged a message on this link.
    void acknowledged() { acknowledged_ = true; }
    // The attempt failed. Either the same server is due at once by the older protocol, or the next server
    // after a wait.
    enum class Next { older_protocol, next_server };
    Next failed(const LinkFailure& failure, MonoTime now);
    // The link was lost: the same server again if it was of use, else the next one.
    void lost(const LinkFailure& failure, MonoTime now);
    // The next connection starts clean: the session is not to be trusted any more.
    void forget_session() { session_.reset(); }
    // The next connection is to the first server, and starts clean.
    void prefer_first_server();
    // A link, address or route came up: try now, but not right after a failure, for links flap, and ever
    // later while that does not help, for some networks report all the time.
    void network_changed(MonoTime now);

  private:
    struct Session {
        std::size_t server;
        Protocol protocol;
        bool operator==(const Session&) const = default;
    };
    bool fall_back();
    void schedule(const LinkFailure& failure, MonoTime now);
    void next_server() { server_ = (server_ + 1) % protocols_.size(); }

    Protocol configured_;
    std::vector<Protocol> protocols_;  // by server: what it is spoken to with
    Backoff backoff_;
    std::size_t server_ = 0;
    MonoTime next_at_{};
    MonoTime connected_at_{};
    MonoTime failed_at_{};
    bool hinted_ = false;             // the next attempt was brought forward
    std::chrono::seconds hint_wait_;  // from a failure to the next attempt by a hint
    bool acknowledged_ = false;
    bool refused_ = false;
    std::optional<Session> session_;  // that the transport and the broker share
};

}  // namespace holdfast
