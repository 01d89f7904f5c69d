// What a line of output says, and the parsers that find it out. A parser throws LineError; its text is for a
// person and shows nothing of the line's content but the names of channels, as output may be secret.
#pragma once

#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace lines {

class LineError : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

struct Null {};
using FieldValue = std::variant<Null, double, std::int64_t, bool, std::string>;

struct Field {
    std::string channel;
    FieldValue value;
};

struct Record {
    std::optional<std::int64_t> wall_time_us;
    std::vector<Field> fields;
    std::vector<std::pair<std::string, std::string>> tags;

    void clear() {
        wall_time_us.reset();
        fields.clear();
        tags.clear();
    }
};

// Each fills an empty record from one line, and leaves it without fields when the line says nothing (blank, a
// comment).
using Parser = void (*)(std::string_view line, Record& record);

// An object of channel: value, strictly RFC 8259; objects within it give dotted channels; "ts" at its top is
// the time. Every number is a double, so that 1 and 1.5 are of one type.
void parse_json(std::string_view line, Record& record);
// InfluxDB line protocol: channels are measurement.field.
void parse_influx(std::string_view line, Record& record);
// A bare number on channel "value".
void parse_value(std::string_view line, Record& record);

// Microseconds since 1970 of an RFC 3339 time; digits beyond microseconds are cut off.
std::optional<std::int64_t> parse_rfc3339(std::string_view text);

// Both ends of the times that a reading may have: 1970 and the end of year 9999.
inline constexpr std::int64_t latest_time_us = 253'402'300'799'999'999;

}  // namespace lines
