// Where the agent finds its files; the command line's --config, --state-dir, --runtime-dir, --plugin-dir,
// --sensor-root.
#pragma once

#include <filesystem>
#include <vector>

#include "config/load.hpp"
#include "input/inputs.hpp"

namespace holdfast {

struct Places {
    std::vector<std::filesystem::path> config_files;  // those named by --config; none: the default places
    std::filesystem::path state_directory = "/var/lib/holdfast";
    std::filesystem::path runtime_directory = "/run/holdfast";
    InputEnvironment inputs;

    // In the order they are merged. Looked up at each load: a file that was put into conf.d since counts.
    std::vector<std::filesystem::path> files_to_load() const {
        return config_files.empty() ? default_config_files() : config_files;
    }
    std::filesystem::path control_socket() const { return runtime_directory / "control.sock"; }
};

}  // namespace holdfast
