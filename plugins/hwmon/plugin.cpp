// The descriptor of the `hwmon` input.
#include <holdfast/plugin.hpp>

#include "hwmon.hpp"

namespace {

using holdfast::plugin::option;

constexpr holdfast_option options[] = {
    option(HOLDFAST_OPTION_STRING_LIST, "chips", R"(["*"])",
           "chips to read, by name or label; * and ? stand for anything, a leading ! leaves out"),
    option(HOLDFAST_OPTION_STRING_LIST, "sensors", R"(["*"])",
           "sensors to read, by label, by name (temp1) or by channel; patterns as in chips"),
    option(HOLDFAST_OPTION_BOOL, "alarms", "true", "take the chips' alarms, too; faults are always taken"),
    option(HOLDFAST_OPTION_BOOL, "bus_ids", "false",
           "put the bus id into all channels, not only where two chips have one name"),
};

}  // namespace

HOLDFAST_PLUGIN(hwmon_input::Hwmon, "hwmon", HOLDFAST_VERSION,
                "Sensors of the board: voltages, currents, power, temperatures, fans, alarms, thermal zones.",
                options)
