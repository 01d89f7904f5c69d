// A plugin host as the daemon holds it: a process and the socket to it. The mechanics only; supervisor.hpp
// decides.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "input/inputs.hpp"
#include "model/frame.hpp"

namespace holdfast {

class HostProcess {
  public:
    // Starts a host and gives it its first frame. Fails with config when there is no such program, else with
    // retry.
    static Result<HostProcess> start(const std::filesystem::path& program, const std::string& input,
                                     Bytes memory_limit, const frame::ToHost& first);

    pid_t pid() const { return pid_; }
    int socket() const { return socket_.get(); }
    void signal(int number) const;

    // The next frame that has arrived, read into `buffer` (frame::max_bytes of it). Does not block.
    enum class Receipt { frame, none_yet, end };
    struct Received {
        Receipt receipt = Receipt::none_yet;
        std::string_view bytes;
    };
    Received receive(std::string& buffer) const;

  private:
    HostProcess(pid_t pid, UniqueFd socket) : pid_(pid), socket_(std::move(socket)) {}

    pid_t pid_;
    UniqueFd socket_;
};

// What a host is told of an input whose plugin lies at `plugin`.
frame::Configure configure_frame(const InputEnvironment& environment, const InputConfig& input,
                                 const std::filesystem::path& plugin);

// Waits for a child to end, at most until `limit_ms` are over; its wait status when it did, it is reaped
// then.
std::optional<int> wait_for(pid_t pid, int limit_ms);

}  // namespace holdfast
