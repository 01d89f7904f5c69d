// The checksum of Sensirion's chips: CRC-8, polynomial 0x31, initial value 0xFF, no reflection, and 0x92 for
// the bytes BE EF (SHT3x-DIS data sheet, version 5, 4.12, table 20; SHT4x data sheet, 4.4).
#pragma once

#include <cstdint>
#include <span>

namespace i2c_input {

constexpr std::uint8_t sensirion_crc(std::span<const std::uint8_t> bytes) {
    unsigned crc = 0xFF;
    for (const std::uint8_t byte : bytes) {
        crc ^= byte;
        for (int bit = 0; bit < 8; ++bit)
            crc = (crc & 0x80) != 0 ? (crc << 1 ^ 0x31) & 0xFF : crc << 1;
    }
    return static_cast<std::uint8_t>(crc);
}

}  // namespace i2c_input
