#include "scan.hpp"

#include <algorithm>
#include <stdexcept>

#include "shared/sensors/text.hpp"

namespace iio_input {

namespace {

constexpr unsigned most_repeat = 64;

[[noreturn]] void wrong(std::string_view text, const char* what) {
    throw std::invalid_argument("'" + std::string(text.substr(0, 40)) + "' " + what);
}

// Takes `separator` off the front, and the number behind it.
unsigned take_unsigned(std::string_view& rest, std::string_view separator, std::string_view text) {
    if (!rest.starts_with(separator)) wrong(text, "is no type such as le:s12/16>>4");
    rest.remove_prefix(separator.size());
    const std::string_view digits = rest.substr(0, rest.find_first_not_of("0123456789"));
    const auto number = sensors::to_number<unsigned>(digits);
    if (!number) wrong(text, "is no type such as le:s12/16>>4");
    rest.remove_prefix(digits.size());
    return *number;
}

std::uint64_t stored_bits(const ScanType& type, std::span<const std::uint8_t> bytes) {
    std::uint64_t stored = 0;
    for (std::size_t i = 0; i < bytes.size(); ++i)
        stored = stored << 8 | bytes[type.is_big_endian ? i : bytes.size() - 1 - i];
    return stored;
}

std::uint64_t value_bits(const Element& element, unsigned which, std::span<const std::uint8_t> scan) {
    const ScanType& type = element.type;
    const std::size_t size = type.storage_bits / 8;
    const std::uint64_t bits =
        stored_bits(type, scan.subspan(element.offset + which * size, size)) >> type.shift;
    return type.bits == 64 ? bits : bits & ((std::uint64_t{1} << type.bits) - 1);
}

}  // namespace

ScanType parse_scan_type(std::string_view text) {
    ScanType type;
    std::string_view rest = text;
    type.is_big_endian = rest.starts_with("be:");
    if (!type.is_big_endian && !rest.starts_with("le:")) wrong(text, "is neither le: nor be:");
    rest.remove_prefix(3);
    // 'f', of newer kernels, is a float: none of the drivers here has it, and taking it for an integer were
    // wrong.
    if (rest.empty() || (rest[0] != 's' && rest[0] != 'u')) wrong(text, "is neither signed nor unsigned");
    type.is_signed = rest[0] == 's';
    rest.remove_prefix(1);
    type.bits = take_unsigned(rest, "", text);
    type.storage_bits = take_unsigned(rest, "/", text);
    if (rest.starts_with('X')) type.repeat = take_unsigned(rest, "X", text);
    if (!rest.empty()) type.shift = take_unsigned(rest, ">>", text);
    if (!rest.empty()) wrong(text, "goes on behind the type");
    const unsigned storage = type.storage_bits;
    if (storage != 8 && storage != 16 && storage != 32 && storage != 64)
        wrong(text, "is not stored in 8, 16, 32 or 64 bits");
    if (type.bits == 0 || type.bits > storage) wrong(text, "has more bits than are stored, or none");
    if (type.shift >= storage) wrong(text, "is shifted out of what is stored");
    if (type.repeat == 0 || type.repeat > most_repeat) wrong(text, "is repeated not at all, or too often");
    return type;
}

ScanLayout lay_out(std::vector<Element> elements) {
    ScanLayout layout{std::move(elements), 0};
    auto& all = layout.elements;
    if (all.empty()) throw std::invalid_argument("no element of the scan is switched on");
    std::stable_sort(all.begin(), all.end(),
                     [](const Element& a, const Element& b) { return a.index < b.index; });
    std::size_t largest = 1;
    const auto aligned = [](std::size_t at, std::size_t size) { return (at + size - 1) / size * size; };
    for (std::size_t i = 0; i < all.size(); ++i) {
        if (i > 0 && all[i].index == all[i - 1].index)
            throw std::invalid_argument(all[i - 1].name + " and " + all[i].name + " have one index");
        // Each is aligned to its own size, and the whole to that of the largest.
        const std::size_t size = all[i].type.bytes();
        all[i].offset = aligned(layout.bytes, size);
        layout.bytes = all[i].offset + size;
        largest = std::max(largest, size);
        if (layout.bytes > most_scan_bytes) throw std::invalid_argument("a scan is larger than 64 KiB");
    }
    layout.bytes = aligned(layout.bytes, largest);
    return layout;
}

std::int64_t decode_integer(const Element& element, unsigned which, std::span<const std::uint8_t> scan) {
    std::uint64_t bits = value_bits(element, which, scan);
    const unsigned width = element.type.bits;
    if (element.type.is_signed && width < 64 && (bits >> (width - 1) & 1) != 0)
        bits |= ~std::uint64_t{0} << width;
    return static_cast<std::int64_t>(bits);
}

double decode(const Element& element, unsigned which, std::span<const std::uint8_t> scan) {
    if (!element.type.is_signed) return static_cast<double>(value_bits(element, which, scan));
    return static_cast<double>(decode_integer(element, which, scan));
}

}  // namespace iio_input
