// What text may cross the agent's borders: names, tags and strings from plugins, topics from the
// configuration.
#pragma once

#include <string_view>

namespace holdfast {

// Well-formed UTF-8 as RFC 3629 has it: no overlong forms, no surrogates, nothing above U+10FFFF.
bool is_utf8(std::string_view text);

// As much of the text as fits so many bytes without a character cut in two, for it may not be longer there.
std::string_view first_bytes(std::string_view text, std::size_t most);

// Well-formed UTF-8 without control characters (U+0000 to U+001F, U+007F to U+009F): fit for a name or an
// MQTT topic.
bool is_plain_text(std::string_view text);

}  // namespace holdfast
