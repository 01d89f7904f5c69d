// Reads and validates configuration files: plain structs or all problems, each with file, line and column,
// out.
//
// The only place that includes toml++ is load's implementation; nothing thrown there gets out.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "config/config.hpp"
#include "model/plugin_info.hpp"

namespace holdfast {

// One problem, as `holdfast check` prints it: "file:line:column: error: text".
struct ConfigProblem {
    std::filesystem::path file;
    std::uint32_t line = 0;  // 1-based; 0: the whole file
    std::uint32_t column = 0;
    std::string text;
};
std::string to_string(const ConfigProblem& problem);

struct LoadedConfig {
    std::optional<Config> config;         // absent when there is any problem
    std::vector<ConfigProblem> problems;  // all of them, in file order
};

// Reads the files in order, each merged over those before: tables merge, a scalar in a later file wins,
// [[input]] entries add up. Never touches the network. `describe` is asked once for each plugin that is
// named; `check`, where there is one, for each input.
LoadedConfig load_config(const std::vector<std::filesystem::path>& files, const DescribePlugin& describe,
                         const CheckOptions& check = {});

// The same from texts at hand: tests and fuzzers. Relative paths in them are looked for beside `file`.
struct ConfigText {
    std::filesystem::path file;
    std::string text;
};
LoadedConfig load_config_texts(const std::vector<ConfigText>& texts, const DescribePlugin& describe,
                               const CheckOptions& check = {});

// /etc/holdfast/holdfast.toml (also when it is absent, which is then a problem) and
// /etc/holdfast/conf.d/*.toml in name order, below `root` (tests; else "/").
std::vector<std::filesystem::path> default_config_files(const std::filesystem::path& root = "/");

}  // namespace holdfast
