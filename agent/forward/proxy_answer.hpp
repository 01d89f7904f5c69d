// The head of an HTTP proxy's answer to CONNECT, read as it comes in (RFC 9112, 2 and 4). What follows the
// head is the server's already.
//
// Passive: no socket. It takes any bytes, and keeps at most what is to be told of them.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace holdfast {

class ProxyAnswer {
  public:
    static constexpr std::size_t most_bytes = 16 * 1024;

    enum class State {
        incomplete,
        complete,
        no_http,   // it begins or goes on as no HTTP answer does
        too_long,  // no end within most_bytes
    };

    // Takes what belongs to the head from the front of `bytes`, and returns how much that was: all of it
    // while the head is incomplete. Not to be called otherwise.
    std::size_t take(std::string_view bytes);

    State state() const { return state_; }
    // Of a complete one; an interim answer (100 to 199, but 101) is passed over.
    int status() const { return status_; }
    // "403 Forbidden": printable ASCII, shortened.
    std::string status_text() const;
    // What Proxy-Authenticate asks for: "Basic", "NTLM".
    const std::vector<std::string>& schemes() const { return schemes_; }

  private:
    bool may_be_http() const;
    void end_line();
    bool read_status_line();
    void read_header();

    State state_ = State::incomplete;
    std::size_t bytes_ = 0;
    std::string line_;  // what has come of it
    int status_ = 0;    // 0: its line has not come
    std::string reason_;
    std::vector<std::string> schemes_;
};

}  // namespace holdfast
