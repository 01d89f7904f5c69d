#include "config/inputs.hpp"

#include <algorithm>
#include <map>
#include <optional>

#include "config/options.hpp"

namespace holdfast::config {
namespace {

using namespace std::chrono_literals;

constexpr Micros longest_interval = 24h * 366;

class InputReader {
  public:
    InputReader(const Tags& agent_tags, const DescribePlugin& describe, const CheckOptions& check,
                Report& report)
        : agent_tags_(agent_tags), describe_(describe), check_(check), report_(report) {}

    InputConfig read(Section& section) {
        const std::size_t problems_before = report_.count();
        InputConfig input;
        section.require({"name", "plugin"});
        input.name = section.text("name", check_name, {});
        input.plugin = section.text("plugin", check_name, {});
        input.interval = section.duration("interval", Micros(1ms), longest_interval, input.interval);
        input.tags = section.text_map("tags", check_tag_value);
        input.priority = section.choice(
            "priority", {{"low", Priority::low}, {"normal", Priority::normal}, {"high", Priority::high}},
            input.priority);
        const Micros deadline = section.duration("deadline", Micros(100ms), longest_interval, Micros(0));
        if (deadline > Micros(0)) input.deadline = deadline;
        input.memory_limit =
            section.size("memory_limit", mebibytes(4), mebibytes(65'536), input.memory_limit);
        const Table* const options = section.table("options");
        section.finish();

        check_name_is_new(section, input.name);
        check_tag_count(section, input.tags);
        if (const PluginInfo* const plugin = described(section, input.plugin))
            input.options =
                read_options(*plugin, options, {section.where("options"), section.where("plugin")}, report_);
        if (check_ && report_.count() == problems_before) ask_plugin(section, input, options);
        return input;
    }

  private:
    void check_name_is_new(Section& section, const std::string& name) {
        if (name.empty()) return;
        const auto [first, is_new] = names_.emplace(name, section.where("name"));
        if (!is_new)
            section.problem("name",
                            "\"" + name + "\" is taken by the input at " + report_.place(first->second));
    }

    void check_tag_count(Section& section, const Tags& tags) {
        const auto own = [&](const auto& tag) {
            return std::none_of(tags.begin(), tags.end(),
                                [&](const auto& t) { return t.first == tag.first; });
        };
        const auto count = tags.size() + static_cast<std::size_t>(
                                             std::count_if(agent_tags_.begin(), agent_tags_.end(), own));
        if (count > max_tags)
            section.problem("tags", "expected at most " + std::to_string(max_tags) +
                                        " with those of [agent], found " + std::to_string(count));
    }

    // Null: it can't be used, which has been noted.
    const PluginInfo* described(Section& section, const std::string& plugin) {
        if (plugin.empty()) return nullptr;
        auto known = plugins_.find(plugin);
        if (known == plugins_.end()) known = plugins_.emplace(plugin, describe_(plugin)).first;
        if (known->second) return &*known->second;
        section.problem("plugin", known->second.error().text);
        return nullptr;
    }

    void ask_plugin(Section& section, const InputConfig& input, const Table* options) {
        const auto mistakes = check_(input);
        if (!mistakes) return section.problem("plugin", mistakes.error().text);
        for (const std::string& mistake : *mistakes)
            report_.add(place_of(mistake, options).value_or(section.where("options")), mistake);
    }

    // What a plugin says begins with the key of the option that it means, and of the entry in that:
    // "lines.door: ...".
    static std::optional<Position> place_of(std::string_view mistake, const Table* options) {
        const std::size_t key_end = mistake.find_first_of(":.");
        const Entry* const option = options == nullptr ? nullptr : find(*options, mistake.substr(0, key_end));
        if (option == nullptr) return std::nullopt;
        const auto* entries = option->value.as<Table>();
        const bool names_entry = key_end != std::string_view::npos && mistake[key_end] == '.';
        if (entries == nullptr || !names_entry) return option->where;
        for (const Entry& entry : entries->entries)
            if (mistake.substr(key_end + 1).starts_with(entry.key + ": ")) return entry.where;
        return option->where;
    }

    const Tags& agent_tags_;
    const DescribePlugin& describe_;
    const CheckOptions& check_;
    Report& report_;
    std::map<std::string, Position> names_;
    std::map<std::string, Result<PluginInfo>> plugins_;
};

}  // namespace

std::vector<InputConfig> read_inputs(std::vector<Section> entries, const Tags& agent_tags,
                                     const DescribePlugin& describe, const CheckOptions& check,
                                     Report& report) {
    InputReader reader(agent_tags, describe, check, report);
    std::vector<InputConfig> inputs;
    inputs.reserve(entries.size());
    for (Section& entry : entries)
        inputs.push_back(reader.read(entry));
    return inputs;
}

}  // namespace holdfast::config
