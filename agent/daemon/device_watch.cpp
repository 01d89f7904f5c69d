#include "daemon/device_watch.hpp"

#include <linux/netlink.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <utility>

#include "daemon/netlink_socket.hpp"

namespace holdfast {
namespace {

// lib/kobject_uevent.c: the kernel speaks to group 1; in group 2 udev repeats it in a format of its own.
constexpr std::uint32_t kernel_group = 1;
// Taken in at a time, so that a storm of them leaves the loop's other duties their turn.
constexpr int messages_a_turn = 64;

}  // namespace

bool brings_a_device(std::string_view uevent) {
    const std::string_view action = uevent.substr(0, uevent.find('@'));
    return action == "add" || action == "bind" || action == "online" || action == "move";
}

DeviceWatch::DeviceWatch(EventLoop& loop, const std::filesystem::path& nodes, std::function<void()> appeared)
    : appeared_(std::move(appeared)) {
    uevents_ = netlink_socket(NETLINK_KOBJECT_UEVENT, kernel_group);
    if (uevents_)
        if (auto source = loop.watch(uevents_.get(), EPOLLIN, [this](std::uint32_t) { read_uevents(); }))
            uevents_source_ = *std::move(source);
    nodes_ = UniqueFd(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
    if (!nodes_ || ::inotify_add_watch(nodes_.get(), nodes.c_str(), IN_CREATE | IN_MOVED_TO | IN_ATTRIB) < 0)
        return;
    if (auto source = loop.watch(nodes_.get(), EPOLLIN, [this](std::uint32_t) { read_nodes(); }))
        nodes_source_ = *std::move(source);
}

void DeviceWatch::read_uevents() {
    // UEVENT_BUFFER_SIZE is 2 KiB; what is longer is no uevent.
    std::array<char, 4096> buffer{};
    bool news = false;
    for (int i = 0; i < messages_a_turn; ++i) {
        sockaddr_nl sender{};
        socklen_t size = sizeof sender;
        auto* address = static_cast<sockaddr*>(static_cast<void*>(&sender));
        const ssize_t received = ::recvfrom(uevents_.get(), buffer.data(), buffer.size(), 0, address, &size);
        const bool lost_some = received < 0 && errno == ENOBUFS;
        if (received <= 0 && !lost_some) break;
        // Only the kernel has the port 0.
        news = news || lost_some ||
               (sender.nl_pid == 0 && brings_a_device({buffer.data(), static_cast<std::size_t>(received)}));
    }
    if (news) appeared_();
}

// Which node it is does not matter.
void DeviceWatch::read_nodes() {
    std::array<char, 4096> buffer{};
    bool news = false;
    for (int i = 0; i < messages_a_turn; ++i) {
        if (::read(nodes_.get(), buffer.data(), buffer.size()) <= 0) break;
        news = true;
    }
    if (news) appeared_();
}

}  // namespace holdfast
