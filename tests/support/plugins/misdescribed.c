/* What it says of itself is wrong: the name is not its file's, and each option has a fault of its own. */
#include <errno.h>
#include <holdfast/plugin.h>
#include <stddef.h>

static int32_t refuse_open(const struct holdfast_host* host, void** instance) {
    host->error(host, "this one opens never");
    *instance = NULL;
    return -EINVAL;
}
static int32_t no_sample(void* instance) {
    (void)instance;
    return -EAGAIN;
}
static void no_close(void* instance) {
    (void)instance;
}

#define OPTION(type, key, value, help, choices) \
    { sizeof(struct holdfast_option), type, key, value, help, choices }
static const struct holdfast_option options[] = {
    OPTION(HOLDFAST_OPTION_I64, "Count", "1", "a key in capitals", NULL),
    OPTION(HOLDFAST_OPTION_I64, "number", "many", "a default that is none", NULL),
    OPTION(HOLDFAST_OPTION_DURATION, "wait", "10", "a default without a unit", NULL),
    OPTION(HOLDFAST_OPTION_STRING, "shape", "square", "a default that is not among the choices", "flat|round"),
    OPTION(HOLDFAST_OPTION_STRING, "silent", "", NULL, NULL),
    OPTION(HOLDFAST_OPTION_BOOL, "twice", "true", "declared twice", NULL),
    OPTION(HOLDFAST_OPTION_BOOL, "twice", "true", "declared twice", NULL),
};

HOLDFAST_EXPORT const struct holdfast_plugin* holdfast_plugin_entry(void) {
    static const struct holdfast_plugin plugin = {
        .size = sizeof plugin,
        .abi = HOLDFAST_PLUGIN_ABI,
        .name = "another",
        .version = "1",
        .summary = "describes itself wrongly, for tests",
        .options = options,
        .option_count = sizeof options / sizeof options[0],
        .open = refuse_open,
        .sample = no_sample,
        .close = no_close,
    };
    return &plugin;
}
