// The thread that talks to the network: a short loop around the forwarder's state machine and a transport.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/clock.hpp"
#include "base/log.hpp"
#include "buffer/exchange.hpp"
#include "config/config.hpp"
#include "forward/transport.hpp"

namespace holdfast {

enum class BrokerState { connected, connecting, waiting, refused };
std::string_view to_string(BrokerState state);

struct ForwardStatus {
    BrokerState state = BrokerState::waiting;
    std::string server;       // URL of the server connected to or tried last; empty: none is configured
    std::int64_t since_wall_us = 0;  // when it came into this state
    std::string last_error;   // why the last attempt or connection failed; stays until the next success
    std::uint64_t reconnects = 0;    // successful connections after the first
    std::uint64_t published_readings = 0;
    std::uint64_t acked_readings = 0;
    std::uint64_t acked_messages = 0;
    std::uint64_t in_flight = 0;     // messages now
    std::uint64_t non_finite = 0;    // numbers sent as null
};

// What the forwarder needs to know of the agent beside the [broker] section.
struct ForwardIdentity {
    std::string agent_id;
    std::string version;
    std::uint64_t epoch = 0;  // of the buffer
    std::int64_t started_wall_us = 0;
    TimestampUnit timestamp_unit = TimestampUnit::milliseconds;
};

using MakeTransport = std::function<std::unique_ptr<Transport>(Transport::Sink)>;

class ForwarderThread final : public BatchSink {
  public:
    ForwarderThread(const BrokerConfig& config, ForwardIdentity identity, BatchSource& source, const Clock& clock, Log& log,
                    MakeTransport make_transport);
    ~ForwarderThread() override;

    void start();
    // Waits up to `grace` for what is in flight, sends the offline status and DISCONNECT, gives back what is not acknowledged, ends
    // the thread. Returns false when Paho did not let go in time (DNS under its lock): the caller then must not destroy it.
    bool stop(std::chrono::milliseconds grace);

    void offer(std::vector<Batch> batches) override;
    // The kernel reported a link or route: try now instead of waiting out the backoff.
    void network_changed();
    ForwardStatus status() const;
    // When the loop last came round; a call into Paho may take 30 s and more while DNS hangs.
    MonoTime last_progress() const;
};

}  // namespace holdfast
