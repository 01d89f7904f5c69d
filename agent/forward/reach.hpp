// The way to a server before TLS and MQTT: name look-up, TCP, and the proxy where there is one.
//
// Blocks up to the deadline; for a thread that may.
#pragma once

#include <functional>
#include <optional>
#include <tl/expected.hpp>

#include "base/clock.hpp"
#include "base/unique_fd.hpp"
#include "forward/resolver.hpp"
#include "forward/transport.hpp"

namespace holdfast {

// A socket, not blocking, over which the server is spoken to. With a proxy it is the proxy that looks the
// server's name up. Fails early when `is_wanted` no longer holds, which is asked several times a second once
// the name has been looked up.
tl::expected<UniqueFd, LinkFailure> reach_server(Resolver& resolver, const Server& server,
                                                 const std::optional<ProxyAccess>& proxy, MonoTime deadline,
                                                 const std::function<bool()>& is_wanted);

}  // namespace holdfast
