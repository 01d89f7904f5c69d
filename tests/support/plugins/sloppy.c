/* Does its work and breaks one rule of the contract, the one that option `deed` names: what `holdfast
 * plugin-test` has to find. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <holdfast/plugin.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct sloppy {
    const struct holdfast_host* host;
    const char* deed;
    uint32_t channel;
    int null; /* always ready */
};

static void* volatile lost; /* or the compiler leaves the malloc out */

static int does(const struct sloppy* sloppy, const char* deed) {
    return strcmp(sloppy->deed, deed) == 0;
}

static void* stay(void* unused) {
    for (;;)
        pause();
    return unused;
}

static void leave_a_thread(void) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, stay, NULL) == 0) pthread_detach(thread);
}

static void leave_a_child(void) {
    if (fork() == 0) stay(NULL);
}

static int eat(void) {
    void* volatile food = malloc(40U << 20U);
    const int had = food != NULL;
    free(food);
    return had;
}

static int32_t sloppy_check(const struct holdfast_host* host) {
    const char* deed = host->option_string(host, "deed");
    if (strcmp(deed, "crash_in_check") == 0) abort();
    if (strcmp(deed, "hard_to_please") != 0) return 0;
    host->error(host, "divisor: is not to my taste");
    return -EINVAL;
}

static int32_t sloppy_open(const struct holdfast_host* host, void** instance) {
    const struct holdfast_channel n = {sizeof n, HOLDFAST_I64, "n", ""};
    struct sloppy* sloppy = calloc(1, sizeof *sloppy);
    if (sloppy == NULL) return -ENOMEM;
    sloppy->host = host;
    sloppy->deed = host->option_string(host, "deed");
    sloppy->channel = (uint32_t)host->channel(host, &n);
    if (host->option_i64(host, "divisor") == 0 && does(sloppy, "divide")) abort();
    sloppy->null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (does(sloppy, "leak")) lost = malloc(24);
    if (does(sloppy, "leak_descriptor") && open("/dev/null", O_RDONLY | O_CLOEXEC) < 0) return -errno;
    if (does(sloppy, "eat") && !eat()) return -ENOMEM; /* no wrong: some need much */
    if (does(sloppy, "thread")) leave_a_thread();
    if (does(sloppy, "child")) leave_a_child();
    *instance = sloppy;
    return 0;
}

static int32_t sloppy_sample(void* instance) {
    const struct sloppy* sloppy = instance;
    struct holdfast_value value = {.channel = sloppy->channel, .type = HOLDFAST_I64};
    const struct holdfast_reading reading = {.size = sizeof reading, .value_count = 1, .values = &value};
    value.as.i64 = 1;
    if (does(sloppy, "watch"))
        sloppy->host->watch(sloppy->host, sloppy->null, POLLIN); /* without a ready() */
    if (does(sloppy, "positive")) return 5;
    if (does(sloppy, "unknown_code")) return -100000;
    if (does(sloppy, "undeclared")) value.channel = 99;
    if (does(sloppy, "hang")) stay(NULL);
    if (does(sloppy, "absent")) return -ENODEV;
    return sloppy->host->emit(sloppy->host, &reading);
}

static void sloppy_close(void* instance) {
    const struct sloppy* sloppy = instance;
    if (does(sloppy, "crash_in_close")) abort();
    close(sloppy->null);
    free(instance);
}

static const struct holdfast_option options[] = {
    {sizeof(struct holdfast_option), HOLDFAST_OPTION_STRING, "deed", "", "what to do wrong", NULL},
    {sizeof(struct holdfast_option), HOLDFAST_OPTION_I64, "divisor", "1", "what must not be 0", NULL},
};

HOLDFAST_EXPORT const struct holdfast_plugin* holdfast_plugin_entry(void) {
    static const struct holdfast_plugin plugin = {
        .size = sizeof plugin,
        .abi = HOLDFAST_PLUGIN_ABI,
        .name = "sloppy",
        .version = "1",
        .summary = "breaks a rule, for tests",
        .options = options,
        .option_count = sizeof options / sizeof options[0],
        .open = sloppy_open,
        .sample = sloppy_sample,
        .close = sloppy_close,
        .check = sloppy_check,
    };
    return &plugin;
}
