#include "sensor_files.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <memory>

namespace system_input {

namespace {

constexpr std::size_t first_size = 4096;
constexpr std::size_t largest_size = 4 * 1024 * 1024;  // a file of the kernel that is larger is none of ours

}  // namespace

const std::string& SensorFiles::path(Parts parts) {
    path_.assign(root_);
    for (const std::string_view part : parts)
        path_ += part;
    return path_;
}

std::optional<std::string_view> SensorFiles::read(Parts parts) {
    const int fd = ::open(path(parts).c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) return std::nullopt;
    if (content_.size() < first_size) content_.resize(first_size);
    std::size_t size = 0;
    ssize_t got = 0;
    while ((got = ::read(fd, content_.data() + size, content_.size() - size)) > 0) {
        size += static_cast<std::size_t>(got);
        if (size == content_.size()) {
            if (size >= largest_size) break;
            content_.resize(size * 2);
        }
    }
    ::close(fd);
    if (got < 0) return std::nullopt;
    return std::string_view(content_).substr(0, size);
}

std::optional<std::string_view> SensorFiles::read_word(Parts parts) {
    const auto content = read(parts);
    if (!content) return std::nullopt;
    return content->substr(0, content->find_last_not_of(" \t\n") + 1);
}

bool SensorFiles::exists(Parts parts) {
    return ::access(path(parts).c_str(), F_OK) == 0;
}

std::vector<std::string> SensorFiles::list(std::string_view directory, std::string_view prefix) {
    std::vector<std::string> names;
    const auto close = [](DIR* opened) { ::closedir(opened); };
    const std::unique_ptr<DIR, decltype(close)> opened(::opendir(path({directory}).c_str()), close);
    if (!opened) return names;
    while (const dirent* entry = ::readdir(opened.get()))
        if (std::string_view(entry->d_name).starts_with(prefix)) names.emplace_back(entry->d_name);
    std::sort(names.begin(), names.end(), [](const std::string& a, const std::string& b) {
        return a.size() != b.size() ? a.size() < b.size() : a < b;
    });
    return names;
}

}  // namespace system_input
