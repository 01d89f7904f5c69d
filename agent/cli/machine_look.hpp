// What there is on a machine that an input could read: for `holdfast discover`. Looks at names below /sys and
// /dev alone; no device is opened, no bus is asked, as that can upset some chips.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "config/config.hpp"

namespace holdfast::cli {

// A part of a configuration, and why it is proposed.
struct ProposedInput {
    std::string name;                  // of the input
    std::string plugin;                // empty: no plugin reads it
    std::string interval;              // as in a configuration
    std::vector<std::string> found;    // what it would read, a line each
    std::vector<std::string> advice;   // what a person has to know or choose, a line each
    std::vector<std::string> options;  // lines of its options table
    bool incomplete = false;           // somebody has to fill in the options, or to choose
};

// `root` is put before /sys and /dev; empty: this machine.
std::vector<ProposedInput> look_at_machine(const std::filesystem::path& root);

// Those whose plugin an input of the configuration has already are incomplete from here on.
void note_configured(std::vector<ProposedInput>& proposed, const std::vector<InputConfig>& configured);

// A configuration that holds them: those whose plugin is not among `installed`, and those that are
// incomplete, as comments.
std::string to_toml(std::vector<ProposedInput> inputs, const std::vector<std::string>& installed);

}  // namespace holdfast::cli
