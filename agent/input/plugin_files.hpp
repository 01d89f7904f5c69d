// Where a plugin's file is, and whether it may be loaded: only root or this user may be able to change it.
#pragma once

#include <filesystem>
#include <string>

#include "base/result.hpp"

namespace holdfast {

// The canonical path of the plugin's shared object. Fails with config: no such plugin (the text names those
// there are), or its file or directory could be changed by others.
Result<std::filesystem::path> find_plugin(const std::filesystem::path& directory, const std::string& name);

}  // namespace holdfast
