#include "host/plugin_library.hpp"

#include <dlfcn.h>
#include <stddef.h>

#include <string_view>

#include "host/crash_place.hpp"

namespace holdfast::host {
namespace {

// Of a plugin that was built when ABI 1 was new.
constexpr std::size_t first_descriptor_size = offsetof(holdfast_plugin, check);

Error no_plugin(const std::string& path, std::string_view why) {
    return {Error::Kind::config, path + " is not a usable plugin: " + std::string(why)};
}

std::string text_or_empty(const char* text) {
    return text == nullptr ? std::string() : std::string(text);
}

Result<void> check(const holdfast_plugin* plugin, const std::string& path) {
    if (plugin == nullptr) return no_plugin(path, "holdfast_plugin_entry returned no descriptor");
    // `size` and `abi` stand first in every version of the struct.
    if (plugin->abi != HOLDFAST_PLUGIN_ABI)
        return no_plugin(path, "it was built for ABI " + std::to_string(plugin->abi) +
                                   ", this agent has ABI " + std::to_string(HOLDFAST_PLUGIN_ABI) +
                                   ": rebuild it");
    if (plugin->size < first_descriptor_size)
        return no_plugin(path, "its descriptor is " + std::to_string(plugin->size) + " bytes, ABI 1 has " +
                                   std::to_string(first_descriptor_size));
    if (plugin->name == nullptr || plugin->name[0] == '\0')
        return no_plugin(path, "its descriptor has no name");
    if (plugin->open == nullptr || plugin->close == nullptr)
        return no_plugin(path, "its descriptor lacks open or close");
    if (plugin->sample == nullptr && plugin->ready == nullptr)
        return no_plugin(path, "its descriptor has neither sample nor ready");
    if (plugin->option_count > 0 &&
        (plugin->options == nullptr || plugin->options->size < sizeof(holdfast_option)))
        return no_plugin(path, "its options are not those of ABI 1");
    return {};
}

// `index` counts in steps of the size that the plugin was compiled with.
const holdfast_option& option_at(const holdfast_plugin& plugin, std::uint32_t index) {
    const char* first = reinterpret_cast<const char*>(plugin.options);
    return *reinterpret_cast<const holdfast_option*>(first + std::size_t{index} * plugin.options->size);
}

std::vector<std::string> split_choices(std::string_view text) {
    std::vector<std::string> choices;
    while (!text.empty()) {
        const std::size_t bar = text.find('|');
        choices.emplace_back(text.substr(0, bar));
        text.remove_prefix(bar == std::string_view::npos ? text.size() : bar + 1);
    }
    return choices;
}

OptionInfo describe(const holdfast_option& option) {
    OptionInfo info;
    info.key = text_or_empty(option.key);
    info.type = static_cast<OptionType>(option.type);
    if (option.default_value != nullptr) info.default_text = option.default_value;
    info.help = text_or_empty(option.help);
    info.choices = split_choices(option.choices == nullptr ? "" : option.choices);
    return info;
}

}  // namespace

bool can_check(const holdfast_plugin& plugin) {
    return plugin.size >= first_descriptor_size + sizeof plugin.check && plugin.check != nullptr;
}

Result<const holdfast_plugin*> load_plugin(const std::string& path) {
    void* library = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr)
        return Error{Error::Kind::retry, "cannot load the plugin: " + text_or_empty(::dlerror())};
    void* symbol = ::dlsym(library, "holdfast_plugin_entry");
    if (symbol == nullptr) return no_plugin(path, "it does not export holdfast_plugin_entry");
    remember_plugin(path, symbol);
    const auto entry = reinterpret_cast<decltype(&holdfast_plugin_entry)>(symbol);
    const holdfast_plugin* plugin = entry();
    if (auto sound = check(plugin, path); !sound) return sound.error();
    return plugin;
}

PluginInfo describe(const holdfast_plugin& plugin) {
    PluginInfo info{
        text_or_empty(plugin.name), text_or_empty(plugin.version), text_or_empty(plugin.summary), {}};
    for (std::uint32_t i = 0; i < plugin.option_count; ++i)
        info.options.push_back(describe(option_at(plugin, i)));
    return info;
}

}  // namespace holdfast::host
