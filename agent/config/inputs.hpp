// The [[input]] entries.
#pragma once

#include <vector>

#include "config/config.hpp"
#include "config/section.hpp"

namespace holdfast::config {

// `describe` is asked once for each plugin that is named. `agent_tags` travel with every input's own, and
// count with them.
std::vector<InputConfig> read_inputs(std::vector<Section> entries, const Tags& agent_tags,
                                     const DescribePlugin& describe, Report& report);

}  // namespace holdfast::config
