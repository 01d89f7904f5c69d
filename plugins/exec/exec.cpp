#include "exec.hpp"

#include <poll.h>
#include <string.h>
#include <sys/timerfd.h>
#include <sys/wait.h>

#include <algorithm>

namespace exec_input {

namespace plugin = holdfast::plugin;

namespace {

constexpr std::int64_t first_restart_us = 1'000'000;
constexpr std::int64_t slowest_restart_us = 300'000'000;
constexpr std::int64_t good_run_us = 60'000'000;  // after one this long, the delay begins anew

std::string milliseconds(std::int64_t us) {
    return std::to_string(us / 1000) + " ms";
}

}  // namespace

Exec::Exec(plugin::Host host)
    : host_(host),
      command_{host.list("command"), host.map("environment")},
      mode_(host.text("mode") == "stream" ? Mode::stream : Mode::poll),
      timeout_us_(host.duration_us("timeout")),
      readings_(host, host.text("format")),
      messages_(host),
      timer_(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK)) {
    if (command_.arguments.empty() || command_.arguments.front().empty())
        plugin::fail(EINVAL, "command: names no program");
    for (const auto& [name, value] : command_.environment)
        if (name.empty() || name.find('=') != std::string::npos)
            plugin::fail(EINVAL, "environment: '" + name + "' cannot be a variable's name");
    if (timeout_us_ == 0 && mode_ == Mode::poll) timeout_us_ = host.interval_us();
    if (timer_.get() < 0) plugin::fail(errno, "cannot make a timer");
    host_.watch(timer_.get(), POLLIN);
}

int Exec::sample() {
    if (mode_ == Mode::stream) {
        host_.never_sample_again();
        restart();
        return 0;
    }
    if (child_) return -EAGAIN;
    start();
    return 0;
}

void Exec::start() {
    child_.emplace(command_);
    started_us_ = last_line_us_ = plugin::monotonic_us();
    timed_out_ = false;
    host_.watch(child_->output(), POLLIN);
    host_.watch(child_->messages(), POLLIN);
    host_.watch(child_->end(), POLLIN);
    if (timeout_us_ > 0) set_timer(timeout_us_);
}

void Exec::restart() {
    const bool first = restart_delay_us_ == 0;
    if (!first) host_.restarted(end_reason_);
    try {
        start();
    } catch (const std::exception& error) {
        end_reason_ = error.what();
        host_.error(end_reason_);
        schedule_restart();
    }
}

void Exec::schedule_restart() {
    restart_delay_us_ = std::clamp(restart_delay_us_ * 2, first_restart_us, slowest_restart_us);
    set_timer(restart_delay_us_);
}

void Exec::set_timer(std::int64_t delay_us) {
    itimerspec when{};
    when.it_value.tv_sec = static_cast<time_t>(delay_us / 1'000'000);
    when.it_value.tv_nsec = static_cast<long>(std::max<std::int64_t>(delay_us % 1'000'000, 1) * 1000);
    ::timerfd_settime(timer_.get(), 0, &when, nullptr);
}

void Exec::clear_timer() {
    const itimerspec never{};
    ::timerfd_settime(timer_.get(), 0, &never, nullptr);
}

void Exec::ready(int fd, std::uint32_t) {
    if (fd == timer_.get()) return on_timer();
    // One poll may report several descriptors of a command whose end the first of them told.
    if (!child_) return;
    if (fd == child_->end()) return on_end();
    const Got got = fd == child_->output() ? read_output() : read_messages();
    if (got == Got::end) host_.unwatch(fd);
}

void Exec::on_timer() {
    std::uint64_t expired = 0;
    if (::read(timer_.get(), &expired, sizeof expired) < 0) return;
    if (!child_) return restart();
    // While the agent held this input back, lines may have waited in the pipe.
    if (mode_ == Mode::stream) read_output();
    const std::int64_t since_us = mode_ == Mode::poll ? started_us_ : last_line_us_;
    const std::int64_t left_us = since_us + timeout_us_ - plugin::monotonic_us();
    if (left_us > 0) return set_timer(left_us);
    timed_out_ = true;
    child_->kill_group();
}

void Exec::on_end() {
    for (const int fd : {child_->output(), child_->messages(), child_->end()})
        host_.unwatch(fd);
    const int status = child_->reap();
    drain();
    child_.reset();
    const std::string last_message = messages_.finish(plugin::monotonic_us());
    const bool failed = timed_out_ || status != 0;
    end_reason_ = how_it_ended(status, last_message);
    if (failed) host_.error(end_reason_);
    if (mode_ == Mode::poll) return clear_timer();
    if (plugin::monotonic_us() - started_us_ >= good_run_us) restart_delay_us_ = 0;
    schedule_restart();
}

// What the pipes still hold; bounded, as someone who left the group may go on writing.
void Exec::drain() {
    constexpr int most_reads = 64;
    for (int i = 0; i < most_reads && read_output() == Got::bytes; ++i) {
    }
    for (int i = 0; i < most_reads && read_messages() == Got::bytes; ++i) {
    }
    if (timed_out_)
        lines_.clear();  // cut off in the middle
    else
        lines_.finish([this](std::string_view line) { take_line(line); });
}

Exec::Got Exec::read_output() {
    char buffer[16 * 1024];
    const ssize_t got = ::read(child_->output(), buffer, sizeof buffer);
    if (got < 0) return Got::nothing;
    lines_.feed(
        {buffer, static_cast<std::size_t>(got)}, [this](std::string_view line) { take_line(line); },
        [this] { host_.error(lines::line_too_long); });
    return got == 0 ? Got::end : Got::bytes;
}

Exec::Got Exec::read_messages() {
    char buffer[4 * 1024];
    const ssize_t got = ::read(child_->messages(), buffer, sizeof buffer);
    if (got < 0) return Got::nothing;
    messages_.feed({buffer, static_cast<std::size_t>(got)}, plugin::monotonic_us());
    return got == 0 ? Got::end : Got::bytes;
}

void Exec::take_line(std::string_view line) {
    last_line_us_ = plugin::monotonic_us();
    readings_.take(line);
}

std::string Exec::how_it_ended(int status, const std::string& last_message) const {
    std::string text = "the command ended";
    if (timed_out_)
        text = (mode_ == Mode::poll ? "the command took longer than " : "the command printed no line for ") +
               milliseconds(timeout_us_) + " and was killed";
    else if (WIFSIGNALED(status))
        text = std::string("the command was ended by signal ") + std::to_string(WTERMSIG(status)) + " (" +
               ::strsignal(WTERMSIG(status)) + ")";
    else if (WEXITSTATUS(status) != 0)
        text = "the command ended with exit status " + std::to_string(WEXITSTATUS(status));
    return last_message.empty() ? text : text + ": " + last_message;
}

}  // namespace exec_input
