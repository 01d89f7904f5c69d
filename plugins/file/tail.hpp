// A file that grows, and how far it was read. It stays the same file whatever becomes of its name.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "shared/device/fd.hpp"
#include "shared/lines/line_reader.hpp"
#include "shared/lines/line_readings.hpp"

namespace file_input {

// Where in which file: what is kept over restarts. A file is known again by its inode and by its first bytes,
// as a file system gives the inode of a file that was deleted to the next one. The device is no part of it: a
// disk may come back with another number.
struct Place {
    std::uint64_t inode = 0;
    std::uint64_t offset = 0;  // of the first line not taken yet
    std::uint64_t head_length = 0;
    std::uint64_t head_hash = 0;

    bool operator==(const Place&) const = default;
};

class Tail {
  public:
    // Opens the file to be read from its beginning. Throws with the reason when it can't be opened, or is no
    // regular file.
    explicit Tail(const std::string& path);

    bool is_same_file(const struct stat& other) const {
        return device_ == other.st_dev && inode_ == other.st_ino;
    }
    std::uint64_t inode() const { return inode_; }
    // Whether the place is in this file as it is now.
    bool holds(const Place& place) const;
    void go_to(const Place& place);
    // To the first line that is not whole yet. Returns its offset.
    std::uint64_t go_to_end();

    // What has become of the file since the last look: it is shorter, or has another beginning. It is read
    // from its beginning then.
    enum class Change { none, truncated, replaced };
    Change look_for_change();

    // Reads at most `most` bytes. Calls line(text) for each whole line, and too_long(). Throws when reading
    // fails. Returns the count of bytes read: 0 at the end.
    using OnLine = std::function<void(std::string_view)>;
    std::size_t read(std::size_t most, const OnLine& line, const std::function<void()>& too_long);
    bool is_at_end() const { return at_end_; }
    // More may have been added since it was at its end.
    void look_again() { at_end_ = false; }
    // Nothing will be added any more: the last line counts as whole.
    void finish(const OnLine& line);

    Place place();

    int watch = -1;              // of Notices; the follower's
    std::int64_t until_us = -1;  // when it is left for good; the follower's

  private:
    std::string read_head(std::uint64_t length) const;

    device::Fd fd_;
    dev_t device_ = 0;
    ino_t inode_ = 0;
    std::uint64_t offset_ = 0;  // of the next byte to read
    std::uint64_t taken_ = 0;   // behind the last whole line
    std::string head_;          // the file's first bytes, of those taken
    bool at_end_ = false;
    lines::LineReader lines_{lines::longest_line};
};

}  // namespace file_input
