// Decides when the host of one input is started, killed and given up, and what
// is said about it. Passive: told what happened and what time it is; tick()
// answers what to do.
//
// A failing input is logged when its trouble begins, when it is declared
// failed, and when it has run well for a minute again; the attempts between are
// counted. A device that is lost after it gave readings is one failed sample, and
// is looked for again as if it were for the first time. Missed samples are counted too, and logged when a
// second's worth was missed and that was not said in the hour before.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/backoff.hpp"
#include "base/clock.hpp"
#include "base/log.hpp"
#include "base/result.hpp"
#include "input/inputs.hpp"
#include "model/frame.hpp"

namespace holdfast {

// How a process ended, in words: "exited with code 3", "killed by SIGSEGV".
// `status` as waitpid(2) has it.
std::string describe_exit(int status);

class Supervisor {
  public:
    enum class Action { none, start, kill };

    // `seed` for the jitter of its waits.
    Supervisor(const InputConfig& config, std::uint64_t seed, Log& log, MonoTime now);

    // What to do now, once: the host is to be started, or is to be killed (its
    // exit is awaited then).
    Action tick(MonoTime now);
    // When tick() is to be called again; none: after the next event.
    std::optional<MonoTime> next_tick() const;

    // The answer to Action::start.
    void started(MonoTime now);
    void start_failed(const Error& error, MonoTime now);

    // What came from the host.
    void on_frame(const frame::FromHost& frame, MonoTime now);
    // It sent what it may not: it is killed at the next tick.
    void broke_protocol(const std::string& what);
    // It ended. Everything that it had sent has been taken in.
    void exited(int status, MonoTime now);

    // Nothing is read from the host meanwhile, so that this time does not count for its silence; what was
    // before does, or a host that hangs would be left alone by a buffer that is full every now and then.
    void pause(MonoTime now);
    void resume(MonoTime now);
    // A device may have come. If this input's was missing when it was last looked for, or is being looked for
    // now, it is tried again half a second later, but not sooner than 5 s after the last time: what comes
    // with a device, and a storm of such news, is one attempt.
    void device_appeared(MonoTime now);
    // The agent ends this input: its exit is no failure, and it is not started
    // again.
    void retire();

    InputState state() const { return state_; }
    const std::string& last_error() const { return last_error_; }
    std::uint64_t errors() const { return errors_; }
    std::uint64_t missed() const { return missed_; }
    std::uint64_t restarts() const { return restarts_; }

  private:
    enum class Phase {
        waiting,  // for start_at_
        up,       // the host runs
        killing,  // it was killed; its exit is awaited
        over,     // no host, and none will be started
    };

    void on(const frame::Failed& failed, MonoTime now);
    void on(const frame::Missed& missed, MonoTime now);
    void on(const frame::Gone& gone);
    void on(const frame::OpenFailed& failed);
    void on(const frame::Restarted& restarted);
    void on(const frame::Crashed& crashed);
    void on(const frame::Finished& finished);
    void on(const frame::Readings& readings, MonoTime now);
    void lives();
    std::string end_in_words(int status) const;
    void fail(std::string what, MonoTime now);
    void hurry(MonoTime now);
    void end_trial(MonoTime now);
    MonoTime silence_limit() const { return heard_ + silence_; }
    void say(LogLevel level, const std::string& text) const;
    void say(LogLevel level, const std::string& text, const LogField& id) const;

    const std::string input_;
    const std::string plugin_;
    const Micros silence_;                     // a host that says nothing for this long is stuck
    const Micros quiet_;                       // without a failed sample for this long, readings show
                                               // that the trouble is over
    const std::uint64_t missed_worth_saying_;  // a second's worth of samples, at least one
    Log& log_;
    Backoff backoff_;
    Backoff slow_;  // for an input that has failed

    Phase phase_ = Phase::waiting;
    InputState state_ = InputState::running;
    MonoTime start_at_;
    MonoTime up_since_{};
    MonoTime heard_{};
    bool paused_ = false;
    MonoTime paused_at_{};
    bool ever_started_ = false;
    std::string crash_place_;  // as its host told it, dying
    std::string ending_;       // why the host ends, when that is known before it does
    bool kill_ = false;        // at the next tick
    bool out_of_memory_ = false;
    bool gave_readings_ = false;    // since it was started
    bool device_missing_ = false;   // when it was last looked for
    bool device_appeared_ = false;  // since it was last looked for
    enum class Next { start_again, refused, finished } next_ = Next::start_again;  // once the host has ended

    std::uint32_t host_failures_ = 0;   // in a row
    std::uint64_t failed_samples_ = 0;  // in this episode
    MonoTime last_failed_sample_{};
    std::uint64_t errors_ = 0;
    std::uint64_t missed_ = 0;
    std::optional<MonoTime> last_missed_;
    std::uint64_t missed_unsaid_ = 0;  // lately
    bool missed_said_ = false;         // in this episode
    std::optional<MonoTime> last_resumed_;
    std::uint64_t restarts_ = 0;
    std::string last_error_;
};

}  // namespace holdfast
