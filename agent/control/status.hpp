// What the running agent is doing: one snapshot, and how scripts (JSON) and people (text) get to see it.
// The JSON's members are a promise to users: docs/operations.md.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "buffer/buffer.hpp"
#include "forward/forwarder_thread.hpp"
#include "input/inputs.hpp"

namespace holdfast {

struct AgentStatus {
    std::string agent;
    std::string version;
    std::int64_t wall_us = 0;  // when the snapshot was taken
    std::uint64_t uptime_s = 0;
    ForwardStatus forward;
    BufferStatus buffer;
    std::vector<InputStatus> inputs;
};

std::string status_json(const AgentStatus& status);
std::string status_text(const AgentStatus& status);
// A line for systemctl status.
std::string status_line(const AgentStatus& status);

std::string buffer_json(const BufferStatus& buffer);
std::string buffer_text(const BufferStatus& buffer);

}  // namespace holdfast
