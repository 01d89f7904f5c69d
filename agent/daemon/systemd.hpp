// What the agent says to systemd: state, watchdog, journal. The one home of <systemd/sd-daemon.h> and
// <systemd/sd-journal.h>. Without systemd (no NOTIFY_SOCKET, no journal) all of it does nothing, or goes to
// stderr.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/clock.hpp"
#include "base/log.hpp"

namespace holdfast::systemd {

void notify_ready(const std::string& status);
void notify_status(const std::string& status);
void notify_reloading();
void notify_stopping();
void feed_watchdog();

// How often the watchdog wants to be fed at the least; none: it is off.
std::optional<Micros> watchdog_interval();

// The journal with fields when stderr is connected to it (JOURNAL_STREAM), else "<level>text" lines when
// something else of systemd's reads them, else plain lines on stderr.
std::unique_ptr<Log> make_log();

}  // namespace holdfast::systemd
