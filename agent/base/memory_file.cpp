#include "base/memory_file.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <cerrno>
#include <string>

namespace holdfast {

Result<MemoryFile> MemoryFile::make(std::string_view content) {
    const auto failed = [] {
        return system_error(Error::Kind::retry, "cannot keep a file in memory", errno);
    };
    UniqueFd fd(::memfd_create("holdfast", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    if (!fd || ::fchmod(fd.get(), S_IRUSR | S_IWUSR) != 0) return failed();
    while (!content.empty()) {
        const ssize_t written = ::write(fd.get(), content.data(), content.size());
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) return failed();
        content.remove_prefix(static_cast<std::size_t>(written));
    }
    if (::fcntl(fd.get(), F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) != 0)
        return failed();
    return MemoryFile(std::move(fd));
}

std::filesystem::path MemoryFile::path() const {
    return "/proc/self/fd/" + std::to_string(fd_.get());
}

}  // namespace holdfast
