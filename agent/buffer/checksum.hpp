// CRC-32C (Castagnoli), so that a bit that flipped on flash is noticed before it becomes a wrong reading.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace holdfast {

namespace checksum_detail {
constexpr std::array<std::uint32_t, 256> make_table() {
    std::array<std::uint32_t, 256> table{};
    for (std::uint32_t i = 0; i < 256; ++i) {
        std::uint32_t value = i;
        for (int bit = 0; bit < 8; ++bit)
            value = (value & 1) != 0 ? 0x82F63B78 ^ (value >> 1) : value >> 1;
        table[i] = value;
    }
    return table;
}
inline constexpr auto table = make_table();
}  // namespace checksum_detail

// The checksum of what `so_far` is the checksum of, followed by `bytes`.
constexpr std::uint32_t crc32c(std::string_view bytes, std::uint32_t so_far = 0) {
    std::uint32_t value = ~so_far;
    for (const char byte : bytes)
        value = checksum_detail::table[(value ^ static_cast<std::uint8_t>(byte)) & 0xFF] ^ (value >> 8);
    return ~value;
}
static_assert(crc32c("123456789") == 0xE3069283);

}  // namespace holdfast
