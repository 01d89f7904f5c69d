#include "forward/connect_request.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/file.hpp"

namespace holdfast {
namespace {

using namespace std::chrono_literals;

// Paho's least; further apart where acknowledgements are waited for longer, since the link is slow.
constexpr auto shortest_retry_interval = 10s;

ConnectRequest without_files(const BrokerConfig& config, const Server& server) {
    ConnectRequest request;
    request.server = server;
    request.client_id = config.client_id;
    request.username = config.username;
    request.keep_alive = config.keep_alive;
    request.timeout = config.connect_timeout;
    request.retry_interval =
        std::max(shortest_retry_interval, std::chrono::floor<std::chrono::seconds>(config.ack_timeout / 3));
    return request;
}

}  // namespace

Result<ConnectRequest> make_connect_request(const BrokerConfig& config, const Server& server) {
    ConnectRequest request = without_files(config, server);
    auto password = read_password_setting("password_file", config.password_file);
    if (!password) return password.error();
    request.password = std::move(*password);
    auto proxy = read_proxy_access(config);
    if (!proxy) return proxy.error();
    request.proxy = std::move(*proxy);
    request.tls = config.tls;
    return request;
}

Result<std::optional<ProxyAccess>> read_proxy_access(const BrokerConfig& config) {
    if (!config.proxy) return std::optional<ProxyAccess>();
    auto password = read_password_setting("proxy_password_file", config.proxy->password_file);
    if (!password) return password.error();
    return std::optional(ProxyAccess{*config.proxy, std::move(*password)});
}

ConnectRequest make_connect_request(const BrokerConfig& config, const Server& server,
                                    std::shared_ptr<const Credentials> credentials) {
    ConnectRequest request = without_files(config, server);
    request.password = credentials->password;
    if (config.proxy) request.proxy = ProxyAccess{*config.proxy, credentials->proxy_password};
    request.tls = credentials->tls;
    request.files = std::move(credentials);
    return request;
}

}  // namespace holdfast
