// What the command says on stderr: into the log, but no more than a healthy program would say.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <holdfast/plugin.hpp>

#include "shared/lines/line_reader.hpp"

namespace exec_input {

class Messages {
  public:
    explicit Messages(holdfast::plugin::Host host) : host_(host) {}

    // At most twenty lines a minute are logged; how many were not is said in the minute that follows.
    void feed(std::string_view bytes, std::int64_t now_us);
    // The command has ended. Returns its last line, fit to be shown; empty when it said nothing.
    std::string finish(std::int64_t now_us);

  private:
    void take_line(std::string_view line, std::int64_t now_us);
    void begin_minute(std::int64_t now_us);

    static constexpr std::size_t longest = 4096;

    holdfast::plugin::Host host_;
    lines::LineReader lines_{longest};
    std::string last_;
    std::int64_t minute_us_ = 0;  // when the minute began
    int logged_ = 0;
    int left_out_ = 0;
};

}  // namespace exec_input
