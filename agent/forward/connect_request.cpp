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
    if (!config.password_file.empty()) {
        Result<std::string> password = read_password_file(config.password_file);
        if (!password) return Error{password.error().kind, "password_file: " + password.error().text};
        request.password = std::move(*password);
    }
    request.tls = config.tls;
    return request;
}

ConnectRequest make_connect_request(const BrokerConfig& config, const Server& server,
                                    std::shared_ptr<const Credentials> credentials) {
    ConnectRequest request = without_files(config, server);
    request.password = credentials->password;
    request.tls = credentials->tls;
    request.files = std::move(credentials);
    return request;
}

}  // namespace holdfast
