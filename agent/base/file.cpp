#include "base/file.hpp"

#include <fcntl.h>

#include <cerrno>

#include "base/unique_fd.hpp"

namespace holdfast {

Result<std::string> read_file(const std::filesystem::path& file, std::size_t most) {
    const auto failed = [&](int code) {
        return system_error(Error::Kind::config, "cannot read " + file.string(), code);
    };
    const UniqueFd descriptor(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
    if (!descriptor) return failed(errno);
    std::string content;
    char part[4096];
    for (;;) {
        const ssize_t got = ::read(descriptor.get(), part, sizeof part);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return failed(errno);
        if (got == 0) return content;
        content.append(part, static_cast<std::size_t>(got));
        if (content.size() > most) return failed(EFBIG);
    }
}

Result<std::string> read_password_file(const std::filesystem::path& file, std::size_t most) {
    auto content = read_file(file, most + 1);
    if (!content) return content;
    if (content->ends_with('\n')) content->pop_back();
    if (content->size() > most)
        return system_error(Error::Kind::config, "cannot read " + file.string(), EFBIG);
    return content;
}

Result<std::string> read_password_setting(const std::string& key, const std::filesystem::path& file) {
    if (file.empty()) return std::string();
    auto password = read_password_file(file);
    if (!password)
        return Error{password.error().kind, key + ": " + password.error().text, password.error().code};
    return password;
}

}  // namespace holdfast
