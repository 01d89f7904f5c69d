// The [[input]] entries.
#pragma once

#include <vector>

#include "config/config.hpp"
#include "config/section.hpp"

namespace holdfast::config {

// `describe` is asked once for each plugin that is named, `check` (may be empty) for each input. `agent_tags`
// travel with every input's own, and count with them.
std::vector<InputConfig> read_inputs(std::vector<Section> entries, const Tags& agent_tags,
                                     const DescribePlugin& describe, const CheckOptions& check,
                                     Report& report);

}  // namespace holdfast::config
