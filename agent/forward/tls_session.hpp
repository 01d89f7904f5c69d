// What is known of the TLS connection to the broker: told by the transport with each connection, shown in the
// status.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace holdfast {

struct TlsSession {
    std::string version;                            // "TLSv1.3"
    std::string cipher;                             // "TLS_AES_256_GCM_SHA384"
    std::string peer_names;                         // that the server's certificate is for
    std::optional<std::int64_t> not_after_wall_us;  // of the server's certificate
};

}  // namespace holdfast
