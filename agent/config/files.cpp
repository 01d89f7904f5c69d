#include "config/files.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>

#include "base/unique_fd.hpp"

namespace holdfast::config {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t max_file_bytes = 1024UL * 1024;

fs::path locate(const fs::path& written, const fs::path& directory) {
    std::error_code absent;
    const char* const credentials = std::getenv("CREDENTIALS_DIRECTORY");
    if (written.is_relative() && credentials != nullptr && fs::exists(credentials / written, absent))
        return credentials / written;
    return directory / written;
}

}  // namespace

Result<fs::path> find_readable(const fs::path& written, const fs::path& directory) {
    std::error_code failed;
    const fs::path file = fs::absolute(locate(written, directory), failed).lexically_normal();
    if (failed) return system_error(Error::Kind::config, "cannot find " + written.string(), failed.value());
    if (::faccessat(AT_FDCWD, file.c_str(), R_OK, AT_EACCESS) != 0)
        return system_error(Error::Kind::config, "cannot read " + file.string(), errno);
    if (fs::is_directory(file, failed))
        return Error{Error::Kind::config, file.string() + " is a directory, expected a file"};
    return file;
}

Result<std::string> read_config_file(const fs::path& path) {
    const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file) return system_error(Error::Kind::config, "cannot be opened", errno);
    std::string text;
    std::array<char, 16'384> chunk{};
    while (true) {
        const ssize_t got = ::read(file.get(), chunk.data(), chunk.size());
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return system_error(Error::Kind::config, "cannot be read", errno);
        if (got == 0) return text;
        text.append(chunk.data(), static_cast<std::size_t>(got));
        if (text.size() > max_file_bytes)
            return Error{Error::Kind::config, "is larger than 1 MiB, too large for a configuration file"};
    }
}

}  // namespace holdfast::config
