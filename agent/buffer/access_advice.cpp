#include "buffer/access_advice.hpp"

#include <fcntl.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace holdfast {
namespace {

std::string user_name(uid_t user) {
    std::array<char, 1024> buffer{};
    struct passwd entry {};
    struct passwd* found = nullptr;
    if (::getpwuid_r(user, &entry, buffer.data(), buffer.size(), &found) == 0 && found != nullptr)
        return found->pw_name;
    return std::to_string(user);
}

std::string advice(const std::filesystem::path& path, int wanted, const char* rights) {
    if (::faccessat(AT_FDCWD, path.c_str(), wanted, AT_EACCESS) == 0 || errno == ENOENT) return {};
    const int cause = errno;
    const std::string name = path.string();
    if (cause == EROFS) return "; " + name + " is on a read-only file system: mount it writable";
    struct stat about {};
    if (::stat(path.c_str(), &about) != 0) return {};
    const std::string user = user_name(::geteuid());
    if (about.st_uid != ::geteuid() && ::geteuid() != 0)
        return "; " + name + " belongs to " + user_name(about.st_uid) + " and not to " + user + ": chown " +
               user + " " + name;
    if (cause == EPERM) return "; " + name + " may not be changed: chattr -i " + name;
    return "; " + user + " may not use " + name + ": chmod u+" + rights + " " + name;
}

}  // namespace

std::string access_advice(const std::filesystem::path& file) {
    std::string text = advice(file.parent_path(), R_OK | W_OK | X_OK, "rwx");
    for (const char* companion : {"", "-wal"})
        if (text.empty()) text = advice(file.string() + companion, R_OK | W_OK, "rw");
    return text;
}

}  // namespace holdfast
