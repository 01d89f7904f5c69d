// Where the agent finds its files; the command line's --config, --state-dir, --runtime-dir, --plugin-dir, --sensor-root.
#pragma once

#include <filesystem>
#include <vector>

#include "input/inputs.hpp"

namespace holdfast {

struct Places {
    std::vector<std::filesystem::path> config_files;  // in the order they are merged
    std::filesystem::path state_directory = "/var/lib/holdfast";
    std::filesystem::path runtime_directory = "/run/holdfast";
    InputEnvironment inputs;

    std::filesystem::path control_socket() const { return runtime_directory / "control.sock"; }
};

}  // namespace holdfast
