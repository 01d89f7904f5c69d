// ${NAME} in the configuration's strings.
#pragma once

#include "config/node.hpp"
#include "config/report.hpp"

namespace holdfast::config {

// Puts environment variables into every string value below `table`, and notes a problem where one is not set
// or a string can't be used at all (it holds a NUL). "$${" stands for a plain "${". Keys stay as they are.
void expand_variables(Table& table, Report& report);

}  // namespace holdfast::config
