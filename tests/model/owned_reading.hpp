// Readings that own what they hold, so that tests can keep and compare them.
#pragma once

#include <bit>
#include <string>
#include <vector>

#include "model/reading_stream.hpp"

namespace holdfast::test {

struct OwnedValue {
    std::uint32_t channel = 0;
    ValueType type = ValueType::f64;
    std::uint64_t bits =
        0;  // a double's or an integer's bits, a boolean's 0 or 1: compares not-a-number by payload
    std::string string;
    bool operator==(const OwnedValue&) const = default;
};

struct OwnedReading {
    std::int64_t time_us = 0;
    TimeBase base = TimeBase::boot;
    std::vector<OwnedValue> values;
    Tags tags;
    bool operator==(const OwnedReading&) const = default;
};

inline OwnedValue owned(const Value& value) {
    OwnedValue out{value.channel, value.type, 0, {}};
    switch (value.type) {
        case ValueType::f64:
            out.bits = std::bit_cast<std::uint64_t>(value.f64);
            break;
        case ValueType::i64:
            out.bits = static_cast<std::uint64_t>(value.i64);
            break;
        case ValueType::boolean:
            out.bits = value.boolean ? 1 : 0;
            break;
        case ValueType::string:
            out.string = value.string;
            break;
    }
    return out;
}

inline OwnedReading owned(const Reading& reading) {
    OwnedReading out{reading.time_us, reading.base, {}, {}};
    for (const Value& value : reading.values)
        out.values.push_back(owned(value));
    for (const TagView& tag : reading.tags)
        out.tags.emplace_back(tag.key, tag.value);
    return out;
}

// Reads the segment to its end; stops at the first failure, which `error` then holds.
inline std::vector<OwnedReading> read_all(ReadingReader& reader, std::string_view segment,
                                          std::string* error = nullptr) {
    std::vector<OwnedReading> readings;
    reader.feed(segment);
    for (;;) {
        const auto more = reader.next();
        if (!more && error != nullptr) *error = more.error().text;
        if (!more || !*more) return readings;
        readings.push_back(owned(reader.reading()));
    }
}

}  // namespace holdfast::test
