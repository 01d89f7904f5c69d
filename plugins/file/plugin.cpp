// The descriptor of the `file` input.
#include <holdfast/plugin.hpp>

#include "file.hpp"

namespace {

using holdfast::plugin::option;

constexpr holdfast_option options[] = {
    option(HOLDFAST_OPTION_STRING, "path", nullptr, "the file, from the root (\"/run/meter.json\")"),
    option(HOLDFAST_OPTION_STRING, "mode", "poll",
           "poll: the whole file once per interval; follow: each line that is added to it", "poll|follow"),
    option(HOLDFAST_OPTION_STRING, "format", "json", "what the file, or a line of it, is",
           "json|influx|value"),
    option(HOLDFAST_OPTION_STRING, "start", "end",
           "follow, where no position is known: end: only what is added from now on; beginning: all of it",
           "end|beginning"),
    option(HOLDFAST_OPTION_STRING, "position_file", "",
           "follow: where to keep, over restarts, how far the file was read; a file of this input alone, "
           "for example below /var/lib/holdfast; empty: not kept"),
};

}  // namespace

HOLDFAST_PLUGIN(file_input::File, "file", HOLDFAST_VERSION,
                "Reads a file once per interval, or follows the lines that are added to it.", options)
