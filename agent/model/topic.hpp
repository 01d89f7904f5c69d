// Topic templates: "holdfast/{agent}/{input}", also {tag:NAME}.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "model/reading.hpp"

namespace holdfast {

// Fails (kind config) when the template is empty, not plain UTF-8, has a wildcard (+ or #), a brace that does
// not pair or an unknown placeholder. With it the text says which.
Result<void> check_topic_template(std::string_view topic_template);

// The template with {agent}, {input} and {tag:NAME} replaced. Fails (kind config) when a tag is missing, or
// when what comes out is no topic name: over 65,535 bytes, or with a wildcard or control character that came
// in by a value.
Result<std::string> expand_topic(std::string_view topic_template, std::string_view agent,
                                 std::string_view input, std::span<const TagView> tags);

}  // namespace holdfast
