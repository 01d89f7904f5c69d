// A socket that hears what the kernel multicasts.
#pragma once

#include <cstdint>

#include "base/unique_fd.hpp"

namespace holdfast {

// Non-blocking and bound to `groups` of a netlink protocol (netlink(7)); empty where a sandbox denies it.
UniqueFd netlink_socket(int protocol, std::uint32_t groups);

}  // namespace holdfast
