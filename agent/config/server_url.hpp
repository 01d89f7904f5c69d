// A broker's address, "mqtts://broker.example.com:8883", and that of a proxy.
#pragma once

#include <string_view>

#include "base/result.hpp"
#include "config/config.hpp"

namespace holdfast::config {

// SCHEME://HOST[:PORT][/PATH] with scheme mqtt, mqtts, ws or wss; an IPv6 address stands in brackets; a path
// is for ws and wss only, "/mqtt" by default. Fails (kind config) with a text that says what is wrong and
// never repeats the URL, which may hold a password.
Result<Server> parse_server(std::string_view url);

// http://HOST:PORT. Fails likewise.
Result<ProxyConfig> parse_proxy(std::string_view url);

}  // namespace holdfast::config
