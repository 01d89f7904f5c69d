#include "position.hpp"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/file.h>

#include <holdfast/plugin.hpp>

#include "shared/sensors/text.hpp"

namespace file_input {

namespace plugin = holdfast::plugin;

namespace {

constexpr std::string_view opening = "holdfast file position 1 ";
constexpr char settled = '.';
constexpr char taking = 'r';

bool take_number(std::string_view& text, int base, std::uint64_t& number) {
    const auto taken = sensors::to_number<std::uint64_t>(sensors::take_until(text, ' '), base);
    number = taken.value_or(0);
    return taken.has_value();
}

}  // namespace

std::string encode(const Place& place, char state) {
    char text[128];
    const int length = std::snprintf(text, sizeof text,
                                     "%.*s%020" PRIu64 " %020" PRIu64 " %03" PRIu64 " %016" PRIx64 " %c\n",
                                     static_cast<int>(opening.size()), opening.data(), place.inode,
                                     place.offset, place.head_length, place.head_hash, state);
    return {text, static_cast<std::size_t>(length)};
}

std::optional<std::pair<Place, char>> decode(std::string_view text) {
    if (!text.starts_with(opening)) return std::nullopt;
    text.remove_prefix(opening.size());
    Place place;
    if (!take_number(text, 10, place.inode) || !take_number(text, 10, place.offset) ||
        !take_number(text, 10, place.head_length) || !take_number(text, 16, place.head_hash))
        return std::nullopt;
    const bool whole = text.size() == 2 && (text[0] == settled || text[0] == taking) && text[1] == '\n';
    constexpr std::uint64_t furthest = std::uint64_t{1} << 62;
    if (!whole || place.offset > furthest || place.head_length > 256) return std::nullopt;
    return std::pair(place, text[0]);
}

PositionFile::PositionFile(const std::string& path, Use use)
    : path_(path),
      use_(use),
      fd_(::open(path.c_str(),
                 (use == Use::keep ? O_RDWR | O_CREAT : O_RDONLY) | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK,
                 0600)) {
    if (fd_.get() < 0 && use == Use::look && errno == ENOENT) return;
    if (fd_.get() < 0) plugin::fail(errno, "position_file: cannot open " + path);
    if (use == Use::keep && ::flock(fd_.get(), LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK) plugin::fail(errno, "position_file: cannot lock " + path);
        plugin::fail(EBUSY, "position_file: " + path +
                                " is in use: by another input (each needs one of its own), or by the agent");
    }
}

PositionFile::Kept PositionFile::load() {
    if (fd_.get() < 0) return {};
    char text[256];
    const ssize_t got = ::pread(fd_.get(), text, sizeof text, 0);
    if (got < 0) plugin::fail(errno, "position_file: cannot read " + path_);
    if (got == 0) return {};
    const auto decoded = decode({text, static_cast<std::size_t>(got)});
    if (!decoded) return {.place = {}, .interrupted = false, .damaged = true};
    place_ = decoded->first;
    taking_ = decoded->second == taking;
    return {.place = place_, .interrupted = taking_, .damaged = false};
}

void PositionFile::begin() {
    if (std::exchange(taking_, true) || !place_) return;
    write();
}

void PositionFile::save(const Place& place) {
    if (place_ == place && !taking_) return;
    place_ = place;
    taking_ = false;
    write();
}

void PositionFile::write() {
    if (use_ == Use::look) return;
    const std::string text = encode(*place_, taking_ ? taking : settled);
    const ssize_t written = ::pwrite(fd_.get(), text.data(), text.size(), 0);
    const bool whole = written == static_cast<ssize_t>(text.size());
    if (!whole || ::ftruncate(fd_.get(), written) != 0)
        plugin::fail(whole || written < 0 ? errno : ENOSPC, "position_file: cannot write " + path_);
}

}  // namespace file_input
