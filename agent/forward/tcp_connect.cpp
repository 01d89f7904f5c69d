#include "forward/tcp_connect.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <utility>

namespace holdfast {
namespace {

using namespace std::chrono_literals;
using SteadyClock = std::chrono::steady_clock;

constexpr auto head_start = 250ms;  // of an address over the next
constexpr auto longest_wait = 100ms;

class Race {
  public:
    Race(const std::vector<Address>& addresses, std::uint16_t port) : addresses_(addresses), port_(port) {}

    Result<TcpConnection> run(MonoTime deadline, const std::function<bool()>& is_wanted) {
        while (is_wanted()) {
            const MonoTime now = SteadyClock::now();
            if (now >= deadline) {
                for (const Runner& runner : running_)
                    note(runner.peer, ETIMEDOUT);
                break;
            }
            if (next_ < addresses_.size() && (running_.empty() || now >= next_start_)) {
                if (auto winner = start(now)) return std::move(*winner);
                continue;
            }
            if (running_.empty()) break;
            if (auto winner = wait(now, deadline)) return std::move(*winner);
        }
        return Error{Error::Kind::retry, "cannot connect to " + (said_.empty() ? "the server" : said_)};
    }

  private:
    struct Runner {
        UniqueFd socket;
        std::string peer;
    };

    std::optional<TcpConnection> start(MonoTime now) {
        const Address& address = addresses_[next_++];
        next_start_ = now + head_start;
        const std::string peer = host_and_port(address.text(), port_);
        UniqueFd socket(::socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
        if (socket && ::connect(socket.get(), address.get(), address.length) == 0)
            return TcpConnection{std::move(socket), peer};
        if (socket && errno == EINPROGRESS)
            running_.push_back({std::move(socket), peer});
        else
            note(peer, errno);
        return std::nullopt;
    }

    std::optional<TcpConnection> wait(MonoTime now, MonoTime deadline) {
        auto until = std::min<MonoTime>(deadline, now + longest_wait);
        if (next_ < addresses_.size()) until = std::min(until, next_start_);
        std::vector<pollfd> items;
        for (const Runner& runner : running_)
            items.push_back({runner.socket.get(), POLLOUT, 0});
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - now).count();
        ::poll(items.data(), items.size(), static_cast<int>(left));
        for (std::size_t i = items.size(); i-- > 0;) {
            if (items[i].revents == 0) continue;
            int error = 0;
            socklen_t length = sizeof error;
            ::getsockopt(items[i].fd, SOL_SOCKET, SO_ERROR, &error, &length);
            if (error == 0) return TcpConnection{std::move(running_[i].socket), std::move(running_[i].peer)};
            note(running_[i].peer, error);
            running_.erase(running_.begin() + static_cast<std::ptrdiff_t>(i));
        }
        return std::nullopt;
    }

    void note(const std::string& peer, int code) {
        said_ += (said_.empty() ? "" : "; ") + system_error(Error::Kind::retry, peer, code).text;
    }

    const std::vector<Address>& addresses_;
    const std::uint16_t port_;
    std::size_t next_ = 0;
    MonoTime next_start_{};
    std::vector<Runner> running_;
    std::string said_;
};

void set_option(int socket, int level, int option, int value) {
    ::setsockopt(socket, level, option, &value, sizeof value);
}

}  // namespace

std::string host_and_port(const std::string& host, std::uint16_t port) {
    const bool is_ipv6 = host.find(':') != std::string::npos;
    return (is_ipv6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

Result<TcpConnection> connect_tcp(const std::vector<Address>& addresses, std::uint16_t port,
                                  MonoTime deadline, const std::function<bool()>& is_wanted) {
    return Race(addresses, port).run(deadline, is_wanted);
}

bool wait_until_ready(int socket, short events, MonoTime deadline) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - SteadyClock::now()).count();
    pollfd item{socket, events, 0};
    return left > 0 && ::poll(&item, 1, static_cast<int>(left)) > 0;
}

void tune_tcp(int socket, std::chrono::seconds patience) {
    const int seconds = std::max(2, static_cast<int>(patience.count()));
    set_option(socket, IPPROTO_TCP, TCP_NODELAY, 1);
    set_option(socket, SOL_SOCKET, SO_KEEPALIVE, 1);
    set_option(socket, IPPROTO_TCP, TCP_KEEPIDLE, std::max(1, seconds / 2));
    set_option(socket, IPPROTO_TCP, TCP_KEEPINTVL, std::max(1, seconds / 6));
    // tcp(7): with this set, it and not the number of probes says when a connection is dead.
    set_option(socket, IPPROTO_TCP, TCP_USER_TIMEOUT, seconds * 1000);
}

}  // namespace holdfast
