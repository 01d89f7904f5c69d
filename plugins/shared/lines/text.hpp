// What may be shown and sent of what a program wrote.
#pragma once

#include <string>
#include <string_view>

namespace lines {

// The length of the well-formed UTF-8 sequence (RFC 3629) that `text` begins with; 0 when it begins with
// none.
std::size_t utf8_length(std::string_view text);

bool is_utf8(std::string_view text);

// `text` for a log: bytes that are no UTF-8 and control characters become '?', and what is beyond `most`
// bytes is cut off.
std::string printable(std::string_view text, std::size_t most);

}  // namespace lines
