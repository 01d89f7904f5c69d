// A command that runs: its process, its process group, and the pipes from it.
//
// The command leads a process group of its own. It dies with this process, and the group with this object.
// The constructor returns when the command was executed; it throws when that was not possible.
#pragma once

#include <sys/types.h>

#include <string>
#include <utility>
#include <vector>

#include "shared/device/fd.hpp"

namespace exec_input {

using device::Fd;

struct Command {
    std::vector<std::string> arguments;  // the program first, looked for in PATH; at least one
    std::vector<std::pair<std::string, std::string>> environment;  // over the one of this process
};

class Child {
  public:
    explicit Child(const Command& command);
    Child(const Child&) = delete;
    Child& operator=(const Child&) = delete;
    ~Child();

    // Read ends that do not block.
    int output() const { return output_.get(); }
    int messages() const { return messages_.get(); }
    // Readable when the command has ended.
    int end() const { return end_.get(); }

    // Ends the command and its whole group.
    void kill_group() const;
    // To be called when the command has ended, or was killed: ends what is left of its group, leaves no
    // zombie, and returns the command's status as waitpid(2) has it.
    int reap();

  private:
    Fd output_;
    Fd messages_;
    Fd end_;
    pid_t pid_ = -1;
};

}  // namespace exec_input
