#include "shared/sensors/patterns.hpp"

#include <algorithm>

#include <holdfast/plugin.hpp>

namespace sensors {

namespace {

char lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

// Goes back to the last `*` where the text does not fit: no worse than the product of both lengths.
bool matches(std::string_view pattern, std::string_view text) {
    std::size_t p = 0;
    std::size_t t = 0;
    std::size_t star = std::string_view::npos;
    std::size_t star_text = 0;
    while (t < text.size()) {
        if (p < pattern.size() && pattern[p] == '*') {
            star = p++;
            star_text = t;
        } else if (p < pattern.size() && (pattern[p] == '?' || lower(pattern[p]) == lower(text[t]))) {
            ++p;
            ++t;
        } else if (star != std::string_view::npos) {
            p = star + 1;
            t = ++star_text;
        } else {
            return false;
        }
    }
    while (p < pattern.size() && pattern[p] == '*')
        ++p;
    return p == pattern.size();
}

bool any_matches(const std::vector<std::string>& patterns, std::initializer_list<std::string_view> names) {
    return std::any_of(patterns.begin(), patterns.end(), [&](const std::string& pattern) {
        return std::any_of(names.begin(), names.end(),
                           [&](std::string_view name) { return matches(pattern, name); });
    });
}

bool takes_everything(const std::string& pattern) {
    return pattern.find_first_not_of('*') == std::string::npos;
}

}  // namespace

Patterns::Patterns(std::string_view option, const std::vector<std::string>& patterns) {
    for (const std::string& pattern : patterns) {
        const bool leaves_out = pattern.starts_with('!');
        if (pattern.size() == (leaves_out ? 1U : 0U))
            holdfast::plugin::fail(EINVAL, std::string(option) + ": a pattern is empty");
        (leaves_out ? left_out_ : taken_).push_back(pattern.substr(leaves_out ? 1 : 0));
        if (!leaves_out && !takes_everything(pattern)) named_.push_back(pattern);
    }
    if (patterns.empty())
        holdfast::plugin::fail(EINVAL, std::string(option) + ": names nothing to take; [\"*\"] takes all");
}

bool Patterns::select(std::initializer_list<std::string_view> names) const {
    return (taken_.empty() || any_matches(taken_, names)) && !any_matches(left_out_, names);
}

bool Patterns::select_by_name(std::initializer_list<std::string_view> names) const {
    return any_matches(named_, names) && !any_matches(left_out_, names);
}

}  // namespace sensors
