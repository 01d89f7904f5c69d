#include "config/node.hpp"

#include <algorithm>
#include <array>
#include <cstdio>

namespace holdfast::config {
namespace {

// A value that stands in an error is cut here: long enough to be recognised.
constexpr std::size_t shown_bytes = 60;

std::string quoted(std::string_view text) {
    if (text.size() <= shown_bytes) return '"' + std::string(text) + '"';
    std::size_t end = shown_bytes;
    while ((static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U)
        --end;  // not inside a UTF-8 sequence
    return '"' + std::string(text.substr(0, end)) + "...\"";
}

struct Describe {
    std::string operator()(const std::string& text) const { return quoted(text); }
    std::string operator()(std::int64_t number) const { return "the integer " + std::to_string(number); }
    std::string operator()(double number) const {
        std::array<char, 32> text{};
        std::snprintf(text.data(), text.size(), "the number %g", number);
        return text.data();
    }
    std::string operator()(bool value) const { return value ? "true" : "false"; }
    std::string operator()(DateTime) const { return "a date or time"; }
    std::string operator()(Broken) const { return "a value with a problem of its own"; }
    std::string operator()(const Array&) const { return "an array"; }
    std::string operator()(const Table&) const { return "a table"; }
};

}  // namespace

const Entry* find(const Table& table, std::string_view key) {
    const auto at = std::find_if(table.entries.begin(), table.entries.end(),
                                 [&](const Entry& entry) { return entry.key == key; });
    return at == table.entries.end() ? nullptr : &*at;
}

std::string describe(const Node& node) {
    return std::visit(Describe{}, node.value);
}

void merge(Table& base, Table later) {
    for (Entry& entry : later.entries) {
        const auto at = std::find_if(base.entries.begin(), base.entries.end(),
                                     [&](const Entry& earlier) { return earlier.key == entry.key; });
        if (at == base.entries.end()) {
            base.entries.push_back(std::move(entry));
        } else if (at->value.as<Table>() != nullptr && entry.value.as<Table>() != nullptr) {
            merge(*at->value.as<Table>(), std::move(*entry.value.as<Table>()));
        } else {
            *at = std::move(entry);
        }
    }
}

}  // namespace holdfast::config
