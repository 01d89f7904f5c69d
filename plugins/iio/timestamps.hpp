// The kernel's time of a scan: on which clock it is, and what was lost between two of them.
#pragma once

#include <time.h>

#include <cstdint>
#include <optional>
#include <string_view>

namespace iio_input {

// The clock by its name in current_timestamp_clock; none when the name is not known.
std::optional<clockid_t> clock_of(std::string_view name);

// Scans that are missing between timestamps, as the rate says how many there must be.
class LostScans {
  public:
    // Scans a second; 0: not known, and nothing is found missing.
    explicit LostScans(double frequency) : period_ns_(frequency > 0 ? 1e9 / frequency : 0) {}
    // How many are missing before the one of this time.
    std::int64_t before(std::int64_t timestamp_ns);

  private:
    double period_ns_;
    std::optional<std::int64_t> last_ns_;
};

}  // namespace iio_input
