// What `holdfast plugin-test` makes of the rounds of an exercise: whether a plugin keeps to its contract.
// Passive: numbers in, findings out.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "model/frame.hpp"
#include "model/plugin_info.hpp"

namespace holdfast::cli {

struct Finding {
    enum class Kind { ok, failed, skipped } kind = Kind::ok;
    std::string what;
    std::string why;
};

// An answer in words: "ENODEV: no such device", with what the plugin said of it.
std::string describe_code(std::int32_t code, const std::string& said);

// The options as the plugin declares them: keys, types, defaults, help, choices.
Finding judge_options(const PluginInfo& plugin);
// What open and sample returned.
Finding judge_codes(const std::vector<frame::Round>& rounds);
// Whether everything that was emitted had been declared, and was sound.
Finding judge_emits(const std::vector<frame::Round>& rounds);
// Whether memory, descriptors, threads and children are given back: one finding each.
std::vector<Finding> judge_leaks(const std::vector<frame::Round>& rounds);

}  // namespace holdfast::cli
