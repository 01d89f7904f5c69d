// Which of the known words a person most likely meant.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace holdfast::config {

// The known word with the fewest letters to insert, drop, change or swap with their neighbour; empty when
// none is near: more than a third of the letters would differ.
std::string_view nearest(std::string_view word, const std::vector<std::string_view>& known);

// "a, b or c": for lists in errors.
std::string any_of(const std::vector<std::string_view>& words);

}  // namespace holdfast::config
