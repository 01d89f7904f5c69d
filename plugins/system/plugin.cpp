// The descriptor of the `system` input.
#include <holdfast/plugin.hpp>

#include "system.hpp"

namespace {

using holdfast::plugin::option;

constexpr holdfast_option options[] = {
    option(HOLDFAST_OPTION_STRING_LIST, "collect",
           R"(["cpu", "cores", "memory", "load", "disks", "diskio", "network", "wireless", "temperature", )"
           R"("power", "uptime", "pressure"])",
           "the groups of values to take; there is \"throttling\", too"),
    option(HOLDFAST_OPTION_STRING_LIST, "interfaces", R"(["!lo", "!veth*"])",
           "network, wireless: names of interfaces; * is anything, ! leaves out"),
    option(HOLDFAST_OPTION_STRING_LIST, "mounts", R"(["*"])",
           "disks: where file systems are mounted (\"/\", \"/srv*\"); * is anything, ! leaves out"),
    option(HOLDFAST_OPTION_STRING_LIST, "disks", R"(["!loop*", "!ram*", "!zram*"])",
           "diskio: names of disks (\"mmcblk0\"); * is anything, ! leaves out"),
    option(HOLDFAST_OPTION_STRING_LIST, "processes", "[]",
           "names of programs of which to take count, processor time and memory; * is anything"),
    option(HOLDFAST_OPTION_STRING_LIST, "units", "[]",
           "systemd units of which to take the state; * is anything"),
};

}  // namespace

HOLDFAST_PLUGIN(
    system_input::System, "system", HOLDFAST_VERSION,
    "How this machine is doing: processors, memory, disks, network, temperatures, processes, units.", options)
