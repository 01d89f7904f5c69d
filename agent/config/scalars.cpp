#include "config/scalars.hpp"

#include <charconv>
#include <cstdint>
#include <limits>

namespace holdfast::config {
namespace {

struct Unit {
    std::string_view name;
    std::uint64_t factor;
};

constexpr Unit duration_units[] = {{"d", 86'400'000'000}, {"h", 3'600'000'000}, {"m", 60'000'000},
                                   {"s", 1'000'000},      {"ms", 1'000},        {"us", 1}};

constexpr std::uint64_t kibi = 1024;
constexpr std::uint64_t kilo = 1000;
// For writing: the first unit that divides the value is taken, so the binary ones go first.
constexpr Unit size_units[] = {{"TiB", kibi* kibi* kibi* kibi},
                               {"GiB", kibi* kibi* kibi},
                               {"MiB", kibi* kibi},
                               {"KiB", kibi},
                               {"TB", kilo* kilo* kilo* kilo},
                               {"GB", kilo* kilo* kilo},
                               {"MB", kilo* kilo},
                               {"KB", kilo},
                               {"B", 1}};

// Takes "NUMBER LETTERS" from the front of `text`; none when it does not begin so.
struct Quantity {
    std::uint64_t number;
    std::string_view unit;
};
std::optional<Quantity> take_quantity(std::string_view& text) {
    Quantity out{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out.number);
    if (error != std::errc{}) return std::nullopt;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    out.unit = text.substr(0, text.find_first_of("0123456789"));
    text.remove_prefix(out.unit.size());
    return out;
}

const Unit* find_unit(const Unit* first, const Unit* last, std::string_view name) {
    for (; first != last; ++first)
        if (first->name == name) return first;
    return nullptr;
}

constexpr std::uint64_t largest = std::numeric_limits<std::int64_t>::max();

}  // namespace

std::optional<Micros> parse_duration(std::string_view text) {
    std::uint64_t total = 0;
    const Unit* unit = std::begin(duration_units);
    do {
        const auto quantity = take_quantity(text);
        if (!quantity) return std::nullopt;
        const Unit* const found = find_unit(unit, std::end(duration_units), quantity->unit);
        if (found == nullptr || quantity->number > (largest - total) / found->factor) return std::nullopt;
        total += quantity->number * found->factor;
        unit = found + 1;
    } while (!text.empty());
    return Micros(static_cast<std::int64_t>(total));
}

std::optional<Bytes> parse_size(std::string_view text) {
    const auto quantity = take_quantity(text);
    if (!quantity || !text.empty()) return std::nullopt;
    const Unit* const unit = find_unit(std::begin(size_units), std::end(size_units), quantity->unit);
    if (unit == nullptr || quantity->number > largest / unit->factor) return std::nullopt;
    return Bytes{quantity->number * unit->factor};
}

std::string to_text(Micros duration) {
    auto left = static_cast<std::uint64_t>(duration.count());
    if (left == 0) return "0s";
    std::string out;
    for (const Unit& unit : duration_units) {
        if (left >= unit.factor) (out += std::to_string(left / unit.factor)) += unit.name;
        left %= unit.factor;
    }
    return out;
}

std::string to_text(Bytes size) {
    for (const Unit& unit : size_units)
        if (size.count != 0 && size.count % unit.factor == 0)
            return std::to_string(size.count / unit.factor).append(unit.name);
    return "0B";
}

}  // namespace holdfast::config
