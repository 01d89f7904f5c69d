// Says in the log that the broker refuses an input's messages: the first time, then with a count at most once
// an hour.
//
// Passive; the forwarder owns it.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "base/clock.hpp"
#include "base/log.hpp"

namespace holdfast {

class Refusals {
  public:
    explicit Refusals(Log& log) : log_(log) {}
    void add(const std::string& input, std::uint64_t readings, const std::string& why, MonoTime now);

  private:
    struct Episode {
        std::uint64_t messages = 0;  // not yet in the log
        std::uint64_t readings = 0;
        MonoTime logged_at{};
    };
    Log& log_;
    std::map<std::string, Episode> episodes_;  // by input
};

}  // namespace holdfast
