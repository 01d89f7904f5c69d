// The descriptor of the `exec` input.
#include <holdfast/plugin.hpp>

#include "exec.hpp"

namespace {

using holdfast::plugin::option;

constexpr holdfast_option options[] = {
    option(HOLDFAST_OPTION_STRING_LIST, "command", nullptr,
           "the program, looked for in PATH, and its arguments"),
    option(HOLDFAST_OPTION_STRING, "mode", "poll",
           "poll: run once per interval; stream: keep running, and start again when it ends", "poll|stream"),
    option(HOLDFAST_OPTION_STRING, "format", "json", "what a line of its output is", "json|influx|value"),
    option(HOLDFAST_OPTION_DURATION, "timeout", "0s",
           "poll: a run that takes longer is killed, 0s: the interval; stream: as long without a line, 0s: "
           "no limit"),
    option(HOLDFAST_OPTION_STRING_MAP, "environment", "{}",
           "variables for the program, over those of the agent"),
};

}  // namespace

HOLDFAST_PLUGIN(exec_input::Exec, "exec", HOLDFAST_VERSION,
                "Runs a program and takes the lines of its output as readings.", options)
