// Cuts a TCP connection that a library made and does not hand out.
//
// Paho has no call that ends a connection without DISCONNECT, and a DISCONNECT makes the broker forget the
// last will. So the sockets of the process are compared before and after: the new one is Paho's, and
// shutdown(2) takes it away beneath it.
#pragma once

#include <cstdint>
#include <vector>

namespace holdfast {

// The kernel's unique numbers of the process's TCP sockets that are not listening.
std::vector<std::uint64_t> tcp_sockets();

// Shuts down the one socket that is not in `before` and is connected, or connecting, to `port`. False: there
// is none, or it cannot be told which; then nothing was touched.
bool cut_new_tcp_socket(const std::vector<std::uint64_t>& before, std::uint16_t port);

}  // namespace holdfast
