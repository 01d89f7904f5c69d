/* Well-behaved: counts n = 0, 1, 2, ... `burst` readings a sample; with `fast` at once again, else once an
 * interval. */
#include <errno.h>
#include <holdfast/plugin.h>
#include <stddef.h>
#include <stdlib.h>

struct counter {
    const struct holdfast_host* host;
    uint32_t channel;
    int64_t next;
    int64_t burst;
    int64_t fast;
    int64_t count;
};

static int32_t counter_open(const struct holdfast_host* host, void** instance) {
    const struct holdfast_channel n = {.size = sizeof n, .type = HOLDFAST_I64, .name = "n", .unit = ""};
    struct counter* counter = calloc(1, sizeof *counter);
    if (counter == NULL) return -ENOMEM;
    counter->host = host;
    counter->channel = (uint32_t)host->channel(host, &n);
    counter->burst = host->option_i64(host, "burst");
    counter->fast = host->option_i64(host, "fast");
    counter->count = host->option_i64(host, "count");
    *instance = counter;
    return 0;
}

static int32_t counter_sample(void* instance) {
    struct counter* counter = instance;
    const struct holdfast_host* host = counter->host;
    for (int64_t i = 0; i < counter->burst; ++i) {
        struct holdfast_value value = {.channel = counter->channel, .type = HOLDFAST_I64};
        const struct holdfast_reading reading = {.size = sizeof reading, .value_count = 1, .values = &value};
        value.as.i64 = counter->next++;
        const int32_t code = host->emit(host, &reading);
        if (code != 0) return code;
        if (counter->count > 0 && counter->next == counter->count) {
            host->finished(host);
            return 0;
        }
    }
    if (counter->fast) host->sample_after(host, 0);
    return 0;
}

static void counter_close(void* instance) {
    free(instance);
}

static const struct holdfast_option options[] = {
    {sizeof(struct holdfast_option), HOLDFAST_OPTION_I64, "burst", "1", "readings a sample", NULL},
    {sizeof(struct holdfast_option), HOLDFAST_OPTION_BOOL, "fast", "false", "sample again at once", NULL},
    {sizeof(struct holdfast_option), HOLDFAST_OPTION_I64, "count", "0", "stop after this many; 0: never",
     NULL},
    {sizeof(struct holdfast_option), HOLDFAST_OPTION_STRING, "shape", NULL, "for the test of descriptions",
     "flat|round"},
};

HOLDFAST_EXPORT const struct holdfast_plugin* holdfast_plugin_entry(void) {
    static const struct holdfast_plugin plugin = {
        .size = offsetof(struct holdfast_plugin, check), /* as one that was built when ABI 1 was new */
        .abi = HOLDFAST_PLUGIN_ABI,
        .name = "counter",
        .version = "1.2.3",
        .summary = "counts, for tests",
        .options = options,
        .option_count = sizeof options / sizeof options[0],
        .open = counter_open,
        .sample = counter_sample,
        .close = counter_close,
    };
    return &plugin;
}
