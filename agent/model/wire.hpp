// The primitives that every binary form here is made of: LEB128 varints, zigzag, length-prefixed text.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

namespace holdfast::wire {

constexpr std::uint64_t zigzag(std::int64_t value) {
    return (static_cast<std::uint64_t>(value) << 1) ^ static_cast<std::uint64_t>(value >> 63);
}
constexpr std::int64_t unzigzag(std::uint64_t value) {
    return static_cast<std::int64_t>(value >> 1) ^ -static_cast<std::int64_t>(value & 1);
}

inline void put_byte(std::string& out, std::uint8_t byte) {
    out.push_back(static_cast<char>(byte));
}

inline void put_varint(std::string& out, std::uint64_t value) {
    while (value >= 0x80) {
        put_byte(out, static_cast<std::uint8_t>(value | 0x80));
        value >>= 7;
    }
    put_byte(out, static_cast<std::uint8_t>(value));
}

inline void put_signed(std::string& out, std::int64_t value) {
    put_varint(out, zigzag(value));
}

inline void put_text(std::string& out, std::string_view text) {
    put_varint(out, text.size());
    out.append(text);
}

// Reads from the front of a span of bytes. After the first failure `ok()` is false and every read gives zero
// or empty, so a parser checks once per record, not once per field.
class Cursor {
  public:
    explicit Cursor(std::string_view bytes) : at_(bytes.data()), end_(bytes.data() + bytes.size()) {}

    bool ok() const { return ok_; }
    bool empty() const { return at_ == end_; }
    std::size_t left() const { return static_cast<std::size_t>(end_ - at_); }

    std::uint8_t byte() {
        if (at_ == end_) return fail();
        return static_cast<std::uint8_t>(*at_++);
    }

    std::uint64_t varint() {
        std::uint64_t value = 0;
        for (unsigned shift = 0; shift < 64; shift += 7) {
            const std::uint8_t part = byte();
            value |= static_cast<std::uint64_t>(part & 0x7F) << shift;
            if (part < 0x80) return value;
        }
        return fail();
    }

    std::int64_t signed_varint() { return unzigzag(varint()); }

    // How many items follow; more than `most` is a failure.
    std::uint64_t count(std::uint64_t most) {
        const std::uint64_t items = varint();
        return items > most ? fail() : items;
    }

    // `count` bytes as they stand; the view points into the input.
    std::string_view bytes(std::uint64_t count) {
        if (count > left()) {
            fail();
            return {};
        }
        const std::string_view view(at_, static_cast<std::size_t>(count));
        at_ += count;
        return view;
    }

    // Length-prefixed text of at most `most` bytes.
    std::string_view text(std::size_t most) {
        const std::uint64_t length = varint();
        if (length > most) {
            fail();
            return {};
        }
        return bytes(length);
    }

  private:
    std::uint8_t fail() {
        ok_ = false;
        at_ = end_;
        return 0;
    }

    const char* at_;
    const char* end_;
    bool ok_ = true;
};

}  // namespace holdfast::wire
