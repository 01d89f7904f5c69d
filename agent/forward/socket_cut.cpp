#include "forward/socket_cut.hpp"

#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <functional>
#include <optional>

namespace holdfast {
namespace {

template <typename T>
std::optional<T> socket_option(int fd, int option) {
    T value{};
    socklen_t length = sizeof value;
    if (::getsockopt(fd, SOL_SOCKET, option, &value, &length) != 0) return std::nullopt;
    return value;
}

void for_each_tcp_socket(const std::function<void(int fd, std::uint64_t cookie)>& visit) {
    namespace fs = std::filesystem;
    std::error_code error;
    std::vector<int> descriptors;
    for (fs::directory_iterator entry("/proc/self/fd", error); !error && entry != fs::directory_iterator();
         entry.increment(error)) {
        const std::string name = entry->path().filename();
        int fd = -1;
        std::from_chars(name.data(), name.data() + name.size(), fd);
        descriptors.push_back(fd);
    }
    for (const int fd : descriptors) {
        if (socket_option<int>(fd, SO_PROTOCOL) != IPPROTO_TCP || socket_option<int>(fd, SO_ACCEPTCONN) != 0)
            continue;
        if (const auto cookie = socket_option<std::uint64_t>(fd, SO_COOKIE)) visit(fd, *cookie);
    }
}

// The port at the other end; none while the connection is still being made.
std::optional<std::uint16_t> peer_port(int fd) {
    sockaddr_storage peer{};
    socklen_t length = sizeof peer;
    if (::getpeername(fd, static_cast<sockaddr*>(static_cast<void*>(&peer)), &length) != 0)
        return std::nullopt;
    // sin_port and sin6_port lie in the same place.
    return ntohs(static_cast<const sockaddr_in*>(static_cast<const void*>(&peer))->sin_port);
}

}  // namespace

std::vector<std::uint64_t> tcp_sockets() {
    std::vector<std::uint64_t> cookies;
    for_each_tcp_socket([&](int, std::uint64_t cookie) { cookies.push_back(cookie); });
    return cookies;
}

bool cut_new_tcp_socket(const std::vector<std::uint64_t>& before, std::uint16_t port) {
    std::vector<int> candidates;
    for_each_tcp_socket([&](int fd, std::uint64_t cookie) {
        if (std::find(before.begin(), before.end(), cookie) != before.end()) return;
        if (peer_port(fd).value_or(port) == port) candidates.push_back(fd);
    });
    return candidates.size() == 1 && ::shutdown(candidates.front(), SHUT_RDWR) == 0;
}

}  // namespace holdfast
