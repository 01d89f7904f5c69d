// Starts, feeds, watches and restarts the plugin hosts, one child process per configured input; turns frames
// into readings.
//
// Lives on the main thread. A host that exits, crashes or misses its deadline costs its own input alone: it
// is killed, reaped, logged on change of state, and started again with backoff; after `final` refusal of its
// options not before the configuration changes. Hosts and their children never outlive the daemon.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/event_loop.hpp"
#include "base/log.hpp"
#include "config/config.hpp"
#include "model/plugin_info.hpp"
#include "model/reading.hpp"

namespace holdfast {

// Where readings go; called on the main thread. Inputs are known by their name.
class ReadingSink {
  public:
    virtual ~ReadingSink() = default;
    // The input's host has started (again): its channels are numbered anew.
    virtual void begin_stream(const std::string& input) = 0;
    // `channels` only grows within a stream; views live until this returns. Boot times are never in the
    // future.
    virtual void accept(const std::string& input, const Reading& reading,
                        const std::vector<Channel>& channels) = 0;
};

enum class InputState { running, backing_off, failed, stopped };
std::string_view to_string(InputState state);

struct InputStatus {
    std::string name;
    std::string plugin;
    InputState state = InputState::stopped;
    pid_t pid = 0;  // of the host; 0: none now
    std::uint64_t readings = 0;
    std::uint64_t errors = 0;      // samples and lines that failed
    std::uint64_t missed = 0;      // samples that were due and not taken: no room, or the one before was slow
    std::uint64_t non_finite = 0;  // numbers that will be sent as null
    std::uint64_t restarts = 0;    // of the host, or of its stream command
    std::string last_error;
    std::optional<std::int64_t> last_reading_wall_us;
};

// Where things are; the same for all inputs.
struct InputEnvironment {
    std::filesystem::path host_program;
    std::filesystem::path plugin_directory;
    std::filesystem::path sensor_root;  // empty: the real /sys, /proc, /dev
    bool trial = false;                 // what the inputs do must leave no trace
};

class Inputs {
  public:
    Inputs(EventLoop& loop, const Clock& clock, Log& log, InputEnvironment environment, ReadingSink& sink);
    ~Inputs();  // kills what still runs

    // Starts what is new, stops what is gone, restarts what changed, leaves the rest alone.
    void configure(const std::vector<InputConfig>& inputs);
    // Stops reading from the hosts (the store has no room) and goes on; a paused host is not held to its
    // deadline.
    void pause();
    void resume();
    // A device may have come: inputs that wait for theirs are tried soon.
    void devices_appeared();
    // Ends all hosts (SIGTERM, shortly after SIGKILL) after taking in what they had sent; waits for them, at
    // most a second.
    void stop();
    std::vector<InputStatus> status() const;

  private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

// Runs a host once, only to read the plugin's descriptor. Fails with config: not found (names those there
// are), unsafe place (not owned by root or this user, or writable by others), no plugin, other ABI, crashed.
// Takes at most 5 s. Any thread.
Result<PluginInfo> describe_plugin(const InputEnvironment& environment, const std::string& name);
// Runs a host once, only to ask the plugin whether these options are sound; the device is not touched. What
// the plugin says of each mistake; nothing when they are sound, or the plugin can't tell. Fails with retry
// when it can't be asked. Takes at most 5 s, and as long again when the host can't be killed. Any thread.
Result<std::vector<std::string>> check_options(const InputEnvironment& environment, const InputConfig& input);

// Names of the plugins in the directory, sorted.
std::vector<std::string> list_plugins(const InputEnvironment& environment);

}  // namespace holdfast
