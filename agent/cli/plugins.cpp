#include <algorithm>

#include "cli/command.hpp"

namespace holdfast::cli {
namespace {

// A default or placeholder as it stands in a configuration.
std::string sample_value(const OptionInfo& option) {
    const bool quoted = option.type == OptionType::string || option.type == OptionType::duration ||
                        option.type == OptionType::size;
    if (option.default_text) return quoted ? '"' + *option.default_text + '"' : *option.default_text;
    switch (option.type) {
        case OptionType::string_list:
            return "[]";
        case OptionType::string_map:
            return "{}";
        case OptionType::boolean:
            return "false";
        case OptionType::i64:
        case OptionType::f64:
            return "0";
        default:
            return option.choices.empty() ? "\"\"" : '"' + option.choices.front() + '"';
    }
}

std::string option_help(const OptionInfo& option) {
    std::string out = "  " + option.key + "  (" + std::string(to_string(option.type)) + ", ";
    out += option.default_text ? "default " + sample_value(option) : std::string("required");
    out += ")\n      " + option.help + "\n";
    if (option.choices.empty()) return out;
    out += "      one of:";
    for (const std::string& choice : option.choices)
        out += " " + choice;
    return out + "\n";
}

std::string plugin_help(const PluginInfo& plugin) {
    std::string out = plugin.name + " " + plugin.version + ": " + plugin.summary + "\n\n";
    out += plugin.options.empty() ? "It takes no options.\n" : "Options:\n";
    for (const OptionInfo& option : plugin.options)
        out += option_help(option);
    out += "\nSample:\n\n[[input]]\nname = \"" + plugin.name + "\"\nplugin = \"" + plugin.name +
           "\"\ninterval = \"10s\"\n";
    if (!plugin.options.empty()) out += "[input.options]\n";
    for (const OptionInfo& option : plugin.options)
        out += (option.default_text ? "# " : "") + option.key + " = " + sample_value(option) + "\n";
    return out;
}

}  // namespace

int plugins(const Arguments& arguments) {
    std::string out;
    int code = done;
    const bool all = arguments.operands.empty();
    const auto names = all ? list_plugins(arguments.places.inputs) : arguments.operands;
    if (names.empty())
        return complain(
            {Error::Kind::gone, "no plugins in " + arguments.places.inputs.plugin_directory.native()});
    for (const std::string& name : names) {
        const auto plugin = describe_plugin(arguments.places.inputs, name);
        if (!plugin)
            code = complain(plugin.error());
        else if (all)
            out += name + std::string(name.size() < 16 ? 16 - name.size() : 1, ' ') + plugin->summary + "\n";
        else
            out += plugin_help(*plugin);
    }
    return print(out) ? code : failed;
}

}  // namespace holdfast::cli
