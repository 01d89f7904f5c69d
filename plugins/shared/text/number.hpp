// Numbers in text, for the bundled plugins.
#pragma once

#include <charconv>
#include <cmath>
#include <concepts>
#include <optional>
#include <string_view>

namespace plugin_text {

// The whole text as an integer of the type, to a base (without a prefix such as 0x), or as a finite number in
// decimal notation; none when it is not, or out of range.
template <std::integral Integer>
std::optional<Integer> to_number(std::string_view text, int base = 10) {
    Integer number{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, base);
    if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return number;
}
template <std::floating_point Real>
std::optional<Real> to_number(std::string_view text) {
    Real number{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(number))
        return std::nullopt;
    return number;
}

inline std::string_view trimmed(std::string_view text) {
    constexpr std::string_view blanks = " \t\r";
    const std::size_t begin = text.find_first_not_of(blanks);
    if (begin == std::string_view::npos) return {};
    return text.substr(begin, text.find_last_not_of(blanks) - begin + 1);
}

}  // namespace plugin_text
