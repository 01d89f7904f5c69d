#include <errno.h>
#include <holdfast/plugin.h>
#include <stdio.h>

static const struct holdfast_host *host; /* one host process runs one instance */
static uint32_t channel;

static int32_t open_load(const struct holdfast_host *given, void **instance) {
    const struct holdfast_channel load = {sizeof load, HOLDFAST_F64, "load", "1"};
    host = given;
    channel = (uint32_t)host->channel(host, &load);
    *instance = &channel;
    return 0;
}
static int32_t sample_load(void *instance) {
    char path[4096];
    snprintf(path, sizeof path, "%s/proc/loadavg", host->sensor_root(host));
    FILE *file = fopen(path, "re");
    if (file == NULL) return -errno;
    struct holdfast_value value = {.channel = *(uint32_t *)instance, .type = HOLDFAST_F64};
    const int found = fscanf(file, "%lf", &value.as.f64);
    fclose(file);
    if (found != 1) return -EIO;
    const struct holdfast_reading reading = {.size = sizeof reading, .value_count = 1, .values = &value};
    return host->emit(host, &reading);
}
static void close_load(void *instance) { (void)instance; }

HOLDFAST_EXPORT const struct holdfast_plugin *holdfast_plugin_entry(void) {
    static const struct holdfast_plugin plugin = {
        .size = sizeof plugin, .abi = HOLDFAST_PLUGIN_ABI, .name = "load", .version = "1.0",
        .summary = "the load average", .open = open_load, .sample = sample_load, .close = close_load};
    return &plugin;
}
