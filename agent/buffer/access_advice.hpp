// What a person has to mend before the agent can use its buffer's files.
#pragma once

#include <filesystem>
#include <string>

namespace holdfast {

// "; PATH belongs to X and not to Y: chown Y PATH", or the like; empty when owner and rights are as they
// should be.
std::string access_advice(const std::filesystem::path& file);

}  // namespace holdfast
