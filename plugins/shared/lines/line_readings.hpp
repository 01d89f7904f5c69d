// From a line to a reading that the agent has: what inputs of lines do with each.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include <holdfast/plugin.hpp>

#include "shared/lines/channels.hpp"
#include "shared/lines/record.hpp"

namespace lines {

inline constexpr std::size_t longest_line = std::size_t{64} * 1024;
inline constexpr const char* line_too_long = "a line of more than 64 KiB";

class LineReadings {
  public:
    // `format` is one of "json", "influx" and "value", as the descriptor's choices have it.
    LineReadings(holdfast::plugin::Host host, const std::string& format);

    // Emits what the line says, which may be nothing. Throws LineError when it does not parse or its values
    // do not fit, and std::system_error when the agent does not take the reading.
    void emit(std::string_view line);
    // The same; a line that fails is one error, and no more than that.
    void take(std::string_view line);

  private:
    holdfast::plugin::Host host_;
    Parser parse_;
    Channels channels_;
    Record record_;
    holdfast::plugin::Reading reading_;
};

}  // namespace lines
