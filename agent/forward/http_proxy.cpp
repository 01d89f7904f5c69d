#include "forward/http_proxy.hpp"

#include <openssl/evp.h>
#include <poll.h>
#include <strings.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string_view>
#include <utility>

#include "base/result.hpp"
#include "forward/proxy_answer.hpp"
#include "forward/tcp_connect.hpp"

namespace holdfast {
namespace {

using namespace std::chrono_literals;
using Class = LinkFailure::Class;

constexpr auto longest_wait = 100ms;

std::string base64(const std::string& text) {
    std::string encoded((text.size() + 2) / 3 * 4 + 1, '\0');
    auto* out = static_cast<unsigned char*>(static_cast<void*>(encoded.data()));
    const auto* in = static_cast<const unsigned char*>(static_cast<const void*>(text.data()));
    encoded.resize(static_cast<std::size_t>(EVP_EncodeBlock(out, in, static_cast<int>(text.size()))));
    return encoded;
}

std::string tunnel_request(const ProxyAccess& access, const Server& server) {
    const std::string target = host_and_port(server.host, server.port);
    std::string request = "CONNECT " + target + " HTTP/1.1\r\nHost: " + target + "\r\n";
    // RFC 7617, 2; the one scheme that needs no second request.
    if (const std::string& username = access.proxy.username; !username.empty())
        request += "Proxy-Authorization: Basic " + base64(username + ":" + access.password) + "\r\n";
    return request + "\r\n";
}

class Tunnel {
  public:
    Tunnel(int socket, const ProxyAccess& access, const Server& server, MonoTime deadline,
           const std::function<bool()>& is_wanted)
        : socket_(socket), access_(access), server_(server), deadline_(deadline), is_wanted_(is_wanted) {}

    std::optional<LinkFailure> open() {
        auto failure = send(tunnel_request(access_, server_));
        if (!failure) failure = receive();
        return failure ? failure : judge();
    }

  private:
    LinkFailure failed(Class kind, const std::string& does) const {
        return {kind, 0, proxy_text(access_.proxy, does)};
    }

    std::optional<LinkFailure> wait(short events) const {
        while (is_wanted_()) {
            const MonoTime now = std::chrono::steady_clock::now();
            if (now >= deadline_)
                return failed(Class::passing, " does not answer: it may not reach " +
                                                  host_and_port(server_.host, server_.port));
            if (wait_until_ready(socket_, events, std::min<MonoTime>(deadline_, now + longest_wait)))
                return std::nullopt;
        }
        return failed(Class::passing, " is not waited for any more");
    }

    std::optional<LinkFailure> send(std::string_view bytes) const {
        while (!bytes.empty()) {
            if (auto failure = wait(POLLOUT)) return failure;
            const ssize_t sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
            if (sent >= 0)
                bytes.remove_prefix(static_cast<std::size_t>(sent));
            else if (errno != EAGAIN && errno != EINTR)
                return broken(errno);
        }
        return std::nullopt;
    }

    // Looks at what has come before it takes it, so that no byte behind the answer is taken.
    std::optional<LinkFailure> receive() {
        std::array<char, 4096> bytes{};
        while (answer_.state() == ProxyAnswer::State::incomplete) {
            if (auto failure = wait(POLLIN)) return failure;
            const ssize_t seen = ::recv(socket_, bytes.data(), bytes.size(), MSG_PEEK);
            if (seen == 0) return failed(Class::passing, " closed the connection without an answer");
            if (seen > 0) {
                const std::size_t taken = answer_.take({bytes.data(), static_cast<std::size_t>(seen)});
                [[maybe_unused]] const ssize_t got = ::recv(socket_, bytes.data(), taken, 0);
            } else if (errno != EAGAIN && errno != EINTR) {
                return broken(errno);
            }
        }
        return std::nullopt;
    }

    LinkFailure broken(int error) const {
        return failed(Class::passing, system_error(Error::Kind::retry, " broke the connection", error).text);
    }

    std::optional<LinkFailure> judge() const {
        if (answer_.state() == ProxyAnswer::State::no_http)
            return failed(Class::person, " does not answer in HTTP: check host and port in proxy");
        if (answer_.state() == ProxyAnswer::State::too_long)
            return failed(Class::person, " answers with a head of more than " +
                                             std::to_string(ProxyAnswer::most_bytes / 1024) + " KiB");
        const int status = answer_.status();
        if (status >= 200 && status < 300) return std::nullopt;
        const std::string said = " (" + answer_.status_text() + ")";
        const std::string target = host_and_port(server_.host, server_.port);
        switch (status) {
            case 401:  // tinyproxy's answer to a wrong password
            case 407:
                return failed(Class::person, credentials_refused() + said);
            case 403:
                return failed(Class::person, " does not allow connections to " + target + said);
            case 400:
            case 405:
            case 501:
                return failed(Class::person, " does not do CONNECT: is it an HTTP proxy?" + said);
            case 404:
            case 502:
            case 503:
            case 504:
                return failed(Class::passing, " cannot reach " + target + said);
            default:
                return failed(Class::passing, " did not connect to " + target + said);
        }
    }

    std::string credentials_refused() const {
        const auto& schemes = answer_.schemes();
        const bool basic = std::any_of(schemes.begin(), schemes.end(), [](const std::string& scheme) {
            return ::strcasecmp(scheme.c_str(), "Basic") == 0;
        });
        if (!schemes.empty() && !basic) {
            std::string list;
            for (const std::string& scheme : schemes)
                list += (list.empty() ? "" : ", ") + scheme;
            return " asks for " + list + ", and the agent has only Basic authentication";
        }
        if (access_.proxy.username.empty())
            return " asks for a user: set proxy_username and proxy_password_file";
        return " refuses proxy_username \"" + access_.proxy.username + "\" or its password";
    }

    const int socket_;
    const ProxyAccess& access_;
    const Server& server_;
    const MonoTime deadline_;
    const std::function<bool()>& is_wanted_;
    ProxyAnswer answer_;
};

}  // namespace

std::optional<LinkFailure> open_tunnel(int socket, const ProxyAccess& access, const Server& server,
                                       MonoTime deadline, const std::function<bool()>& is_wanted) {
    return Tunnel(socket, access, server, deadline, is_wanted).open();
}

std::string proxy_text(const ProxyConfig& proxy, const std::string& does) {
    return "the proxy " + proxy.url + does;
}

}  // namespace holdfast
