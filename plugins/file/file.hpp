// The `file` input: a file's content as a reading per interval, or its lines as they are added.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include <holdfast/plugin.hpp>

#include "follower.hpp"
#include "shared/lines/line_readings.hpp"

namespace file_input {

class File {
  public:
    // Throws EINVAL when a path does not begin with '/'.
    explicit File(holdfast::plugin::Host host, Clock clock = holdfast::plugin::monotonic_us);
    static void check(holdfast::plugin::Host host);
    int sample();
    void ready(int fd, std::uint32_t events);

  private:
    void read_whole();

    holdfast::plugin::Host host_;
    std::string path_;
    bool takes_lines_;  // also of a file that is read whole
    lines::LineReadings readings_;
    std::string content_;
    std::optional<Follower> follower_;  // mode `follow`
};

}  // namespace file_input
