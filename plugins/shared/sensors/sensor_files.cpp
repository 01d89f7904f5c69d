#include "shared/sensors/sensor_files.hpp"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <memory>

namespace sensors {

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
    const int fd = ::open(path(parts).c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    error_ = fd < 0 ? errno : 0;
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
    if (got < 0) error_ = errno;
    ::close(fd);
    if (got < 0) return std::nullopt;
    return std::string_view(content_).substr(0, size);
}

std::optional<std::string_view> SensorFiles::read_word(Parts parts) {
    const auto content = read(parts);
    if (!content) return std::nullopt;
    // Some of the kernel's files end in a NUL: current_timestamp_clock of iio does.
    constexpr std::string_view ends(" \t\n\0", 4);
    return content->substr(0, content->find_last_not_of(ends) + 1);
}

bool SensorFiles::exists(Parts parts) {
    return ::access(path(parts).c_str(), F_OK) == 0;
}

int SensorFiles::write(Parts parts, std::string_view text) {
    // Emptied first, as a plain file in place of the kernel's would keep the end of what was there.
    const int fd = ::open(path(parts).c_str(), O_WRONLY | O_TRUNC | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) return errno;
    const ssize_t written = ::write(fd, text.data(), text.size());
    const int failure = written < 0 ? errno : 0;
    ::close(fd);
    return failure;
}

std::optional<std::string> SensorFiles::link_target(Parts parts) {
    char target[PATH_MAX];
    const ssize_t length = ::readlink(path(parts).c_str(), target, sizeof target);
    if (length < 0) return std::nullopt;
    return std::string(target, static_cast<std::size_t>(length));
}

std::optional<std::string> SensorFiles::resolve(Parts parts) {
    const auto resolved = [](const std::string& name) {
        const std::unique_ptr<char, decltype(&::free)> place(::realpath(name.c_str(), nullptr), ::free);
        return place ? std::string(place.get()) : std::string();
    };
    std::string place = resolved(path(parts));
    if (place.empty()) return std::nullopt;
    const std::string root = root_.empty() ? std::string() : resolved(root_);
    if (place.starts_with(root)) place.erase(0, root.size());
    return place;
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

}  // namespace sensors
