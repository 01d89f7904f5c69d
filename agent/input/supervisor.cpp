#include "input/supervisor.hpp"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include <algorithm>
#include <utility>

#include "base/journal_id.hpp"

namespace holdfast {
namespace {

using namespace std::chrono_literals;

constexpr Backoff::Duration first_wait = 1s;
constexpr Backoff::Duration least_wait = 250ms;
constexpr Backoff::Duration longest_wait = 5min;
constexpr std::uint32_t failures_to_give_up = 5;
// A host that ran this long has run well.
constexpr Micros trial = 1min;
// From the news of a device until it is tried: udev grants its node meanwhile.
constexpr Micros settling = 500ms;
constexpr Micros between_hurried = 5s;
// Without a missed sample for this long, the next one is news.
constexpr Micros missed_quiet = 1h;
// What a busy machine makes an input with a short interval miss, now and then, is none.
constexpr Micros slip_quiet = 1min;
constexpr Micros least_missed_time = 1s;

Micros silence_allowed(const InputConfig& config) {
    const Micros deadline = config.deadline.value_or(std::max<Micros>(3 * config.interval, 10s));
    // A call into the plugin may begin just before a beat would have been due.
    return deadline + Micros(frame::beat_us);
}

std::string plural(std::uint64_t count, std::string_view noun) {
    return std::to_string(count) + " " + std::string(noun) + (count == 1 ? "" : "s");
}

// The errno of an open that may succeed once a device has come, or udev has granted its node.
bool is_missing_device(std::int32_t code) {
    return code == ENODEV || code == ENXIO || code == ENOENT || code == EACCES || code == EPERM;
}

std::string seconds(Micros time) {
    return std::to_string(std::chrono::ceil<std::chrono::seconds>(time).count()) + " s";
}

}  // namespace

std::string_view to_string(InputState state) {
    switch (state) {
        case InputState::running:
            return "running";
        case InputState::backing_off:
            return "backing_off";
        case InputState::failed:
            return "failed";
        case InputState::stopped:
            return "stopped";
    }
    return "stopped";
}

std::string describe_exit(int status) {
    if (WIFEXITED(status)) return "exited with code " + std::to_string(WEXITSTATUS(status));
    const char* name = ::sigabbrev_np(WTERMSIG(status));
    if (name == nullptr) return "killed by signal " + std::to_string(WTERMSIG(status));
    return std::string("killed by SIG") + name;
}

Supervisor::Supervisor(const InputConfig& config, std::uint64_t seed, Log& log, MonoTime now)
    : input_(config.name),
      plugin_(config.plugin),
      silence_(silence_allowed(config)),
      quiet_(std::max<Micros>(trial, 3 * config.interval)),
      missed_worth_saying_(
          static_cast<std::uint64_t>(std::max<std::int64_t>(least_missed_time / config.interval, 1))),
      log_(log),
      backoff_(first_wait, longest_wait, seed),
      slow_(longest_wait + longest_wait / 10, longest_wait + longest_wait / 10, seed),
      start_at_(now) {}

Supervisor::Action Supervisor::tick(MonoTime now) {
    if (phase_ == Phase::waiting && now >= start_at_) return Action::start;
    if (phase_ != Phase::up) return Action::none;
    end_trial(now);
    if (!kill_ && !paused_ && now >= silence_limit()) {
        kill_ = true;
        if (ending_.empty()) ending_ = "missed its deadline: the plugin was stuck for " + seconds(silence_);
    }
    if (!kill_) return Action::none;
    phase_ = Phase::killing;
    // It may sleep in the kernel and outlive the signal: what is wrong is shown before it ends.
    if (next_ == Next::start_again) {
        state_ = InputState::backing_off;
        last_error_ = ending_;
    }
    return Action::kill;
}

std::optional<MonoTime> Supervisor::next_tick() const {
    if (phase_ == Phase::waiting) return start_at_;
    if (phase_ != Phase::up) return std::nullopt;
    if (kill_) return heard_;
    std::optional<MonoTime> next;
    if (!paused_) next = silence_limit();
    if (host_failures_ > 0) next = std::min(next.value_or(MonoTime::max()), up_since_ + trial);
    return next;
}

void Supervisor::started(MonoTime now) {
    phase_ = Phase::up;
    up_since_ = heard_ = now;
    ending_.clear();
    crash_place_.clear();
    kill_ = out_of_memory_ = gave_readings_ = device_missing_ = device_appeared_ = false;
    restarts_ += std::exchange(ever_started_, true) ? 1 : 0;
}

void Supervisor::start_failed(const Error& error, MonoTime now) {
    fail(error.text, now);
}

void Supervisor::on_frame(const frame::FromHost& frame, MonoTime now) {
    heard_ = now;
    if (const auto* failed = std::get_if<frame::Failed>(&frame)) on(*failed, now);
    if (const auto* missed = std::get_if<frame::Missed>(&frame)) on(*missed, now);
    if (const auto* gone = std::get_if<frame::Gone>(&frame)) on(*gone);
    if (const auto* failed = std::get_if<frame::OpenFailed>(&frame)) on(*failed);
    if (const auto* restarted = std::get_if<frame::Restarted>(&frame)) on(*restarted);
    if (const auto* crashed = std::get_if<frame::Crashed>(&frame)) on(*crashed);
    if (const auto* finished = std::get_if<frame::Finished>(&frame)) on(*finished);
    if (const auto* readings = std::get_if<frame::Readings>(&frame)) on(*readings, now);
    if (std::holds_alternative<frame::Beat>(frame)) lives();
}

void Supervisor::on(const frame::Failed& failed, MonoTime now) {
    errors_ += failed.count;
    last_error_ = failed.text;
    if (failed.code == ENOMEM) out_of_memory_ = true;
    if (failed_samples_ == 0) say(LogLevel::warning, "a sample failed: " + failed.text);
    failed_samples_ += failed.count;
    last_failed_sample_ = now;
}

void Supervisor::on(const frame::Missed& missed, MonoTime now) {
    missed_ += missed.count;
    const auto quiet = last_missed_ ? now - *last_missed_ : MonoTime::duration::max();
    last_missed_ = now;
    if (quiet >= missed_quiet) missed_said_ = false;
    if (quiet >= slip_quiet) missed_unsaid_ = 0;
    missed_unsaid_ += missed.count;
    if (missed_said_ || missed_unsaid_ < missed_worth_saying_) return;
    missed_said_ = true;
    // A host tells of them with its first sample after the pause.
    const bool held_back = last_resumed_ && now - *last_resumed_ < quiet_;
    say(LogLevel::warning, "missed " + plural(missed_unsaid_, "sample") +
                               (held_back ? ", as the buffer had no room"
                                          : ", as the one before took longer than the interval"));
}

void Supervisor::on(const frame::Gone&) {
    ending_ = "lost its device: " + last_error_;
    device_missing_ = true;
    if (!gave_readings_) return;
    host_failures_ = 0;
    backoff_.reset();
}

void Supervisor::on(const frame::OpenFailed& failed) {
    ending_ = "could not open: " + failed.text;
    device_missing_ = is_missing_device(failed.code);
    if (failed.final) next_ = Next::refused;
}

void Supervisor::on(const frame::Restarted& restarted) {
    ++restarts_;
    say(LogLevel::debug, "started again what it reads from: " + restarted.reason);
}

void Supervisor::on(const frame::Crashed& crashed) {
    crash_place_ = crashed.place;
}

void Supervisor::on(const frame::Finished&) {
    ending_ = "finished";
    next_ = Next::finished;
}

void Supervisor::lives() {
    if (phase_ == Phase::up) state_ = InputState::running;
}

// Readings alone show that sampling works: while samples fail their interval
// grows, and the beats between say nothing.
void Supervisor::on(const frame::Readings&, MonoTime now) {
    lives();
    gave_readings_ = true;
    if (failed_samples_ == 0 || now - last_failed_sample_ < quiet_) return;
    say(LogLevel::info, "samples well again after " + plural(failed_samples_, "failed sample"));
    failed_samples_ = 0;
}

void Supervisor::end_trial(MonoTime now) {
    if (host_failures_ == 0 || now - up_since_ < trial) return;
    say(LogLevel::info, "runs well again after its host failed " + plural(host_failures_, "time"),
        journal_id::input_recovered);
    host_failures_ = 0;
    backoff_.reset();
}

void Supervisor::broke_protocol(const std::string& what) {
    ending_ = what;
    kill_ = true;
}

std::string Supervisor::end_in_words(int status) const {
    if (!ending_.empty()) return ending_;
    std::string words = describe_exit(status);
    if (WIFSIGNALED(status) && !crash_place_.empty()) words += " in " + crash_place_;
    if (WIFSIGNALED(status) && out_of_memory_) words += ": " + last_error_;
    return words;
}

void Supervisor::exited(int status, MonoTime now) {
    if (phase_ == Phase::over) return;
    end_trial(now);
    switch (next_) {
        case Next::start_again:
            return fail(end_in_words(status), now);
        case Next::finished:
            state_ = InputState::stopped;
            say(LogLevel::info, "has nothing more to say");
            break;
        case Next::refused:
            state_ = InputState::failed;
            last_error_ = end_in_words(status);
            say(LogLevel::error, last_error_ + "; not tried again until its configuration changes",
                journal_id::input_failed);
            break;
    }
    phase_ = Phase::over;
}

void Supervisor::fail(std::string what, MonoTime now) {
    last_error_ = std::move(what);
    ++host_failures_;
    const bool failed = host_failures_ >= failures_to_give_up;
    const Backoff::Duration wait = failed ? slow_.next(longest_wait) : backoff_.next(least_wait);
    state_ = failed ? InputState::failed : InputState::backing_off;
    phase_ = Phase::waiting;
    start_at_ = now + wait;
    if (device_appeared_) hurry(now);
    const std::string again = "; starting it again in " + seconds(wait);
    const bool said = device_missing_ && failed_samples_ > 0;  // of the sample that missed it
    if (host_failures_ == 1 && !said)
        say(LogLevel::warning, last_error_ + again, journal_id::input_failing);
    else if (host_failures_ == failures_to_give_up)
        say(LogLevel::error,
            "failed " + plural(host_failures_, "time") + " in a row, the last time: " + last_error_ +
                "; from now on tried every 5 minutes",
            journal_id::input_failed);
    else
        say(LogLevel::debug, last_error_ + again);
}

void Supervisor::device_appeared(MonoTime now) {
    device_appeared_ = true;
    if (phase_ == Phase::waiting) hurry(now);
}

void Supervisor::hurry(MonoTime now) {
    if (device_missing_)
        start_at_ = std::min(start_at_, std::max(now + settling, up_since_ + between_hurried));
}

void Supervisor::pause(MonoTime now) {
    paused_ = true;
    paused_at_ = now;
}

void Supervisor::resume(MonoTime now) {
    paused_ = false;
    heard_ += now - std::max(paused_at_, heard_);
    last_resumed_ = now;
}

void Supervisor::retire() {
    phase_ = Phase::over;
    state_ = InputState::stopped;
}

void Supervisor::say(LogLevel level, const std::string& text) const {
    log_.write(level, text, {{"INPUT", input_}, {"PLUGIN", plugin_}});
}

void Supervisor::say(LogLevel level, const std::string& text, const LogField& id) const {
    log_.write(level, text, {{"INPUT", input_}, {"PLUGIN", plugin_}, id});
}

}  // namespace holdfast
