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

// The password that the configuration's `key` names a file for: empty when it names none. An error begins
// with the key.
Result<std::string> read_password_setting(const std::string& key, const std::filesystem::path& file);

}  // namespace holdfast
