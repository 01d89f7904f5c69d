// A plugin host started to see what becomes of a plugin: for `holdfast plugin-test`. Everything that it says
// and sends is taken in and remembered; it is killed when it takes too long, and at the latest by the
// destructor.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "input/host_process.hpp"
#include "input/inputs.hpp"
#include "model/frame.hpp"
#include "model/reading_stream.hpp"

namespace holdfast::cli {

class PluginTrial {
  public:
    // Fails when the host can't be started.
    static Result<std::unique_ptr<PluginTrial>> start(const InputEnvironment& environment,
                                                      const std::string& name, Bytes memory_limit,
                                                      const frame::ToHost& request);
    PluginTrial(const PluginTrial&) = delete;
    PluginTrial& operator=(const PluginTrial&) = delete;
    ~PluginTrial();

    // Takes in what comes until `done` holds, the host ends, or `limit` is over; false in the last case.
    bool follow(std::chrono::milliseconds limit, const std::function<bool()>& done);
    // Until it ends by itself; when `limit` is over it is asked to end, and killed if it does not.
    void finish(std::chrono::milliseconds limit);

    // What has come.
    const std::vector<frame::Round>& rounds() const { return rounds_; }
    std::uint64_t readings() const { return readings_; }
    std::uint64_t failures() const { return failures_; }  // of samples, but in rounds
    std::size_t channels() const { return reader_.channels().size(); }
    bool opened() const { return opened_; }
    const std::optional<frame::OpenFailed>& open_failure() const { return open_failure_; }
    // How it went wrong, in words: a crash, an exit that nobody asked for, a call that did not return; empty
    // when it did not.
    const std::string& disaster() const { return disaster_; }

  private:
    PluginTrial(HostProcess host, std::uint32_t rounds) : host_(std::move(host)), asked_rounds_(rounds) {}

    bool take_frame();  // false: none there
    void take(const frame::FromHost& frame);
    void take_readings(std::string_view segment);
    void end(int status);
    bool ended_well(int status) const;
    void kill();

    std::optional<HostProcess> host_;  // while it runs
    std::uint32_t asked_rounds_;       // 0: it runs as the agent's hosts do
    std::chrono::steady_clock::time_point heard_ = std::chrono::steady_clock::now();  // of the last round
    std::string buffer_ = std::string(frame::max_bytes, '\0');
    ReadingReader reader_;
    std::vector<frame::Round> rounds_;
    std::uint64_t readings_ = 0;
    std::uint64_t failures_ = 0;
    bool opened_ = false;
    bool finished_ = false;  // or lost its device
    bool closed_ = false;    // its end of the socket
    bool asked_ = false;     // to end
    std::optional<frame::OpenFailed> open_failure_;
    std::string crash_place_;
    std::string disaster_;
};

}  // namespace holdfast::cli
