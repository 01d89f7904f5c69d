// What the tests of the configuration share: loading a text, and a few plugins to describe.
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "config/load.hpp"

namespace holdfast::test {

// Plugins "plain" (no options) and "rich" (one of each type); any other is not found.
inline Result<PluginInfo> describe_test_plugin(const std::string& name) {
    if (name == "plain" || name == "system") return PluginInfo{name, "1", "", {}};
    if (name != "rich") return Error{Error::Kind::config, "there is no plugin \"" + name + "\""};
    return PluginInfo{name,
                      "1",
                      "",
                      {{"device", OptionType::string, std::nullopt, "", {}},
                       {"shape", OptionType::string, "sine", "", {"counter", "sine", "random"}},
                       {"channels", OptionType::i64, "1", "", {}},
                       {"rate", OptionType::f64, "1", "", {}},
                       {"raw", OptionType::boolean, "false", "", {}},
                       {"timeout", OptionType::duration, "250ms", "", {}},
                       {"limit", OptionType::size, "64KiB", "", {}},
                       {"command", OptionType::string_list, "[\"true\"]", "", {}},
                       {"environment", OptionType::string_map, "{ LANG = \"C\" }", "", {}}}};
}

inline LoadedConfig load(std::string text) {
    return load_config_texts({{"test.toml", std::move(text)}}, describe_test_plugin);
}

// Likewise, with a plugin that is asked.
inline LoadedConfig load(std::string text, const CheckOptions& check) {
    return load_config_texts({{"test.toml", std::move(text)}}, describe_test_plugin, check);
}

inline std::vector<std::string> lines(const LoadedConfig& loaded) {
    std::vector<std::string> out;
    for (const ConfigProblem& problem : loaded.problems)
        out.push_back(to_string(problem));
    return out;
}

// The problems of one file as they are printed.
inline std::vector<std::string> problems(std::string text) {
    return lines(load(std::move(text)));
}

// The configuration; a text with problems throws, which fails the test with the first of them.
inline Config loaded(std::string text) {
    LoadedConfig result = load(std::move(text));
    if (!result.config) throw std::runtime_error(to_string(result.problems.at(0)));
    return std::move(*result.config);
}

}  // namespace holdfast::test
