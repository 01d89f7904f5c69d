// The transport over the Paho library.
//
// Owned by the forwarder thread, which makes all calls. Those that Paho can hold up (it resolves names under
// its global lock, paho.mqtt.c #1125) are made by a thread of its own, begun at the first connect(), so that
// the forwarder never waits; only publish() goes to Paho directly. An event of an attempt or connection that
// drop() or a newer connect() has ended never reaches the sink, unless it was posted before; answers to
// deliveries always do.
//
// The process must ignore SIGPIPE and have no http_proxy or https_proxy in its environment: a proxy is what
// the configuration says, and Paho would follow them.
#pragma once

#include <memory>

#include "base/log.hpp"
#include "forward/transport.hpp"

namespace holdfast {

// The destructor drops the connection and waits at most two seconds for Paho to let go; after that Paho's
// rest is left to its thread, which nobody waits for.
std::unique_ptr<Transport> make_paho_transport(Transport::Sink sink, Log& log);

// The versions of the libraries in use: "Paho C 1.3.12".
std::string paho_version();

}  // namespace holdfast
