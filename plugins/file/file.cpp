#include "file.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include "shared/lines/line_reader.hpp"
#include "shared/lines/text.hpp"

namespace file_input {

namespace plugin = holdfast::plugin;

namespace {

constexpr std::size_t largest_whole = 1024 * 1024;

std::string checked_path(const plugin::Host& host, const char* option) {
    std::string path = host.text(option);
    if (!path.starts_with('/'))
        plugin::fail(EINVAL, std::string(option) + ": '" + path + "' does not begin with '/'");
    for (const std::string_view top : {"/sys/", "/proc/", "/dev/"})
        if (path.starts_with(top)) return host.sensor_root() + path;
    return path;
}

Follower::Settings follower_settings(const plugin::Host& host) {
    Follower::Settings settings;
    settings.path = checked_path(host, "path");
    if (!host.text("position_file").empty()) settings.position_file = checked_path(host, "position_file");
    settings.from_beginning = host.text("start") == "beginning";
    return settings;
}

// The file as it is now, but no more than largest_whole bytes and one.
void read_file(const std::string& path, std::string& content) {
    // A pipe would make the reader wait.
    const device::Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
    if (fd.get() < 0) plugin::fail(errno, "cannot open " + path);
    content.clear();
    for (;;) {
        const std::size_t size = content.size();
        content.resize(size + 4096);
        const ssize_t got = ::read(fd.get(), content.data() + size, content.size() - size);
        if (got < 0) plugin::fail(errno, "cannot read " + path);
        content.resize(size + static_cast<std::size_t>(got));
        if (got == 0 || content.size() > largest_whole) return;
    }
}

}  // namespace

File::File(plugin::Host host, Clock clock)
    : host_(host),
      path_(checked_path(host, "path")),
      takes_lines_(host.text("format") == "influx"),
      readings_(host, host.text("format")) {
    if (host.text("mode") == "follow") follower_.emplace(host, follower_settings(host), readings_, clock);
}

void File::check(plugin::Host host) {
    checked_path(host, "path");
    if (host.text("mode") == "follow") follower_settings(host);
}

int File::sample() {
    if (!follower_) {
        read_whole();
        return 0;
    }
    const std::uint64_t before = follower_->lines();
    follower_->look();
    return follower_->lines() == before ? -EAGAIN : 0;
}

void File::ready(int, std::uint32_t) {
    follower_->on_change();
}

void File::read_whole() {
    read_file(path_, content_);
    if (content_.size() > largest_whole) plugin::fail(EFBIG, path_ + " is larger than 1 MiB");
    while (!content_.empty() && (content_.back() == '\n' || content_.back() == '\r'))
        content_.pop_back();
    if (content_.empty()) plugin::fail(ENODATA, path_ + " is empty");
    if (takes_lines_) {
        const auto take = [this](std::string_view line) { readings_.take(line); };
        lines::LineReader reader(lines::longest_line);
        reader.feed(content_, take, [this] { host_.error(lines::line_too_long); });
        return reader.finish(take);
    }
    try {
        readings_.emit(content_);
    } catch (const lines::LineError& error) {
        plugin::fail(EBADMSG, path_ + ": " + lines::printable(error.what(), 512));
    }
}

}  // namespace file_input
