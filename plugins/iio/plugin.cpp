// The descriptor of the `iio` input.
#include <holdfast/plugin.hpp>

#include "iio.hpp"

namespace {

using holdfast::plugin::option;

constexpr holdfast_option options[] = {
    option(HOLDFAST_OPTION_STRING_LIST, "devices", R"(["*"])",
           "devices to read, by name or label; * and ? stand for anything, a leading ! leaves out"),
    option(HOLDFAST_OPTION_STRING_LIST, "channels", R"(["*"])",
           "channels to read, by name (voltage0), label or channel; patterns as in devices"),
    option(HOLDFAST_OPTION_BOOL, "bus_ids", "false",
           "put the bus id into all channels, not only where two devices have one name"),
    option(HOLDFAST_OPTION_STRING, "mode", "poll",
           "poll: read once an interval; buffer: the kernel captures, and each scan is a reading",
           "poll|buffer"),
    option(HOLDFAST_OPTION_STRING, "trigger", "",
           "buffer: what makes a scan, by its name; empty: as the device has it"),
    option(HOLDFAST_OPTION_F64, "sampling_frequency", "0",
           "buffer: scans a second, set at the trigger or the device; 0: as it is"),
    option(HOLDFAST_OPTION_I64, "buffer_length", "256", "buffer: scans that the kernel holds, 1 to 1000000"),
    option(HOLDFAST_OPTION_I64, "watermark", "1",
           "buffer: scans that are taken at a time, 1 to buffer_length"),
    option(HOLDFAST_OPTION_BOOL, "configure", "true",
           "buffer: set the device up; false: somebody else does, and nothing is written"),
};

}  // namespace

HOLDFAST_PLUGIN(iio_input::Iio, "iio", HOLDFAST_VERSION,
                "Industrial I/O of the kernel: converters, climate, light and motion, polled or captured.",
                options)
