// A configuration file as a tree of plain values that know where they stand: what the parser makes and all
// checks read.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace holdfast::config {

// Lines and columns count from 1; line 0 is the file as a whole.
struct Position {
    std::uint32_t file = 0;  // index into the list of files
    std::uint32_t line = 0;
    std::uint32_t column = 0;
    auto operator<=>(const Position&) const = default;
};

struct Node;
struct Entry;
using Array = std::vector<Node>;
struct Table {
    std::vector<Entry> entries;  // no key twice
};
struct DateTime {};  // TOML has them, no key takes one
struct Broken {};    // stood for nothing, and that has been reported: checks pass it over

struct Node {
    Position where;  // of the value; of a table its header or brace
    std::variant<std::string, std::int64_t, double, bool, DateTime, Broken, Array, Table> value;

    template <typename T>
    const T* as() const {
        return std::get_if<T>(&value);
    }
    template <typename T>
    T* as() {
        return std::get_if<T>(&value);
    }
};

struct Entry {
    std::string key;
    Position where;  // of the key
    Node value;
};

const Entry* find(const Table& table, std::string_view key);  // null: not there

// A node as an error names it: "\"text\"" (shortened), "the integer 7", "a table", ...
std::string describe(const Node& node);

// Puts `later` over `base`: tables merge, anything else replaces what was there.
void merge(Table& base, Table later);

}  // namespace holdfast::config
