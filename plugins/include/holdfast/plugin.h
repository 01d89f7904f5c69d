/* holdfast/plugin.h - the interface between the agent and an input plugin, ABI 1.
 *
 * A plugin is a shared object that exports one function, holdfast_plugin_entry, which returns a static
 * descriptor. A plugin host process of its own loads it, opens it once for one configured input, and calls it
 * on one thread for its whole life. It may crash, hang or leak without harm to other inputs; the host is
 * killed and started again with a growing delay.
 *
 * Rules that hold everywhere:
 *  - Ownership never crosses. What either side passes in lives until that call returns; the other side copies
 * what it keeps. Strings that a descriptor points to live as long as the shared object.
 *  - Text is UTF-8. Names and units have no control characters.
 *  - Functions return 0 (or, where said, a count or index) or a negative errno:
 *      -EAGAIN   no value now: not an error, not counted
 *      -ENODEV   the device is gone: the host closes the plugin and opens it again later
 *      -EINVAL   from open: the options are wrong; never tried again until the configuration changes
 *      anything else: counted as an error and tried again; the interval doubles up to 5 minutes while it
 * lasts, and is the configured one again at the first success
 *  - A struct begins with its size, as the side that made it was compiled. A reader uses only what lies
 * within that size.
 *  - Only fixed-width integers, double and pointers cross, so the layout is the same for every C and C++
 * compiler of a machine.
 *  - A plugin starts no thread, installs no signal handler and never calls exit().
 *  - Paths below /sys, /proc and /dev are looked up under sensor_root(), so that tests and containers can put
 * another tree there.
 */
#ifndef HOLDFAST_PLUGIN_H
#define HOLDFAST_PLUGIN_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define HOLDFAST_PLUGIN_ABI 1u
#define HOLDFAST_EXPORT __attribute__((visibility("default")))

/* Type of a channel's values. */
enum holdfast_value_type {
    HOLDFAST_F64 = 0, /* IEEE 754 double; not-a-number and infinities are sent as null and counted */
    HOLDFAST_I64 = 1,
    HOLDFAST_BOOL = 2,
    HOLDFAST_STRING = 3 /* UTF-8, at most 64 KiB */
};

/* Type of an option's value, and how the plugin receives it. */
enum holdfast_option_type {
    HOLDFAST_OPTION_STRING = 0,
    HOLDFAST_OPTION_I64 = 1,
    HOLDFAST_OPTION_F64 = 2,
    HOLDFAST_OPTION_BOOL = 3,
    HOLDFAST_OPTION_DURATION = 4,    /* "250ms" in the configuration; i64 microseconds here */
    HOLDFAST_OPTION_SIZE = 5,        /* "64KiB" in the configuration; i64 bytes here */
    HOLDFAST_OPTION_STRING_LIST = 6, /* option_item() */
    HOLDFAST_OPTION_STRING_MAP = 7   /* a table of strings; option_item() gives key and value */
};

enum holdfast_log_level {
    HOLDFAST_LOG_ERROR = 3,
    HOLDFAST_LOG_WARNING = 4,
    HOLDFAST_LOG_INFO = 6,
    HOLDFAST_LOG_DEBUG = 7
};

/* An option that the plugin takes. The agent checks the configuration against these before it opens the
 * plugin. */
struct holdfast_option {
    uint32_t size;             /* sizeof(struct holdfast_option) */
    uint32_t type;             /* enum holdfast_option_type */
    const char* key;           /* lower snake case */
    const char* default_value; /* as it would stand in the configuration ("1", "sine", "250ms", "[]"); NULL:
                                  required */
    const char* help;          /* one line: what it does, its unit and range */
    const char* choices; /* allowed values, separated by '|' ("counter|sine|random"); NULL: any of the type */
};

/* A channel: a named series of values of one type and unit. */
struct holdfast_channel {
    uint32_t size;
    uint32_t type;    /* enum holdfast_value_type */
    const char* name; /* 1 to 256 bytes, dotted: "cpu.usage" */
    const char* unit; /* UCUM or SenML code, at most 64 bytes: "Cel", "%", "By", "s"; "" for none */
};

struct holdfast_string {
    const char* data; /* need not end in 0 */
    uint64_t length;  /* bytes */
};

struct holdfast_value {
    uint32_t channel; /* what channel() returned */
    uint32_t type;    /* the channel's type */
    union {
        double f64;
        int64_t i64;
        int64_t boolean; /* 0 or 1 */
        struct holdfast_string string;
    } as;
};

struct holdfast_tag {
    const char* key;
    const char* value;
};

/* What the plugin saw at one time. */
struct holdfast_reading {
    uint32_t size;
    uint32_t value_count; /* at least 1; no channel twice */
    uint32_t tag_count;   /* 0 to 64 */
    uint32_t has_wall_time;
    int64_t age_us;       /* how long ago it was seen, in microseconds, 0 or more: 0 for now. Not used with
                             has_wall_time */
    int64_t wall_time_us; /* microseconds since 1970-01-01 UTC by the source's own clock; only with
                             has_wall_time = 1 */
    const struct holdfast_value* values;
    const struct holdfast_tag* tags; /* beside the input's tags; NULL when tag_count is 0 */
    int64_t boot_time_us; /* microseconds of CLOCK_BOOTTIME when it was seen, by a stamp of the kernel's, which an age
                             would blur; 0: not given. Not in the future, else it is taken for now. Goes before
                             age_us; not used with has_wall_time. Came after the first release of ABI 1: a host
                             before it takes age_us. */
};

/* What the host does for the plugin. Valid from open to close; call only from within a call of the plugin's
 * functions. */
struct holdfast_host {
    uint32_t size;
    uint32_t abi; /* the host's HOLDFAST_PLUGIN_ABI */
    void* context;

    /* Declares a channel; the same name again returns the same index. Returns an index from 0 on, or -EINVAL
     * (name or unit not valid, or declared before with another type), -ENOSPC (more than 4096), -ENOMEM. */
    int32_t (*channel)(const struct holdfast_host* host, const struct holdfast_channel* channel);

    /* Hands over a reading; copies everything. Blocks while the agent can't take more (back-pressure):
     * nothing is dropped. -EINVAL: unknown channel, wrong type, channel twice, not UTF-8; -EMSGSIZE: larger
     * than 96 KiB; -ENOMEM; -EPIPE: the agent has gone, return soon. */
    int32_t (*emit)(const struct holdfast_host* host, const struct holdfast_reading* reading);

    /* Counts a sample or line that failed, with a text for status and log: for plugins that go on within one
     * call. */
    void (*error)(const struct holdfast_host* host, const char* text);

    /* A message for the agent's log under this input's name. */
    void (*log)(const struct holdfast_host* host, uint32_t level, const char* text);

    /* The value of a declared option, default included. Strings live until close. */
    const char* (*option_string)(const struct holdfast_host* host, const char* key);
    int64_t (*option_i64)(const struct holdfast_host* host, const char* key); /* i64, bool, duration, size */
    double (*option_f64)(const struct holdfast_host* host, const char* key);
    /* The index-th item of a list (key_out is then set to NULL) or map. 0, or -ENOENT past the end. */
    int32_t (*option_item)(const struct holdfast_host* host, const char* key, uint32_t index,
                           const char** key_out, const char** value_out);

    /* "" or an absolute path without a trailing slash, to be put before /sys, /proc and /dev. */
    const char* (*sensor_root)(const struct holdfast_host* host);

    /* The configured interval in microseconds. */
    int64_t (*interval_us)(const struct holdfast_host* host);

    /* Instead of one interval from its start, the next sample() comes this many microseconds after this one's
     * start; 0: at once, after the host has looked to its other duties; negative: never again unless asked.
     * Holds for one time. */
    void (*sample_after)(const struct holdfast_host* host, int64_t delay_us);

    /* Watches a descriptor: ready() is called when it has any of `events` (as poll(2) has them). The
     * descriptor stays the plugin's; watching it again changes the events, events 0 ends it. 0, or -EINVAL
     * (no descriptor), -ENOSPC (more than 64). Only for a plugin that has ready(). */
    int32_t (*watch)(const struct holdfast_host* host, int32_t fd, uint32_t events);

    /* A stream command or connection of the plugin was started again; status counts it. */
    void (*restarted)(const struct holdfast_host* host, const char* reason);

    /* The plugin has nothing more to say, for good: the input is shown as stopped, and this is no error. */
    void (*finished)(const struct holdfast_host* host);

    /* 1 when this is a trial (`holdfast test`, `plugin-test`) that must leave no trace: nothing is kept that a
     * later run would go on from; else 0. Came after the first release of ABI 1: ask only a host whose `size`
     * includes it. */
    int32_t (*is_trial)(const struct holdfast_host* host);
};

struct holdfast_plugin {
    uint32_t size;
    uint32_t abi;     /* HOLDFAST_PLUGIN_ABI */
    const char* name; /* the file is NAME.so */
    const char* version;
    const char* summary; /* one line for `holdfast plugins` */
    const struct holdfast_option* options;
    uint32_t option_count;
    uint32_t reserved; /* 0 */

    /* Makes an instance. `host` stays valid until close. On failure nothing is left to close. */
    int32_t (*open)(const struct holdfast_host* host, void** instance);
    /* Takes a sample and emits it; called once an interval, the first time right after open. NULL:
     * event-driven only. */
    int32_t (*sample)(void* instance);
    /* A watched descriptor is ready; `events` as poll(2) returns them. NULL when the plugin watches nothing.
     */
    int32_t (*ready)(void* instance, int32_t fd, uint32_t events);
    /* Frees the instance. */
    void (*close)(void* instance);
    /* Looks at the options alone, without the device, for `holdfast check`, `test` and a reload: -EINVAL for
     * what open would refuse wherever it runs, and error() says why, once for each mistake; any other result
     * is no complaint. A text that begins with an option's key and ':' ("retries: ..."), or the key, '.',
     * that of an entry and ": ", is shown at that place in the file. Keeps nothing; it may declare channels,
     * to see whether they can be. NULL: only open can tell. Came after the first release of ABI 1: a host
     * before it never asks. */
    int32_t (*check)(const struct holdfast_host* host);
};

/* The one symbol a plugin exports. */
HOLDFAST_EXPORT const struct holdfast_plugin* holdfast_plugin_entry(void);

#ifdef __cplusplus
}
#endif

#endif
