#include "forward/connect_request.hpp"

#include <fcntl.h>

#include <cerrno>

#include "base/unique_fd.hpp"

namespace holdfast {
namespace {

// MQTT, 3.1.3.6: a password has a length of two bytes.
constexpr std::size_t max_password_bytes = 65'535;

Result<std::string> read_password(const std::filesystem::path& path) {
    const auto failed = [&](int code) {
        return system_error(Error::Kind::config, "cannot read the password file " + path.string(), code);
    };
    const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file) return failed(errno);
    std::string password(max_password_bytes + 2, '\0');
    std::size_t length = 0;
    while (length < password.size()) {
        const ssize_t got = ::read(file.get(), password.data() + length, password.size() - length);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return failed(errno);
        if (got == 0) break;
        length += static_cast<std::size_t>(got);
    }
    password.resize(length);
    if (password.ends_with('\n')) password.pop_back();
    if (password.size() > max_password_bytes) return failed(EFBIG);
    return password;
}

}  // namespace

Result<ConnectRequest> make_connect_request(const BrokerConfig& config, const Server& server) {
    ConnectRequest request;
    request.server = server;
    request.client_id = config.client_id;
    request.username = config.username;
    if (!config.password_file.empty()) {
        Result<std::string> password = read_password(config.password_file);
        if (!password) return password.error();
        request.password = std::move(*password);
    }
    request.keep_alive = config.keep_alive;
    request.timeout = config.connect_timeout;
    request.tls = config.tls;
    return request;
}

}  // namespace holdfast
