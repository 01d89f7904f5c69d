// The `exec` input: a command's output as readings.
//
// In mode `poll`, sample() starts the command and what it prints becomes readings as it comes; a command that
// still runs at its time-out is killed with its whole group. In mode `stream` the command keeps running, and
// is started again with a growing delay when it ends. Nothing here waits: the command's pipes, its end and a
// timer are watched descriptors.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include <holdfast/plugin.hpp>

#include "child.hpp"
#include "messages.hpp"
#include "shared/lines/line_reader.hpp"
#include "shared/lines/line_readings.hpp"

namespace exec_input {

class Exec {
  public:
    static constexpr bool opens_without_device = true;
    explicit Exec(holdfast::plugin::Host host);
    int sample();
    void ready(int fd, std::uint32_t events);

  private:
    enum class Mode { poll, stream };

    void start();
    void restart();
    void schedule_restart();
    void set_timer(std::int64_t delay_us);
    void clear_timer();
    void on_timer();
    void on_end();
    enum class Got { bytes, nothing, end };
    // Reads once.
    Got read_output();
    Got read_messages();
    void drain();
    void take_line(std::string_view line);
    std::string how_it_ended(int status, const std::string& last_message) const;

    holdfast::plugin::Host host_;
    Command command_;
    Mode mode_;
    std::int64_t timeout_us_;  // 0: none
    lines::LineReadings readings_;
    Messages messages_;
    lines::LineReader lines_{lines::longest_line};
    Fd timer_;
    std::optional<Child> child_;
    std::int64_t started_us_ = 0;
    std::int64_t last_line_us_ = 0;
    bool timed_out_ = false;
    std::int64_t restart_delay_us_ = 0;
    std::string end_reason_;
};

}  // namespace exec_input
