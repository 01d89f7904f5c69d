// The descriptor of the `gpio` input.
#include "gpio.hpp"

namespace {

constexpr holdfast_option options[] = {holdfast::plugin::option(
    HOLDFAST_OPTION_STRING_MAP, "lines", nullptr,
    "channel = line: \"[CHIP:]LINE [level|edges|counter] [active-low] [pull-up|pull-down|no-pull] "
    "[debounce=5ms] [edge=rising|falling|both] [scale=UNITS-PER-PULSE] [unit=m3] [per=s|min|h] [idle=5m]\"")};

}  // namespace

HOLDFAST_PLUGIN(gpio_input::Gpio, "gpio", HOLDFAST_VERSION, "Levels, edges and pulse counters of GPIO lines.",
                options)
