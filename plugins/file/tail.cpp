#include "tail.hpp"

#include <errno.h>
#include <fcntl.h>

#include <algorithm>

#include <holdfast/plugin.hpp>

namespace file_input {

namespace plugin = holdfast::plugin;

namespace {

constexpr std::uint64_t head_size = 256;

// FNV-1a of 64 bits.
std::uint64_t hash(std::string_view bytes) {
    std::uint64_t value = 0xcbf29ce484222325U;
    for (const char byte : bytes)
        value = (value ^ static_cast<unsigned char>(byte)) * 0x100000001b3U;
    return value;
}

struct stat status_of(int fd) {
    struct stat status {};
    if (::fstat(fd, &status) != 0) plugin::fail(errno, "cannot look at the file");
    return status;
}

}  // namespace

Tail::Tail(const std::string& path)
    : fd_(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)) {
    if (fd_.get() < 0) plugin::fail(errno, "cannot open " + path);
    const struct stat status = status_of(fd_.get());
    if (!S_ISREG(status.st_mode))
        plugin::fail(ENOTSUP,
                     path + " is no regular file, and can't be followed (a program can, by the exec input)");
    device_ = status.st_dev;
    inode_ = status.st_ino;
}

bool Tail::holds(const Place& place) const {
    return inode_ == place.inode &&
           static_cast<std::uint64_t>(status_of(fd_.get()).st_size) >= place.offset &&
           hash(read_head(place.head_length)) == place.head_hash;
}

void Tail::go_to(const Place& place) {
    offset_ = taken_ = place.offset;
    head_ = read_head(place.head_length);
    at_end_ = false;
    lines_.clear();
}

std::uint64_t Tail::go_to_end() {
    std::uint64_t end = static_cast<std::uint64_t>(status_of(fd_.get()).st_size);
    // A line that is being written counts as new: it is read whole.
    std::string last(static_cast<std::size_t>(std::min<std::uint64_t>(end, lines::longest_line)), '\0');
    const ssize_t got = ::pread(fd_.get(), last.data(), last.size(), static_cast<off_t>(end - last.size()));
    if (got == static_cast<ssize_t>(last.size()))
        if (const std::size_t line_end = last.rfind('\n');
            line_end != std::string::npos || end == last.size())
            end -= last.size() - (line_end + 1);  // npos + 1 is 0
    go_to({0, end, 0, 0});
    return end;
}

Tail::Change Tail::look_for_change() {
    Change change = Change::none;
    if (static_cast<std::uint64_t>(status_of(fd_.get()).st_size) < offset_)
        change = Change::truncated;
    else if (read_head(head_.size()) != head_)
        change = Change::replaced;
    if (change != Change::none) go_to({});
    return change;
}

std::size_t Tail::read(std::size_t most, const OnLine& line, const std::function<void()>& too_long) {
    char buffer[16 * 1024];
    const ssize_t got =
        ::pread(fd_.get(), buffer, std::min(most, sizeof buffer), static_cast<off_t>(offset_));
    if (got < 0) plugin::fail(errno, "cannot read the file");
    at_end_ = got == 0;
    const std::string_view bytes(buffer, static_cast<std::size_t>(got));
    const std::size_t last_end = bytes.rfind('\n');
    lines_.feed(bytes, line, too_long);
    if (last_end != std::string_view::npos) taken_ = offset_ + last_end + 1;
    offset_ += bytes.size();
    return bytes.size();
}

void Tail::finish(const OnLine& line) {
    lines_.finish(line);
    taken_ = offset_;
}

Place Tail::place() {
    if (const std::uint64_t length = std::min(taken_, head_size); head_.size() < length)
        head_ = read_head(length);
    return {inode_, taken_, head_.size(), hash(head_)};
}

// Shorter when the file is.
std::string Tail::read_head(std::uint64_t length) const {
    std::string head(static_cast<std::size_t>(std::min(length, head_size)), '\0');
    const ssize_t got = ::pread(fd_.get(), head.data(), head.size(), 0);
    head.resize(static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
    return head;
}

}  // namespace file_input
