// TOML text in, a tree of nodes out: the fence around toml++.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

#include "config/node.hpp"

namespace holdfast::config {

struct SyntaxError {
    Position where;
    std::string text;
};

// Parses a whole document; positions get `file`. Fails with the first place that is not TOML.
tl::expected<Table, SyntaxError> parse(std::string_view text, std::uint32_t file);

}  // namespace holdfast::config
