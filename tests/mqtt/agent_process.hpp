// `holdfast run` as a process of its own, with its configuration, state and log in a directory of the test's.
//
// Owned by one test, used from its main thread. The destructor kills the process; the log stays as long as
// the directory. One object may be started again after it ended, with the same state.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "broker/packet.hpp"
#include "support/temp_dir.hpp"

namespace holdfast::test {

struct AgentSettings {
    using Keys = std::map<std::string, std::string>;  // values as TOML; they win over the tests' own
    MqttVersion version = MqttVersion::v5;
    Keys broker = {};
    Keys tls = {};
    Keys batch = {};
    Keys buffer = {};
    int readings = 0;       // that the simulator makes; 0: it never stops
    int rate = 200;         // a second; 0: as fast as they are taken
    std::string more = {};  // lines behind it all
};

struct CommandResult {
    int exit_code = -1;
    std::string output;  // stdout and stderr
};

class AgentProcess {
  public:
    AgentProcess(const TempDir& directory, std::uint16_t port, const std::filesystem::path& ca_file);
    AgentProcess(const AgentProcess&) = delete;
    AgentProcess& operator=(const AgentProcess&) = delete;
    ~AgentProcess();

    void configure(const AgentSettings& settings);
    void start();
    void terminate() const;  // SIGTERM
    // The exit code; -1 when it does not end within the limit, -N when signal N ended it.
    int wait_end(std::chrono::seconds limit = std::chrono::seconds(30));
    void kill();

    CommandResult command(const std::string& words) const;
    // Of `holdfast status --json`: the text behind the first "member": after "section":; empty: not there.
    std::string status(std::string_view section, std::string_view member) const;
    bool wait_status(std::string_view section, std::string_view member, std::string_view value,
                     std::chrono::seconds limit = std::chrono::seconds(30)) const;
    std::string log() const;
    int logged(std::string_view text) const;  // lines with it
    bool wait_logged(std::string_view text, int lines = 1) const;

  private:
    const TempDir& directory_;
    const std::uint16_t port_;
    const std::filesystem::path ca_file_;
    pid_t pid_ = -1;
};

}  // namespace holdfast::test
