#include "rotated.hpp"

#include <dirent.h>
#include <errno.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <system_error>

namespace file_input {

namespace {

struct Sibling {
    std::string path;
    std::string ending;  // that its name has more
    struct timespec changed {};
    std::uint64_t inode = 0;
};

bool is_before(const struct timespec& a, const struct timespec& b) {
    return a.tv_sec != b.tv_sec ? a.tv_sec < b.tv_sec : a.tv_nsec < b.tv_nsec;
}

// What is rotated is called so: "log.1", "log-20261130", "log.2026-11-30_12". "log.gz" and "log.bak" are
// not.
bool is_numbered(std::string_view ending) {
    return ending.size() > 1 && ending.find_first_not_of("0123456789.-_") == std::string_view::npos;
}

std::vector<Sibling> siblings_of(const std::string& path) {
    std::vector<Sibling> found;
    const std::string directory = directory_of(path);
    const std::string name = path.substr(path.rfind('/') + 1);
    const auto close = [](DIR* opened) { ::closedir(opened); };
    const std::unique_ptr<DIR, decltype(close)> opened(::opendir(directory.c_str()), close);
    if (!opened) return found;
    while (const dirent* entry = ::readdir(opened.get())) {
        const std::string other = entry->d_name;
        if (other == name || !other.starts_with(name)) continue;
        const std::string other_path = directory + "/" + other;
        struct stat status {};
        if (::stat(other_path.c_str(), &status) == 0 && S_ISREG(status.st_mode))
            found.push_back({other_path, other.substr(name.size()), status.st_mtim, status.st_ino});
    }
    return found;
}

// None when it is gone meanwhile, or not to be read: it is looked for, no more.
std::optional<Tail> open(const Sibling& sibling) {
    try {
        return Tail(sibling.path);
    } catch (const std::system_error& error) {
        if (error.code().value() == EMFILE || error.code().value() == ENFILE) throw;
        return std::nullopt;
    }
}

}  // namespace

// Years of old logs may lie there, more than a process may have open.
std::vector<Tail> rotated_since(const std::string& path, const Place& place) {
    std::vector<Sibling> siblings = siblings_of(path);
    std::vector<Tail> tails;
    struct timespec since {};
    for (const Sibling& sibling : siblings) {
        if (sibling.inode != place.inode) continue;
        auto tail = open(sibling);
        if (!tail || !tail->holds(place)) continue;
        tail->go_to(place);
        tails.push_back(*std::move(tail));
        since = sibling.changed;
        break;
    }
    if (tails.empty()) return tails;
    std::erase_if(siblings, [&](const Sibling& sibling) {
        return sibling.inode == place.inode || !is_numbered(sibling.ending) ||
               is_before(sibling.changed, since);
    });
    std::sort(siblings.begin(), siblings.end(),
              [](const Sibling& a, const Sibling& b) { return is_before(a.changed, b.changed); });
    for (const Sibling& sibling : siblings)
        if (auto tail = open(sibling)) tails.push_back(*std::move(tail));
    return tails;
}

std::string directory_of(const std::string& path) {
    return path.substr(0, std::max<std::size_t>(path.rfind('/'), 1));
}

}  // namespace file_input
