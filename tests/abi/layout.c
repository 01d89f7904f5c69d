/* The layout of ABI 1, to the byte: what a plugin that was built years ago relies on. A number in here is
 * never changed; an ABI 1 struct grows at its end alone, below the last line of its table.
 *
 * Compiled for this machine with the tests, and for 32-bit ARM (AAPCS: 64-bit integers and doubles at
 * multiples of 8) by a test of its own. */
#include <holdfast/plugin.h>
#include <stddef.h>

#if __SIZEOF_POINTER__ == 8
#define HERE(on_64_bit, on_armhf) (on_64_bit)
#else
#define HERE(on_64_bit, on_armhf) (on_armhf)
#endif

#define AT(type, member, on_64_bit, on_armhf) \
    _Static_assert(offsetof(struct type, member) == HERE(on_64_bit, on_armhf), #type "." #member " has moved")
#define SIZE(type, on_64_bit, on_armhf) \
    _Static_assert(sizeof(struct type) >= HERE(on_64_bit, on_armhf), #type " has shrunk")

_Static_assert(HOLDFAST_PLUGIN_ABI == 1, "another ABI has a table of its own");

AT(holdfast_option, size, 0, 0);
AT(holdfast_option, type, 4, 4);
AT(holdfast_option, key, 8, 8);
AT(holdfast_option, default_value, 16, 12);
AT(holdfast_option, help, 24, 16);
AT(holdfast_option, choices, 32, 20);
SIZE(holdfast_option, 40, 24);

AT(holdfast_channel, size, 0, 0);
AT(holdfast_channel, type, 4, 4);
AT(holdfast_channel, name, 8, 8);
AT(holdfast_channel, unit, 16, 12);
SIZE(holdfast_channel, 24, 16);

AT(holdfast_string, data, 0, 0);
AT(holdfast_string, length, 8, 8);
SIZE(holdfast_string, 16, 16);

/* Values and tags stand in arrays without a size of their own: they never grow. */
AT(holdfast_value, channel, 0, 0);
AT(holdfast_value, type, 4, 4);
AT(holdfast_value, as, 8, 8);
_Static_assert(sizeof(struct holdfast_value) == 24, "holdfast_value has another size");
AT(holdfast_tag, key, 0, 0);
AT(holdfast_tag, value, 8, 4);
_Static_assert(sizeof(struct holdfast_tag) == HERE(16, 8), "holdfast_tag has another size");

AT(holdfast_reading, size, 0, 0);
AT(holdfast_reading, value_count, 4, 4);
AT(holdfast_reading, tag_count, 8, 8);
AT(holdfast_reading, has_wall_time, 12, 12);
AT(holdfast_reading, age_us, 16, 16);
AT(holdfast_reading, wall_time_us, 24, 24);
AT(holdfast_reading, values, 32, 32);
AT(holdfast_reading, tags, 40, 36);
AT(holdfast_reading, boot_time_us, 48, 40);
SIZE(holdfast_reading, 56, 48);

AT(holdfast_host, size, 0, 0);
AT(holdfast_host, abi, 4, 4);
AT(holdfast_host, context, 8, 8);
AT(holdfast_host, channel, 16, 12);
AT(holdfast_host, emit, 24, 16);
AT(holdfast_host, error, 32, 20);
AT(holdfast_host, log, 40, 24);
AT(holdfast_host, option_string, 48, 28);
AT(holdfast_host, option_i64, 56, 32);
AT(holdfast_host, option_f64, 64, 36);
AT(holdfast_host, option_item, 72, 40);
AT(holdfast_host, sensor_root, 80, 44);
AT(holdfast_host, interval_us, 88, 48);
AT(holdfast_host, sample_after, 96, 52);
AT(holdfast_host, watch, 104, 56);
AT(holdfast_host, restarted, 112, 60);
AT(holdfast_host, finished, 120, 64);
AT(holdfast_host, is_trial, 128, 68);
SIZE(holdfast_host, 136, 72);

AT(holdfast_plugin, size, 0, 0);
AT(holdfast_plugin, abi, 4, 4);
AT(holdfast_plugin, name, 8, 8);
AT(holdfast_plugin, version, 16, 12);
AT(holdfast_plugin, summary, 24, 16);
AT(holdfast_plugin, options, 32, 20);
AT(holdfast_plugin, option_count, 40, 24);
AT(holdfast_plugin, reserved, 44, 28);
AT(holdfast_plugin, open, 48, 32);
AT(holdfast_plugin, sample, 56, 36);
AT(holdfast_plugin, ready, 64, 40);
AT(holdfast_plugin, close, 72, 44);
AT(holdfast_plugin, check, 80, 48);
SIZE(holdfast_plugin, 88, 52);

_Static_assert(HOLDFAST_F64 == 0 && HOLDFAST_I64 == 1 && HOLDFAST_BOOL == 2 && HOLDFAST_STRING == 3, "types");
_Static_assert(HOLDFAST_OPTION_STRING == 0 && HOLDFAST_OPTION_I64 == 1 && HOLDFAST_OPTION_F64 == 2 &&
                   HOLDFAST_OPTION_BOOL == 3 && HOLDFAST_OPTION_DURATION == 4 && HOLDFAST_OPTION_SIZE == 5 &&
                   HOLDFAST_OPTION_STRING_LIST == 6 && HOLDFAST_OPTION_STRING_MAP == 7,
               "types of options");

/* For abidiff, which looks at what a shared object exports: all of the above hangs on this. */
HOLDFAST_EXPORT const struct holdfast_plugin* holdfast_plugin_entry(void) {
    return 0;
}
