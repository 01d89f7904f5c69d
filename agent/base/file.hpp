// Whole small files: certificates, keys, passwords.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>

#include "base/result.hpp"

namespace holdfast {

// The content of a file of at most `most` bytes. Fails with config: "cannot read FILE: why"; too large is
// EFBIG.
Result<std::string> read_file(const std::filesystem::path& file, std::size_t most = 1024 * 1024);

// A password file's: one trailing newline is not part of it.
Result<std::string> read_password_file(const std::filesystem::path& file, std::size_t most = 65'535);

}  // namespace holdfast
