// A file that has a path and lives in memory alone: for a library that takes secrets by file name only.
#pragma once

#include <filesystem>
#include <string_view>

#include "base/result.hpp"
#include "base/unique_fd.hpp"

namespace holdfast {

class MemoryFile {
  public:
    // Mode 0600, sealed: it can be read and not changed. Fails with retry when memory or descriptors ran out.
    static Result<MemoryFile> make(std::string_view content);

    // For this process only, and as long as this object lives.
    std::filesystem::path path() const;

  private:
    explicit MemoryFile(UniqueFd fd) : fd_(std::move(fd)) {}
    UniqueFd fd_;
};

}  // namespace holdfast
