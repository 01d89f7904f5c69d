#include "daemon/netlink_socket.hpp"

#include <linux/netlink.h>
#include <sys/socket.h>

namespace holdfast {

UniqueFd netlink_socket(int protocol, std::uint32_t groups) {
    UniqueFd socket(::socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol));
    sockaddr_nl address{};
    address.nl_family = AF_NETLINK;
    address.nl_groups = groups;
    const auto* any = static_cast<const sockaddr*>(static_cast<const void*>(&address));
    if (!socket || ::bind(socket.get(), any, sizeof address) != 0) return {};
    return socket;
}

}  // namespace holdfast
