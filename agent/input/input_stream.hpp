// One configured input at work: its supervisor, its host while there is one, and the readings that come from
// it.
//
// Owned by Inputs, on the main thread. Does what the supervisor says, and hands readings on in the order they
// were sent; a host's exit is dealt with only after everything that it had sent.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "input/host_process.hpp"
#include "input/inputs.hpp"
#include "input/log_gate.hpp"
#include "input/supervisor.hpp"
#include "model/reading_stream.hpp"

namespace holdfast {

// What all inputs share.
struct InputContext {
    EventLoop& loop;
    const Clock& clock;
    Log& log;
    const InputEnvironment& environment;
    ReadingSink& sink;
    std::string& buffer;               // for the frame in hand
    std::function<void()> host_ended;  // a host was reaped: it may have left orphans
};

class InputStream {
  public:
    // The host starts with the first turn of the loop.
    InputStream(InputConfig config, const InputContext& context);
    InputStream(const InputStream&) = delete;
    InputStream& operator=(const InputStream&) = delete;
    ~InputStream();  // kills and reaps a host that still runs

    const InputConfig& config() const { return config_; }
    // The new one must be served by the same host; see same_host().
    void replace_config(InputConfig config) { config_ = std::move(config); }
    pid_t pid() const { return host_ && !exit_status_ ? host_->pid() : 0; }
    InputStatus status() const;

    void pause();
    void resume();
    // A device may have come; see Supervisor.
    void device_appeared();

    // The end, which the caller drives, as it ends several at once: ask, then take in what comes until
    // has_ended().
    void ask_to_end();
    bool has_ended() const { return !host_; }
    int socket() const { return host_ ? host_->socket() : -1; }
    // Takes in all that has arrived; false when nothing more will come.
    bool drain();
    // Reaps the host if it ends within `limit_ms`, after taking in what is left.
    void reap(int limit_ms);
    void kill();

  private:
    void turn();
    void arm();
    void start();
    Result<void> launch();
    void on_readable();
    void on_exit(int status);
    void conclude(int status);
    HostProcess::Receipt take_frame();
    void take(const frame::FromHost& frame);
    Result<void> take_readings(std::string_view segment);
    void take_log_line(const frame::LogLine& line);
    void watch_socket();

    InputConfig config_;
    const InputContext& context_;
    Supervisor supervisor_;
    LogGate log_gate_;
    std::unique_ptr<EventLoop::Timer> timer_;
    std::optional<MonoTime> armed_;
    bool paused_ = false;

    std::optional<HostProcess> host_;
    EventLoop::SourcePtr readable_;
    EventLoop::SourcePtr ended_;
    std::optional<int> exit_status_;  // of a host that ended while paused
    ReadingReader reader_;
    bool broken_ = false;  // the host sent what it may not: the rest is not looked at

    std::uint64_t readings_ = 0;
    std::uint64_t non_finite_ = 0;
    std::optional<std::int64_t> last_reading_wall_us_;
};

// Whether a host that runs for `a` serves `b` as well.
bool same_host(const InputConfig& a, const InputConfig& b);

}  // namespace holdfast
