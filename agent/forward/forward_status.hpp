// What the forwarder says of itself, and what it has to know of the agent.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.hpp"
#include "config/config.hpp"
#include "forward/tls_session.hpp"

namespace holdfast {

enum class BrokerState { connected, connecting, waiting, refused };
std::string_view to_string(BrokerState state);

struct ForwardStatus {
    BrokerState state = BrokerState::waiting;
    std::string server;  // URL of the server connected to or tried last; empty: none is configured
    std::int64_t since_wall_us = 0;  // when it came into this state
    std::string last_error;        // why the last attempt or connection failed; stays until the next success
    std::uint64_t reconnects = 0;  // successful connections after the first
    std::uint64_t published_readings = 0;  // sent at least once
    std::uint64_t acked_readings = 0;
    std::uint64_t acked_messages = 0;
    std::uint64_t in_flight = 0;         // messages now
    std::uint64_t non_finite = 0;        // numbers sent as null
    std::uint64_t refused_messages = 0;  // what the broker, or its limits, would not take: set aside
    std::uint64_t split_messages = 0;    // never sent, since they were too large: replaced by smaller ones
    std::uint64_t payload_limit = 0;     // bytes that a payload may have on this connection; 0: no limit
    std::optional<TlsSession> tls = {};  // of the connection, or the last one
    std::optional<std::int64_t> client_not_after_wall_us = {};  // of our certificate
    std::uint64_t takeovers = 0;  // another client connected with our id, and the broker said so (MQTT 5)
    std::int64_t last_takeover_wall_us = 0;
    MonoTime last_takeover{};       // by the clock that nobody sets
    MonoTime connected_at{};        // of the connection, or the last one
    std::uint64_t short_links = 0;  // the last ones in a row that ended without a word within a minute
    std::string files_error = {};   // why changed certificate or password files are not used; empty: they are
};

// What the forwarder needs to know of the agent beside the [broker] section.
struct ForwardIdentity {
    std::string agent_id;
    std::string version;
    std::uint64_t epoch = 0;  // of the buffer
    std::int64_t started_wall_us = 0;
    TimestampUnit timestamp_unit = TimestampUnit::milliseconds;
};

}  // namespace holdfast
