// What a plugin says of itself: its name and the options it takes. Comes from its descriptor, read by a
// plugin host.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.hpp"
#include "model/reading.hpp"

namespace holdfast {

// Numbers are those of enum holdfast_option_type in plugin.h.
enum class OptionType : std::uint8_t {
    string = 0,
    i64 = 1,
    f64 = 2,
    boolean = 3,
    duration = 4,  // as i64 microseconds
    size = 5,      // as i64 bytes
    string_list = 6,
    string_map = 7,
};
std::string_view to_string(
    OptionType type);  // as shown to people: "string", "integer", "number", "duration", ...

struct OptionInfo {
    std::string key;
    OptionType type = OptionType::string;
    std::optional<std::string> default_text;  // none: required
    std::string help;
    std::vector<std::string> choices;  // empty: any
};

struct PluginInfo {
    std::string name;
    std::string version;
    std::string summary;
    std::vector<OptionInfo> options;
};

// An option's value as the plugin gets it.
using OptionValue = std::variant<std::string, std::int64_t, double, bool, std::vector<std::string>, Tags>;

struct Option {
    std::string key;
    OptionValue value;
    bool operator==(const Option&) const = default;
};
using Options = std::vector<Option>;

// Finds out what the plugin of that name takes, or why it can't be used (not found, not a plugin, other ABI,
// unsafe place).
using DescribePlugin = std::function<Result<PluginInfo>(const std::string& name)>;

}  // namespace holdfast
