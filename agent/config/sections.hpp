// The sections of the configuration, one function each: which keys there are, their ranges, and what has to
// fit together.
#pragma once

#include "config/config.hpp"
#include "config/node.hpp"
#include "config/report.hpp"

namespace holdfast::config {

// The whole configuration from the merged files. Worth something only when `report` is clean afterwards.
Config read_config(const Table& root, Report& report, const DescribePlugin& describe,
                   const CheckOptions& check);

}  // namespace holdfast::config
