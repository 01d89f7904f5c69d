// Runs one plugin on its schedule: opens it, samples it, tells it of
// descriptors that are ready, closes it when its device went away.
// Everything a host does happens on this one thread.
//
// The daemon gets a frame at least every frame::beat_us while no call into the
// plugin is under way; a plugin that is stuck is found by that silence.
#pragma once

#include "holdfast/plugin.h"
#include "host/outlet.hpp"
#include "host/schedule.hpp"
#include "host/services.hpp"
#include "host/stray_reaper.hpp"

namespace holdfast::host {

class Runner {
  public:
    Runner(const holdfast_plugin& plugin, Services& services, Outlet& outlet, const Clock& clock);

    // Until the plugin has finished, can't be opened or has lost its device, the
    // daemon has gone, or SIGTERM asked for the end.
    void run();

  private:
    enum class State { running, gone, ended };

    void open();
    void close();
    void sample(MonoTime now);
    void ready(const pollfd& event, MonoTime now);
    // After sample or ready: takes over what the plugin asked for. False when the
    // instance is no more.
    bool end_call(std::int32_t code);
    void step();
    void end();

    void report_errors();
    void report_missed(MonoTime now);
    MonoTime wake_time(MonoTime now) const;
    // Sends what is due, then waits for the socket and the watched descriptors
    // until wake_time().
    void wait(MonoTime now);
    void handle_events(MonoTime now);

    const holdfast_plugin& plugin_;
    Services& services_;
    Outlet& outlet_;
    const Clock& clock_;
    const Micros interval_;

    void* instance_ = nullptr;
    State state_ = State::ended;
    Schedule schedule_;
    StrayReaper strays_;
    MonoTime last_wait_{};
    std::vector<pollfd> polled_;  // the socket, the end asked for, then what the plugin watches

    // Failures in a row, and until when the failing thing is left alone.
    std::uint32_t sample_failures_ = 0;
    std::uint32_t ready_failures_ = 0;
    MonoTime ready_again_{};

    std::uint64_t missed_ = 0;  // samples that fell out and were not reported yet
    MonoTime report_missed_again_{};
};

}  // namespace holdfast::host
