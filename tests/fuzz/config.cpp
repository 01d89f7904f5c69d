// The configuration loader on any bytes: two files, so that merging is met too. It must neither crash nor be
// undecided.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "config/load.hpp"

namespace {

using namespace holdfast;

Result<PluginInfo> describe(const std::string& name) {
    if (name.empty() || name.front() == 'x') return Error{Error::Kind::config, "no such plugin"};
    return PluginInfo{name,
                      "1",
                      "",
                      {{"text", OptionType::string, "a", "", {"a", "b"}},
                       {"integer", OptionType::i64, "1", "", {}},
                       {"number", OptionType::f64, "1", "", {}},
                       {"flag", OptionType::boolean, "true", "", {}},
                       {"wait", OptionType::duration, "1s", "", {}},
                       {"room", OptionType::size, "1KiB", "", {}},
                       {"list", OptionType::string_list, "[]", "", {}},
                       {"map", OptionType::string_map, "{}", "", {}}}};
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    // A line of the form "%%%" parts the two files.
    const std::string text(data, data + size);
    const std::size_t part = std::min(text.find("%%%\n"), text.size());
    const std::string second = text.substr(std::min(part + 4, text.size()));
    const LoadedConfig loaded =
        load_config_texts({{"a.toml", text.substr(0, part)}, {"b.toml", second}}, describe);
    if (loaded.config.has_value() != loaded.problems.empty()) std::abort();
    for (const ConfigProblem& problem : loaded.problems)
        if (to_string(problem).size() < 10) std::abort();
    return 0;
}
