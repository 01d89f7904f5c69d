#include "forward/connect_request.hpp"

#include "base/file.hpp"

namespace holdfast {

Result<ConnectRequest> make_connect_request(const BrokerConfig& config, const Server& server) {
    ConnectRequest request;
    request.server = server;
    request.client_id = config.client_id;
    request.username = config.username;
    if (!config.password_file.empty()) {
        Result<std::string> password = read_password_file(config.password_file);
        if (!password) return Error{password.error().kind, "password_file: " + password.error().text};
        request.password = std::move(*password);
    }
    request.keep_alive = config.keep_alive;
    request.timeout = config.connect_timeout;
    request.tls = config.tls;
    return request;
}

}  // namespace holdfast
