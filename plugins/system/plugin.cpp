// The descriptor of the `system` input.
#include <holdfast/plugin.hpp>

#include "system.hpp"

namespace {

constexpr holdfast_option options[] = {holdfast::plugin::option(
    HOLDFAST_OPTION_STRING_LIST, "collect",
    R"(["cpu", "cores", "memory", "load", "disks", "diskio", "network", "temperature", "uptime", "pressure"])",
    "the groups of values to take")};

constexpr holdfast_plugin descriptor = holdfast::plugin::describe<system_input::System>(
    "system", HOLDFAST_VERSION,
    "How this machine is doing: processors, memory, disks, network, temperatures.", options);

}  // namespace

const holdfast_plugin* holdfast_plugin_entry() {
    return &descriptor;
}
