// Opens a TCP connection to whichever address of a server answers first.
//
// Blocks up to the deadline; for a thread that may.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "forward/resolver.hpp"

namespace holdfast {

// "broker.example.com:8883", "[2001:db8::1]:8883".
std::string host_and_port(const std::string& host, std::uint16_t port);

struct TcpConnection {
    UniqueFd socket;   // not blocking
    std::string peer;  // host_and_port() of the address
};

// Tries the addresses in their order, the next one when the last has failed or has not answered for 250 ms
// (RFC 8305, 5: Connection Attempt Delay). Fails (kind retry) when none answers by the deadline, with what
// each said, or when `is_wanted` no longer holds, which is asked several times a second.
Result<TcpConnection> connect_tcp(
    const std::vector<Address>& addresses, std::uint16_t port, MonoTime deadline,
    const std::function<bool()>& is_wanted = [] { return true; });

// Until the socket is ready for `events` (of poll) or has failed; false: the deadline came first.
bool wait_until_ready(int socket, short events, MonoTime deadline);

// Sends at once, and has the kernel give the connection up when the other end has acknowledged nothing for
// `patience`, also when nothing is sent.
void tune_tcp(int socket, std::chrono::seconds patience);

}  // namespace holdfast
