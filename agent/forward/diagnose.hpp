// Finds out why a server cannot be reached, or shows that it can: resolves its name, opens a TCP connection,
// does the TLS handshake with the agent's own settings, verified inside the handshake, and stops there. It
// never sends a byte of MQTT.
//
// Paho says no more than "TCP/TLS connect failure". Blocks up to the given time; for a thread that may.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "config/config.hpp"
#include "forward/transport.hpp"

namespace holdfast {

struct ServerDiagnosis {
    struct Step {
        std::string name;  // "resolve", "tcp", "proxy" (where there is one), "tls"
        bool ok = false;
        std::string text;
    };
    std::vector<Step> steps;             // those that were tried; the last one tells how far it got
    std::optional<LinkFailure> failure;  // of the last step; none: all is well
    std::string tls_version;             // "TLSv1.3"
    std::string cipher;
    std::string certificate_name;       // the names the server's certificate is for
    std::optional<int> days_to_expiry;  // of the server's certificate
};

ServerDiagnosis diagnose_server(const Server& server, const TlsConfig& tls, std::chrono::milliseconds timeout,
                                const std::optional<ProxyAccess>& proxy = std::nullopt);

}  // namespace holdfast
