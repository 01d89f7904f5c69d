// The kernel's files below the sensor root. One buffer serves all: what read() returns is valid until the
// next read().
//
// Files are opened for each read. That is what makes devices that come and go harmless, and costs
// microseconds. A file that would make a reader wait (a pipe in a tree put in place of /sys) is EAGAIN.
#pragma once

#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sensors {

using Parts = std::initializer_list<std::string_view>;

class SensorFiles {
  public:
    explicit SensorFiles(std::string root) : root_(std::move(root)) {}

    // Whether the files are those of this very system and not a tree put in their place.
    bool is_live() const { return root_.empty(); }
    // The parts joined, with the root before them; valid until the next call of any function here.
    const std::string& path(Parts parts);
    // The same to keep, as a text that names two of them has to.
    std::string name_of(Parts parts) { return path(parts); }
    // The whole file; none when it can't be opened or read: error() says why, as errno does.
    std::optional<std::string_view> read(Parts parts);
    // The same without white space at the end: a file of one value.
    std::optional<std::string_view> read_word(Parts parts);
    int error() const { return error_; }
    bool exists(Parts parts);
    // Replaces what is in the file, which must be there. 0, or the errno.
    int write(Parts parts, std::string_view text);
    // Where a symbolic link leads, as it is written; none when it is no link.
    std::optional<std::string> link_target(Parts parts);
    // The file's place with all links followed, without the root; none when there is no such file.
    std::optional<std::string> resolve(Parts parts);
    // Names in the directory that begin with `prefix`, shorter ones first, so that hwmon2 stands before
    // hwmon10.
    std::vector<std::string> list(std::string_view directory, std::string_view prefix);

  private:
    std::string root_;
    std::string path_;
    std::string content_;
    int error_ = 0;
};

}  // namespace sensors
