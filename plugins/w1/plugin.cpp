// The descriptor of the `w1` input.
#include <holdfast/plugin.hpp>

#include "w1.hpp"

namespace {

using holdfast::plugin::option;

constexpr holdfast_option options[] = {
    option(HOLDFAST_OPTION_STRING_MAP, "names", "{}",
           "names for thermometers, by id: { 28-000005e2fdc3 = \"boiler\" }"),
    option(HOLDFAST_OPTION_BOOL, "only_named", "false", "read no thermometers but those in names"),
    option(HOLDFAST_OPTION_I64, "retries", "2",
           "how often a failed read is tried again within an interval, 0 to 10"),
    option(HOLDFAST_OPTION_BOOL, "bulk_read", "true",
           "have all thermometers of a bus convert at once, where the agent may write therm_bulk_read"),
};

}  // namespace

HOLDFAST_PLUGIN(w1_input::W1, "w1", HOLDFAST_VERSION, "1-Wire thermometers: DS18B20 and its kin.", options)
