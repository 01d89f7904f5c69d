#include "base/utf8.hpp"

#include <cstdint>

namespace holdfast {
namespace {

struct Decoded {
    std::uint32_t code_point;
    std::size_t length;  // 0: not well-formed
};

Decoded decode(std::string_view text) {
    const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
    const std::uint8_t lead = byte(0);
    if (lead < 0x80) return {lead, 1};
    const std::size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
    if (lead < 0xC2 || lead > 0xF4 || text.size() < length) return {0, 0};
    std::uint32_t code_point = lead & (0xFFU >> (length + 1));
    for (std::size_t i = 1; i < length; ++i) {
        if ((byte(i) & 0xC0) != 0x80) return {0, 0};
        code_point = (code_point << 6) | (byte(i) & 0x3F);
    }
    constexpr std::uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    const bool surrogate = code_point >= 0xD800 && code_point <= 0xDFFF;
    if (code_point < least[length] || code_point > 0x10FFFF || surrogate) return {0, 0};
    return {code_point, length};
}

template <typename Allowed>
bool all_code_points(std::string_view text, Allowed allowed) {
    while (!text.empty()) {
        const Decoded decoded = decode(text);
        if (decoded.length == 0 || !allowed(decoded.code_point)) return false;
        text.remove_prefix(decoded.length);
    }
    return true;
}

}  // namespace

bool is_utf8(std::string_view text) {
    return all_code_points(text, [](std::uint32_t) { return true; });
}

std::string_view first_bytes(std::string_view text, std::size_t most) {
    if (text.size() <= most) return text;
    while (most > 0 && (static_cast<std::uint8_t>(text[most]) & 0xC0) == 0x80)
        --most;
    return text.substr(0, most);
}

bool is_plain_text(std::string_view text) {
    return all_code_points(text, [](std::uint32_t c) { return c >= 0x20 && !(c >= 0x7F && c <= 0x9F); });
}

}  // namespace holdfast
