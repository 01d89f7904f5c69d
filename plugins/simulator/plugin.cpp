// The descriptor of the `simulator` input.
#include <holdfast/plugin.hpp>

#include "simulator.hpp"

namespace {

using holdfast::plugin::option;

constexpr holdfast_option options[] = {
    option(HOLDFAST_OPTION_I64, "channels", "1", "values per reading, 1 to 4094"),
    option(HOLDFAST_OPTION_F64, "rate", "1", "readings per second; 0: as fast as they are taken"),
    option(HOLDFAST_OPTION_I64, "count", "0", "stop after this many readings; 0: never"),
    option(HOLDFAST_OPTION_STRING, "shape", "sine", "how the values go", "counter|sine|random"),
};

}  // namespace

HOLDFAST_PLUGIN(simulator::Simulator, "simulator", HOLDFAST_VERSION,
                "Makes numbered readings at a set rate, for demonstrations and load.", options)
