// What lies where in a scan, the record of a buffered capture: the kernel's description of it, parsed and
// checked, and the numbers in it. Pure.
//
// Sources: the kernel's Documentation/ABI/testing/sysfs-bus-iio, in_..._type;
// Documentation/driver-api/iio/buffers.rst; iio_compute_scan_bytes() in drivers/iio/industrialio-buffer.c.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace iio_input {

// "le:s12/16>>4": 12 bits, signed, in 16 stored ones, 4 from the right; "X3" behind them: three of those.
struct ScanType {
    bool is_big_endian = false;
    bool is_signed = false;
    unsigned bits = 0;
    unsigned storage_bits = 0;  // 8, 16, 32 or 64
    unsigned repeat = 1;
    unsigned shift = 0;
    std::size_t bytes() const { return storage_bits / 8 * std::size_t{repeat}; }
    bool operator==(const ScanType&) const = default;
};

struct Element {
    std::string name;    // as in files: "voltage0", "timestamp"
    unsigned index = 0;  // elements lie in this order
    ScanType type;
    std::size_t offset = 0;  // in bytes from the beginning of a scan
    bool operator==(const Element&) const = default;
};

struct ScanLayout {
    std::vector<Element> elements;
    std::size_t bytes = 0;  // of a scan, what fills it up at the end included
    bool operator==(const ScanLayout&) const = default;
};

inline constexpr std::size_t most_scan_bytes = 64 * 1024;

// Throws std::invalid_argument, with what is wrong, unless the text describes numbers that decode() can take.
ScanType parse_scan_type(std::string_view text);

// Puts the elements in order and says where each lies. Throws std::invalid_argument when two have one index,
// there is none, or a scan were larger than most_scan_bytes.
ScanLayout lay_out(std::vector<Element> elements);

// The element's number, the `which`-th of a repeated one, in a whole scan.
std::int64_t decode_integer(const Element& element, unsigned which, std::span<const std::uint8_t> scan);
double decode(const Element& element, unsigned which, std::span<const std::uint8_t> scan);

}  // namespace iio_input
