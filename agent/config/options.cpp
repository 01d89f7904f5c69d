#include "config/options.hpp"

#include <limits>
#include <string>
#include <utility>

#include "config/parse.hpp"
#include "config/section.hpp"

namespace holdfast::config {
namespace {

constexpr Micros longest = std::chrono::hours(24 * 36'500);
constexpr Bytes largest = mebibytes(1ULL << 30U);

bool is_written_bare(OptionType type) {
    return type == OptionType::string || type == OptionType::duration || type == OptionType::size;
}

void relocate(Node& node, Position where) {
    node.where = where;
    if (auto* array = node.as<Array>())
        for (Node& element : *array)
            relocate(element, where);
    if (auto* table = node.as<Table>()) {
        for (Entry& entry : table->entries) {
            entry.where = where;
            relocate(entry.value, where);
        }
    }
}

// A default is written as in a configuration file, or as the bare text of a string, duration or size.
Node default_node(const OptionInfo& option, Position where) {
    Node node{where, *option.default_text};
    const bool quoted = option.default_text->starts_with('"') || option.default_text->starts_with('\'');
    if (is_written_bare(option.type) && !quoted) return node;
    auto parsed = parse("value = " + *option.default_text, where.file);
    if (!parsed) return node;  // not of its type then, which reading it reports
    node.value = std::move(parsed->entries.front().value.value);
    relocate(node, where);
    return node;
}

std::string read_string(Section& section, const OptionInfo& option) {
    if (option.choices.empty()) return section.text(option.key, check_anything, {});
    const auto index = section.word_in(option.key, {option.choices.begin(), option.choices.end()});
    return index ? option.choices[*index] : std::string();
}

OptionValue read_value(Section& section, const OptionInfo& option) {
    using Integers = std::numeric_limits<std::int64_t>;
    const std::string_view key = option.key;
    switch (option.type) {
        case OptionType::string:
            return read_string(section, option);
        case OptionType::i64:
            return section.integer(key, Integers::min(), Integers::max(), std::int64_t{0});
        case OptionType::f64:
            return section.number(key, 0.0);
        case OptionType::boolean:
            return section.boolean(key, false);
        case OptionType::duration:
            return section.duration(key, Micros(0), longest, Micros(0)).count();
        case OptionType::size:
            return static_cast<std::int64_t>(section.size(key, Bytes{0}, largest, Bytes{0}).count);
        case OptionType::string_list:
            return section.texts(key, check_anything);
        case OptionType::string_map:
            return section.text_map(key, check_anything);
    }
    return std::string();
}

}  // namespace

Options read_options(const PluginInfo& plugin, const Table* given, OptionPlaces places, Report& report) {
    Table table = given == nullptr ? Table{} : *given;
    for (const OptionInfo& option : plugin.options)
        if (option.default_text && find(table, option.key) == nullptr)
            table.entries.push_back({option.key, places.plugin, default_node(option, places.plugin)});

    Section section(report, &table, places.options, "among the options of plugin \"" + plugin.name + '"');
    Options out;
    for (const OptionInfo& option : plugin.options) {
        section.require({option.key});
        out.push_back({option.key, read_value(section, option)});
    }
    section.finish();
    return out;
}

}  // namespace holdfast::config
