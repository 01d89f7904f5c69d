#include "model/reading_stream.hpp"

#include <algorithm>
#include <bit>
#include <limits>

#include "base/utf8.hpp"

namespace holdfast {
namespace {

// The head byte of a record.
constexpr std::uint8_t head_definition = 0x80;  // alone: a channel definition follows
constexpr std::uint8_t head_shape = 0x01;       // the reading brings its list of channels
constexpr std::uint8_t head_wall = 0x02;        // its time is wall time
constexpr std::uint8_t head_tags = 0x04;        // it brings tags

// f64: XOR with the channel's last value; a byte that counts the zero bytes at either end, then the bytes
// between.
void put_f64(std::string& out, std::uint64_t bits, std::uint64_t last) {
    const std::uint64_t change = bits ^ last;
    const int leading = std::countl_zero(change) / 8;
    const int trailing = change == 0 ? 0 : std::countr_zero(change) / 8;
    wire::put_byte(out, static_cast<std::uint8_t>(leading << 4 | trailing));
    std::uint64_t middle = change == 0 ? 0 : change >> (8 * trailing);
    for (int i = leading + trailing; i < 8; ++i) {
        wire::put_byte(out, static_cast<std::uint8_t>(middle));
        middle >>= 8;
    }
}

bool get_f64(wire::Cursor& in, std::uint64_t& bits) {
    const std::uint8_t counts = in.byte();
    const int leading = counts >> 4;
    const int trailing = counts & 0x0F;
    if (leading + trailing > 8 || trailing > 7) return false;
    std::uint64_t change = 0;
    for (int i = trailing; i < 8 - leading; ++i)
        change |= static_cast<std::uint64_t>(in.byte()) << (8 * i);
    bits ^= change;
    return true;
}

std::int64_t wrapping_add(std::int64_t a, std::int64_t b) {
    return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) + static_cast<std::uint64_t>(b));
}
std::int64_t wrapping_subtract(std::int64_t a, std::int64_t b) {
    return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) - static_cast<std::uint64_t>(b));
}

}  // namespace

std::uint32_t ReadingWriter::define(const Channel& channel) {
    wire::put_byte(bytes_, head_definition);
    wire::put_byte(bytes_, static_cast<std::uint8_t>(channel.type));
    wire::put_text(bytes_, channel.name);
    wire::put_text(bytes_, channel.unit);
    last_.push_back({channel.type, 0, {}});
    return static_cast<std::uint32_t>(last_.size() - 1);
}

bool ReadingWriter::same_shape(const Reading& reading) const {
    return reading.values.size() == shape_.size() &&
           std::equal(shape_.begin(), shape_.end(), reading.values.begin(),
                      [](std::uint32_t channel, const Value& value) { return channel == value.channel; });
}

void ReadingWriter::append(const Reading& reading) {
    const bool new_shape = !same_shape(reading);
    const bool wall = reading.base == TimeBase::wall;
    wire::put_byte(bytes_, static_cast<std::uint8_t>((new_shape ? head_shape : 0) | (wall ? head_wall : 0) |
                                                     (reading.tags.empty() ? 0 : head_tags)));
    if (new_shape) {
        shape_.clear();
        wire::put_varint(bytes_, reading.values.size());
        for (const Value& value : reading.values) {
            shape_.push_back(value.channel);
            wire::put_varint(bytes_, value.channel);
        }
    }
    std::int64_t& last_time = last_time_us_[wall];
    wire::put_signed(bytes_, wrapping_subtract(reading.time_us, last_time));
    last_time = reading.time_us;
    if (!reading.tags.empty()) {
        wire::put_varint(bytes_, reading.tags.size());
        for (const TagView& tag : reading.tags) {
            wire::put_text(bytes_, tag.key);
            wire::put_text(bytes_, tag.value);
        }
    }
    for (const Value& value : reading.values)
        append_value(value);
}

void ReadingWriter::append_value(const Value& value) {
    Last& last = last_[value.channel];
    switch (value.type) {
        case ValueType::f64: {
            const auto bits = std::bit_cast<std::uint64_t>(value.f64);
            put_f64(bytes_, bits, last.bits);
            last.bits = bits;
            break;
        }
        case ValueType::i64: {
            wire::put_signed(bytes_, wrapping_subtract(value.i64, static_cast<std::int64_t>(last.bits)));
            last.bits = static_cast<std::uint64_t>(value.i64);
            break;
        }
        case ValueType::boolean:
            wire::put_byte(bytes_, value.boolean ? 1 : 0);
            break;
        case ValueType::string:
            if (value.string == last.string) {
                wire::put_byte(bytes_, 0);
            } else {
                wire::put_varint(bytes_, value.string.size() + 1);
                bytes_.append(value.string);
                last.string = value.string;
            }
            break;
    }
}

std::string ReadingWriter::take(After after) {
    if (after == After::fresh) {
        last_.clear();
        shape_.clear();
        last_time_us_[0] = last_time_us_[1] = 0;
    }
    return std::exchange(bytes_, {});
}

Result<bool> ReadingReader::next() {
    wire::Cursor in(rest_);
    while (!damaged_ && !in.empty()) {
        const std::uint8_t head = in.byte();
        const bool definition = head == head_definition;
        const bool sound = definition ? read_definition(in) : read_reading(in, head);
        damaged_ = !sound || !in.ok();
        if (damaged_) break;
        rest_ = rest_.substr(rest_.size() - in.left());
        if (!definition) return true;
    }
    if (damaged_) return Error{Error::Kind::corrupt, "damaged record in a stream of readings"};
    return false;
}

bool ReadingReader::read_definition(wire::Cursor& in) {
    const std::uint8_t type = in.byte();
    const std::string_view name = in.text(max_name_bytes);
    const std::string_view unit = in.text(max_unit_bytes);
    if (type > static_cast<std::uint8_t>(ValueType::string) || channels_.size() == max_channels ||
        name.empty() || !is_plain_text(name) || !is_plain_text(unit) || !names_.emplace(name).second)
        return false;
    channels_.push_back({std::string(name), static_cast<ValueType>(type), std::string(unit)});
    last_.emplace_back();
    return true;
}

bool ReadingReader::read_shape(wire::Cursor& in) {
    const std::uint64_t count = in.varint();
    if (count == 0 || count > channels_.size()) return false;
    shape_.clear();
    for (std::uint64_t i = 0; i < count; ++i) {
        const std::uint64_t channel = in.varint();
        if (channel >= channels_.size()) return false;
        shape_.push_back(static_cast<std::uint32_t>(channel));
    }
    // A channel twice would make two members of one name in a JSON object.
    std::vector<std::uint32_t> sorted = shape_;
    std::sort(sorted.begin(), sorted.end());
    return std::adjacent_find(sorted.begin(), sorted.end()) == sorted.end();
}

bool ReadingReader::read_reading(wire::Cursor& in, std::uint8_t head) {
    if ((head & ~(head_shape | head_wall | head_tags)) != 0) return false;
    if ((head & head_shape) != 0 && !read_shape(in)) return false;
    if (shape_.empty()) return false;
    const bool wall = (head & head_wall) != 0;
    std::int64_t& last_time = last_time_us_[wall];
    last_time = wrapping_add(last_time, in.signed_varint());
    tags_.clear();
    if ((head & head_tags) != 0) {
        const std::uint64_t count = in.varint();
        if (count == 0 || count > max_tags) return false;
        for (std::uint64_t i = 0; i < count; ++i) {
            const std::string_view key = in.text(max_name_bytes);
            const std::string_view value = in.text(max_name_bytes);
            if (key.empty() || !is_plain_text(key) || !is_plain_text(value)) return false;
            tags_.push_back({key, value});
        }
    }
    values_.resize(shape_.size());
    std::size_t text_bytes = 0;  // a repeated string costs a byte here, but its whole length in a payload
    for (std::size_t i = 0; i < shape_.size(); ++i) {
        values_[i].channel = shape_[i];
        if (!read_value(in, values_[i])) return false;
        text_bytes += values_[i].string.size();
    }
    if (text_bytes > max_reading_text_bytes) return false;
    reading_ = {last_time, wall ? TimeBase::wall : TimeBase::boot, values_, tags_};
    return true;
}

bool ReadingReader::read_value(wire::Cursor& in, Value& value) {
    Last& last = last_[value.channel];
    value.type = channels_[value.channel].type;
    value.string = {};
    switch (value.type) {
        case ValueType::f64:
            if (!get_f64(in, last.bits)) return false;
            value.f64 = std::bit_cast<double>(last.bits);
            return true;
        case ValueType::i64:
            last.bits = static_cast<std::uint64_t>(
                wrapping_add(static_cast<std::int64_t>(last.bits), in.signed_varint()));
            value.i64 = static_cast<std::int64_t>(last.bits);
            return true;
        case ValueType::boolean: {
            const std::uint8_t byte = in.byte();
            value.boolean = byte == 1;
            return byte <= 1;
        }
        case ValueType::string: {
            const std::uint64_t length = in.varint();
            if (length > max_string_bytes + 1) return false;
            if (length > 0) {
                const std::string_view text = in.bytes(length - 1);
                if (!is_utf8(text)) return false;
                last.string = text;
            }
            value.string = last.string;
            return true;
        }
    }
    return false;
}

}  // namespace holdfast
