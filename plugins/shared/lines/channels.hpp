// The channels that lines have named so far, and a line's way into a reading.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include <holdfast/plugin.hpp>

#include "shared/lines/record.hpp"

namespace lines {

class Channels {
  public:
    explicit Channels(holdfast::plugin::Host host) : host_(host) {}

    // Fills the empty reading with what the record says; views into the record. The first value of a channel
    // settles its type for good; null is a number that is not known, and is left out of channels of another
    // type. Throws LineError.
    void fill(const Record& record, holdfast::plugin::Reading& reading);

  private:
    struct Known {
        std::uint32_t type = 0;
        std::uint32_t index = 0;
        std::uint64_t last_line = 0;
    };

    template <typename T>
    void put(const std::string& name, T value, holdfast::plugin::Reading& reading);
    void put_null(const std::string& name, holdfast::plugin::Reading& reading);

    holdfast::plugin::Host host_;
    std::map<std::string, Known> known_;
    std::uint64_t line_ = 0;
};

}  // namespace lines
