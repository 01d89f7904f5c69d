// holdfast discover: what this machine has, as a configuration that would read it.
#include "cli/command.hpp"
#include "cli/machine_look.hpp"

namespace holdfast::cli {

int discover(const Arguments& arguments) {
    const InputEnvironment& places = arguments.places.inputs;
    const std::string text =
        "# What holdfast discover found on this machine. Put what you want of it into /etc/holdfast/conf.d/, "
        "and try it "
        "with\n# holdfast check and holdfast test.\n\n" +
        to_toml(look_at_machine(places.sensor_root), list_plugins(places));
    return print(text) ? done : failed;
}

}  // namespace holdfast::cli
