// TCP on the loopback interface: a port that is free, and whether somebody listens on one.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cstdint>
#include <random>
#include <stdexcept>
#include <thread>

#include "base/unique_fd.hpp"

namespace holdfast::test {

inline sockaddr_in loopback_address(std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    return address;
}

inline const sockaddr* as_sockaddr(const sockaddr_in& address) {
    return static_cast<const sockaddr*>(static_cast<const void*>(&address));
}

// A socket bound to a port of the kernel's choice (0), or to the given one.
inline UniqueFd bind_loopback(std::uint16_t port = 0) {
    UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const int on = 1;
    ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    const sockaddr_in address = loopback_address(port);
    if (::bind(fd.get(), as_sockaddr(address), sizeof address) != 0)
        throw std::runtime_error("cannot bind to loopback");
    return fd;
}

inline std::uint16_t port_of(int fd) {
    sockaddr_in address{};
    socklen_t length = sizeof address;
    ::getsockname(fd, static_cast<sockaddr*>(static_cast<void*>(&address)), &length);
    return ntohs(address.sin_port);
}

// Below the ephemeral range, so that nobody's outgoing connection takes it while its server is away.
inline std::uint16_t free_port() {
    std::random_device random;
    for (int tries = 0; tries < 100; ++tries) {
        const auto port = static_cast<std::uint16_t>(20'000 + random() % 12'000);
        const sockaddr_in address = loopback_address(port);
        const UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
        if (::bind(fd.get(), as_sockaddr(address), sizeof address) == 0) return port;
    }
    throw std::runtime_error("no free port on loopback");
}

inline bool is_listening(std::uint16_t port) {
    const UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const sockaddr_in address = loopback_address(port);
    return ::connect(fd.get(), as_sockaddr(address), sizeof address) == 0;
}

}  // namespace holdfast::test
