#include "daemon/link_watch.hpp"

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <utility>

#include "daemon/netlink_socket.hpp"

namespace holdfast {
namespace {

// rtnetlink(7): what makes a broker reachable that was not.
bool is_good_news(const nlmsghdr& header) {
    if (header.nlmsg_type == RTM_NEWADDR || header.nlmsg_type == RTM_NEWROUTE) return true;
    if (header.nlmsg_type != RTM_NEWLINK || header.nlmsg_len < NLMSG_LENGTH(sizeof(ifinfomsg))) return false;
    // The header is a multiple of NLMSG_ALIGNTO long, so that the body follows at once.
    const auto* link = static_cast<const ifinfomsg*>(static_cast<const void*>(&header + 1));
    return (link->ifi_flags & IFF_RUNNING) != 0;
}

}  // namespace

LinkWatch::LinkWatch(EventLoop& loop, std::function<void()> came_up) : came_up_(std::move(came_up)) {
    socket_ = netlink_socket(NETLINK_ROUTE, RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR |
                                                RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE);
    if (!socket_) return;
    auto source = loop.watch(socket_.get(), EPOLLIN, [this](std::uint32_t) { read(); });
    if (source) source_ = std::move(*source);
}

void LinkWatch::read() {
    // netlink(7): a reader should offer 8 KiB. What overflows meanwhile is one more message of the same kind.
    alignas(nlmsghdr) std::array<char, 8192> buffer{};
    bool good_news = false;
    while (true) {
        const ssize_t received = ::recv(socket_.get(), buffer.data(), buffer.size(), 0);
        if (received < 0 && errno == ENOBUFS) {
            good_news = true;
            continue;
        }
        if (received <= 0) break;
        const auto length = static_cast<std::size_t>(received);
        for (std::size_t at = 0; at + sizeof(nlmsghdr) <= length;) {
            const auto* header = static_cast<const nlmsghdr*>(static_cast<const void*>(&buffer.at(at)));
            if (header->nlmsg_len < sizeof(nlmsghdr) || header->nlmsg_len > length - at) break;
            good_news = good_news || is_good_news(*header);
            at += NLMSG_ALIGN(header->nlmsg_len);
        }
    }
    if (good_news) came_up_();
}

}  // namespace holdfast
