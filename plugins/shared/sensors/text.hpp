// Taking the kernel's text files apart: lines, words, numbers. Views only, nothing is copied.
#pragma once

#include <algorithm>
#include <optional>
#include <string_view>

#include "shared/text/number.hpp"

namespace sensors {

// Takes what stands before `separator` off the front of `text`, and the separator with it.
inline std::string_view take_until(std::string_view& text, char separator) {
    const std::size_t end = text.find(separator);
    const std::string_view taken = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    return taken;
}

inline std::string_view take_line(std::string_view& text) {
    return take_until(text, '\n');
}

// The next word and what blanks stand before it; empty at the end.
inline std::string_view take_word(std::string_view& text) {
    constexpr std::string_view blanks = " \t\n";
    text.remove_prefix(std::min(text.find_first_not_of(blanks), text.size()));
    const std::string_view word = text.substr(0, text.find_first_of(blanks));
    text.remove_prefix(word.size());
    return word;
}

using plugin_text::to_number;

template <typename Number>
std::optional<Number> take_number(std::string_view& text) {
    return to_number<Number>(take_word(text));
}

}  // namespace sensors
