#include "cli/command.hpp"

namespace holdfast::cli {

int check(const Arguments& arguments) {
    const LoadedConfig loaded = load_and_report(arguments.places);
    if (!loaded.config) return wrong_config;
    const Config& config = *loaded.config;
    std::string text = "configuration is valid: agent " + config.agent.id + ", " + std::to_string(config.inputs.size()) +
                       " inputs, " +
                       (config.broker.servers.empty() ? std::string("no server") : config.broker.servers.front().url) + "\n";
    for (const std::string& key : config.not_yet_effective) text += key + " is set, but without effect in this version\n";
    return print(text) ? done : failed;
}

}  // namespace holdfast::cli
