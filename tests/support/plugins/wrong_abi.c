/* A plugin of a later ABI, with a bigger descriptor. */
#include <holdfast/plugin.h>
#include <stddef.h>

HOLDFAST_EXPORT const struct holdfast_plugin* holdfast_plugin_entry(void) {
    static const struct holdfast_plugin plugin = {
        .size = sizeof plugin + 64, .abi = HOLDFAST_PLUGIN_ABI + 1, .name = "wrong_abi"};
    return &plugin;
}
