#include "base/json_writer.hpp"

#include <charconv>
#include <cmath>

#include "base/utf8.hpp"

namespace holdfast {
namespace {

// The shortest double takes at most 24 characters ("-2.2250738585072014e-308"), a 64-bit integer 20.
constexpr std::size_t number_bytes = 32;

template <typename Number>
void append_number(std::string& out, Number value) {
    char digits[number_bytes];
    const auto end = std::to_chars(digits, digits + sizeof digits, value).ptr;
    out.append(digits, static_cast<std::size_t>(end - digits));
}

constexpr bool needs_escape(char c) {
    return static_cast<unsigned char>(c) < 0x20 || c == '"' || c == '\\';
}

void append_escaped(std::string& out, char c) {
    constexpr std::string_view hex = "0123456789abcdef";
    out += '\\';
    switch (c) {
        case '"':
        case '\\':
            out += c;
            return;
        case '\b':
            out += 'b';
            return;
        case '\f':
            out += 'f';
            return;
        case '\n':
            out += 'n';
            return;
        case '\r':
            out += 'r';
            return;
        case '\t':
            out += 't';
            return;
        default:
            break;
    }
    out += "u00";
    out += hex[static_cast<unsigned char>(c) >> 4];
    out += hex[static_cast<unsigned char>(c) & 0x0F];
}

}  // namespace

void append_json_string(std::string& out, std::string_view text) {
    out += '"';
    std::size_t clean = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (!needs_escape(text[i])) continue;
        out.append(text, clean, i - clean);
        append_escaped(out, text[i]);
        clean = i + 1;
    }
    out.append(text, clean);
    out += '"';
}

JsonWriter& JsonWriter::key(std::string_view name) {
    text(name);
    out_ += ':';
    return *this;
}

JsonWriter& JsonWriter::text(std::string_view value) {
    separate();
    append_json_string(out_, value);
    return *this;
}

JsonWriter& JsonWriter::any_text(std::string_view value) {
    if (is_utf8(value)) return text(value);
    std::string readable;
    while (!value.empty()) {
        std::size_t length = 1;
        while (length <= 4 && length <= value.size() && !is_utf8(value.substr(0, length)))
            ++length;
        const bool sound = length <= 4 && length <= value.size();
        if (!sound) length = 1;
        readable += sound ? value.substr(0, length) : "\xEF\xBF\xBD";
        value.remove_prefix(length);
    }
    return text(readable);
}

JsonWriter& JsonWriter::number(double value) {
    if (!std::isfinite(value)) {
        ++non_finite_;
        return null();
    }
    // Readers take "-0" for the integer zero.
    if (value == 0 && std::signbit(value)) return raw("-0.0");
    separate();
    // 100000, not 1e+05: what looks like a whole number is read as one by more readers.
    if (std::abs(value) < 1e15 && value == std::trunc(value))
        append_number(out_, static_cast<std::int64_t>(value));
    else
        append_number(out_, value);
    return *this;
}

JsonWriter& JsonWriter::integer(std::int64_t value) {
    separate();
    append_number(out_, value);
    return *this;
}

JsonWriter& JsonWriter::integer(std::uint64_t value) {
    separate();
    append_number(out_, value);
    return *this;
}

}  // namespace holdfast
