// Files that the configuration names.
#pragma once

#include <filesystem>
#include <string>

#include "base/result.hpp"

namespace holdfast::config {

// The absolute path of the file that `written` names: a relative one is looked for in $CREDENTIALS_DIRECTORY,
// then in `directory`. Fails (kind config) when there is no such file or this process may not read it.
Result<std::filesystem::path> find_readable(const std::filesystem::path& written,
                                            const std::filesystem::path& directory);

// The whole content of a configuration file. Fails (kind config) when it can't be read or is larger than 1
// MiB.
Result<std::string> read_config_file(const std::filesystem::path& path);

}  // namespace holdfast::config
