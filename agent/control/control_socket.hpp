// The control socket: how the command line asks the running agent. A UNIX stream socket in the runtime
// directory; one request line in, one answer out, closed.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <string_view>

#include "base/event_loop.hpp"
#include "base/result.hpp"
#include "base/unique_fd.hpp"

namespace holdfast {

// The agent's end; lives on the main thread.
class ControlServer {
  public:
    // Answers a request line (without its newline) of a process of that user. Must be quick: the main loop
    // waits for it.
    using Answer = std::function<std::string(std::string_view request, uid_t user)>;

    // Listens on `path`, mode 0660; what a dead agent left there is replaced, a living agent's socket is an
    // error (config).
    static Result<std::unique_ptr<ControlServer>> listen(EventLoop& loop, const std::filesystem::path& path,
                                                         Answer answer);
    ~ControlServer();

  private:
    struct Connection;
    ControlServer(EventLoop& loop, std::filesystem::path path, UniqueFd socket, Answer answer);
    Result<void> listen_on();
    void accept();
    void rest();
    void read(Connection& connection);
    void drop(Connection& connection);

    EventLoop& loop_;
    std::filesystem::path path_;
    UniqueFd socket_;
    Answer answer_;
    EventLoop::SourcePtr source_;
    std::unique_ptr<EventLoop::Timer> rest_over_;
    std::list<std::unique_ptr<Connection>> connections_;
};

// The command line's end: sends the request and waits for the whole answer, which is never empty. Fails with
// gone when no agent listens there, with retry when one may but does not answer, with config when this user
// may not ask.
Result<std::string> ask_agent(const std::filesystem::path& path, std::string_view request,
                              std::chrono::milliseconds timeout = std::chrono::seconds(5));

}  // namespace holdfast
