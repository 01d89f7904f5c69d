// What to say to a server, from the configuration: for the forwarder, and for the commands that connect as
// the agent would.
#pragma once

#include <memory>

#include "base/result.hpp"
#include "config/config.hpp"
#include "forward/credential_files.hpp"
#include "forward/transport.hpp"

namespace holdfast {

// All but protocol, clean_start and will, which are the caller's. Reads the password files each time, so
// that a changed password is used at the next attempt; fails (kind config) when one can't be read.
Result<ConnectRequest> make_connect_request(const BrokerConfig& config, const Server& server);

// None: no proxy is configured. Fails as above.
Result<std::optional<ProxyAccess>> read_proxy_access(const BrokerConfig& config);

// The same with files that were read before.
ConnectRequest make_connect_request(const BrokerConfig& config, const Server& server,
                                    std::shared_ptr<const Credentials> credentials);

}  // namespace holdfast
