#include "rotated.hpp"

#include <dirent.h>

#include <algorithm>
#include <memory>
#include <system_error>

namespace file_input {

namespace {

struct Sibling {
    std::string name;
    struct timespec changed {};
    Tail tail;
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
        try {
            const std::string other_path = directory + "/" + other;
            struct stat status {};
            if (::stat(other_path.c_str(), &status) == 0 && S_ISREG(status.st_mode))
                found.push_back({other.substr(name.size()), status.st_mtim, Tail(other_path)});
        } catch (const std::system_error&) {
            continue;  // gone meanwhile, or not to be read: it is looked for, no more
        }
    }
    return found;
}

}  // namespace

std::vector<Tail> rotated_since(const std::string& path, const Place& place) {
    std::vector<Sibling> siblings = siblings_of(path);
    const auto first = std::find_if(siblings.begin(), siblings.end(),
                                    [&](const Sibling& sibling) { return sibling.tail.holds(place); });
    if (first == siblings.end()) return {};
    first->tail.go_to(place);
    std::iter_swap(siblings.begin(), first);
    const struct timespec since = siblings.front().changed;
    siblings.erase(std::remove_if(siblings.begin() + 1, siblings.end(),
                                  [&](const Sibling& sibling) {
                                      return !is_numbered(sibling.name) || is_before(sibling.changed, since);
                                  }),
                   siblings.end());
    std::sort(siblings.begin() + 1, siblings.end(),
              [](const Sibling& a, const Sibling& b) { return is_before(a.changed, b.changed); });
    std::vector<Tail> tails;
    for (Sibling& sibling : siblings)
        tails.push_back(std::move(sibling.tail));
    return tails;
}

std::string directory_of(const std::string& path) {
    return path.substr(0, std::max<std::size_t>(path.rfind('/'), 1));
}

}  // namespace file_input
