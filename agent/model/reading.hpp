// What a reading, a channel and a value are.
//
// These are views: on the hot path a Reading lives in the decoder's or the caller's storage and is valid
// until that moves on.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace holdfast {

// The numbers are part of the stored format (docs/buffer-format.md) and of the plugin ABI; never renumber.
enum class ValueType : std::uint8_t { f64 = 0, i64 = 1, boolean = 2, string = 3 };

struct Channel {
    std::string name;  // plain UTF-8, 1 to 256 bytes, unique within an input
    ValueType type = ValueType::f64;
    std::string unit;  // UCUM or SenML code, at most 64 bytes; empty: no unit
};

struct Value {
    std::uint32_t channel = 0;  // index into the channels of the stream that carries the reading
    ValueType type = ValueType::f64;
    union {
        double f64 = 0;  // may be non-finite: sent as null and counted
        std::int64_t i64;
        bool boolean;
    };
    std::string_view string;  // UTF-8, at most max_string_bytes

    static Value of(std::uint32_t channel, double value);
    static Value of(std::uint32_t channel, std::int64_t value);
    static Value of(std::uint32_t channel, bool value);
    static Value of(std::uint32_t channel, std::string_view value);
    static Value of(std::uint32_t channel, const char* value);  // else a literal would become a bool
};

struct TagView {
    std::string_view key;
    std::string_view value;
};

using Tags = std::vector<std::pair<std::string, std::string>>;

// Tags of an input over those of the agent, sorted by key.
Tags merged_tags(const Tags& input, const Tags& agent);
// Valid as long as `tags`.
std::vector<TagView> views_of(const Tags& tags);

// Which clock a reading's time is on. Wall times come from a source that has a clock of its own (an `exec`
// line with "ts") and are never corrected; boot times get the wall clock's offset, also later, when the clock
// was set.
enum class TimeBase : std::uint8_t { boot, wall };

// What one input saw at one time.
struct Reading {
    std::int64_t time_us = 0;  // microseconds since boot or since 1970-01-01 UTC, as `base` says
    TimeBase base = TimeBase::boot;
    std::span<const Value> values;  // at least one; no channel twice
    std::span<const TagView> tags;  // the reading's own, beside the batch's
};

// Bounds on what crosses from a plugin; what is larger is refused at emit.
inline constexpr std::size_t max_channels = 4096;
inline constexpr std::size_t max_name_bytes = 256;
inline constexpr std::size_t max_unit_bytes = 64;
inline constexpr std::size_t max_string_bytes = 64 * 1024;
inline constexpr std::size_t max_reading_text_bytes = 96 * 1024;  // of a reading's strings together
inline constexpr std::size_t max_tags = 64;

inline Value Value::of(std::uint32_t channel, double value) {
    Value v{channel, ValueType::f64, {}, {}};
    v.f64 = value;
    return v;
}
inline Value Value::of(std::uint32_t channel, std::int64_t value) {
    Value v{channel, ValueType::i64, {}, {}};
    v.i64 = value;
    return v;
}
inline Value Value::of(std::uint32_t channel, bool value) {
    Value v{channel, ValueType::boolean, {}, {}};
    v.boolean = value;
    return v;
}
inline Value Value::of(std::uint32_t channel, std::string_view value) {
    return Value{channel, ValueType::string, {}, value};
}
inline Value Value::of(std::uint32_t channel, const char* value) {
    return of(channel, std::string_view(value));
}

}  // namespace holdfast
