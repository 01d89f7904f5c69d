// Asks an HTTP proxy to pass a connection on to a server: CONNECT (RFC 9110, 9.3.6). TLS and MQTT then go
// through it unopened.
//
// What fails is told as the proxy's doing, for who reads "connection refused" looks at the broker.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "base/clock.hpp"
#include "forward/transport.hpp"

namespace holdfast {

// On a socket connected to the proxy; blocks up to the deadline, or until `is_wanted` no longer holds, which
// is asked several times a second. None: the next byte that comes is the server's. The password is in no
// text.
std::optional<LinkFailure> open_tunnel(
    int socket, const ProxyAccess& access, const Server& server, MonoTime deadline,
    const std::function<bool()>& is_wanted = [] { return true; });

// "the proxy http://proxy.example.com:3128" and what it does.
std::string proxy_text(const ProxyConfig& proxy, const std::string& does);

}  // namespace holdfast
