// holdfast discover: what this machine has, as a configuration that would read it.
#include <utility>

#include "cli/command.hpp"
#include "cli/machine_look.hpp"
#include "input/inputs.hpp"

namespace holdfast::cli {

int discover(const Arguments& arguments) {
    const InputEnvironment& places = arguments.places.inputs;
    std::vector<ProposedInput> inputs = look_at_machine(places.sensor_root);
    // One that can't be read, or is wrong, has nothing to say here.
    const auto describe = [&](const std::string& plugin) { return describe_plugin(places, plugin); };
    if (const auto loaded = load_config(arguments.places.files_to_load(), describe); loaded.config)
        note_configured(inputs, loaded.config->inputs);
    const std::string text =
        "# What holdfast discover found on this machine. Put what you want of it into /etc/holdfast/conf.d/, "
        "and try it "
        "with\n# holdfast check and holdfast test.\n\n" +
        to_toml(std::move(inputs), list_plugins(places));
    return print(text) ? done : failed;
}

}  // namespace holdfast::cli
