#include "forward/socket_cut.hpp"

#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
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

// Paho C 1.3.12 frees a QoS 1 or 2 message whose write fails and goes on holding it: it sends it again from
// freed memory, and frees it once more, by then somebody else's memory. So no write of Paho's fails: one into
// a dead connection counts as written just before the loss, which Paho then reads. These definitions take the
// place of the libraries' for the whole process.
extern "C" {

__attribute__((visibility("default"))) ssize_t writev(int fd, const iovec* parts, int count) {
    const ssize_t written = ::syscall(SYS_writev, fd, parts, count);
    if (written >= 0 || errno == EAGAIN || errno == EINTR) return written;
    const int error = errno;
    if (holdfast::socket_option<int>(fd, SO_PROTOCOL) != IPPROTO_TCP) {
        errno = error;
        return -1;
    }
    ::shutdown(fd, SHUT_RDWR);
    ssize_t total = 0;
    for (int i = 0; i < count; ++i)
        total += static_cast<ssize_t>(parts[i].iov_len);
    return total;
}

__attribute__((visibility("default"))) int SSL_write(SSL* ssl, const void* bytes, int count) {
    if (count <= 0) return 0;
    std::size_t written = 0;
    const int result = ::SSL_write_ex(ssl, bytes, static_cast<std::size_t>(count), &written);
    if (result == 1) return static_cast<int>(written);
    if (::SSL_get_error(ssl, result) == SSL_ERROR_WANT_WRITE) return -1;
    ::ERR_clear_error();
    ::shutdown(::SSL_get_fd(ssl), SHUT_RDWR);
    return count;
}

}  // extern "C"
