#include "host/runner.hpp"

#include <errno.h>
#include <poll.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "host/confine.hpp"
#include "host/plugin_call.hpp"

namespace holdfast::host {
namespace {

constexpr Micros first_ready_retry{100'000};
constexpr Micros beat{frame::beat_us};
// A plugin that wants its next sample at once is interrupted by other duties
// this often.
constexpr Micros busy_look{1'000};
// Every sample may be too slow for its interval: they are reported together.
constexpr Micros missed_report{1'000'000};

// Those polled before what the plugin watches.
constexpr std::size_t own_descriptors = 2;

timespec to_timespec(Micros time) {
    const auto us = std::max<std::int64_t>(time.count(), 0);
    return {static_cast<time_t>(us / 1'000'000), static_cast<long>(us % 1'000'000 * 1'000)};
}

}  // namespace

Runner::Runner(const holdfast_plugin& plugin, Services& services, Outlet& outlet, const Clock& clock)
    : plugin_(plugin),
      services_(services),
      outlet_(outlet),
      clock_(clock),
      interval_(services.configuration().interval_us),
      schedule_(interval_, clock.now()) {}

void Runner::run() {
    open();
    while (state_ == State::running && !services_.has_finished() && outlet_.connected() &&
           !termination_asked())
        step();
    end();
}

void Runner::step() {
    const MonoTime now = clock_.now();
    if (schedule_.due() && *schedule_.due() <= now) sample(now);
    if (state_ == State::running && !services_.has_finished()) wait(clock_.now());
}

void Runner::end() {
    report_errors();
    report_missed(report_missed_again_);
    outlet_.flush();
    if (services_.has_finished())
        outlet_.send(frame::Finished{});
    else if (state_ == State::gone)
        outlet_.send(frame::Gone{});
    if (state_ == State::running) close();
}

void Runner::open() {
    const std::int32_t code =
        call_counted(services_, [&] { return plugin_.open(&services_.table(), &instance_); });
    if (code < 0) return outlet_.send(open_failed(services_, code));
    state_ = State::running;
    schedule_ = Schedule(interval_, clock_.now());
    if (plugin_.sample == nullptr) {
        schedule_.sample_after(Micros(-1));
        schedule_.end_event();
    }
    outlet_.send(frame::Opened{});
}

void Runner::close() {
    call_counted(services_, [&] {
        plugin_.close(instance_);
        return 0;
    });
    instance_ = nullptr;
    services_.forget_instance();
}

void Runner::sample(MonoTime now) {
    schedule_.begin_call(now);
    const std::int32_t code = call_counted(services_, [&] { return plugin_.sample(instance_); });
    if (!end_call(code)) return;
    schedule_.end_sample(is_failure(code) ? Schedule::Outcome::failed : Schedule::Outcome::well,
                         clock_.now());
    missed_ += schedule_.take_missed();
    if (is_failure(code))
        ++sample_failures_;
    else if (std::exchange(sample_failures_, 0) > 0)
        outlet_.send(frame::Beat{});
}

void Runner::ready(const pollfd& event, MonoTime now) {
    schedule_.begin_call(now);
    const auto events = static_cast<std::uint32_t>(event.revents);
    const std::int32_t code =
        call_counted(services_, [&] { return plugin_.ready(instance_, event.fd, events); });
    if (!end_call(code)) return;
    if (plugin_.sample != nullptr) schedule_.end_event();
    if (is_failure(code))
        ready_again_ = now + grown(first_ready_retry, ready_failures_++, most_retry);
    else if (std::exchange(ready_failures_, 0) > 0)
        outlet_.send(frame::Beat{});
}

bool Runner::end_call(std::int32_t code) {
    if (code == -ENODEV) {
        close();
        state_ = State::gone;
        return false;
    }
    if (const auto delay = services_.take_sample_after()) schedule_.sample_after(*delay);
    return true;
}

void Runner::report_errors() {
    if (auto errors = services_.take_errors()) outlet_.send(*std::move(errors));
}

void Runner::report_missed(MonoTime now) {
    if (missed_ == 0 || now < report_missed_again_) return;
    constexpr std::uint64_t most = std::numeric_limits<std::uint32_t>::max();
    const auto count = static_cast<std::uint32_t>(std::min(missed_, most));
    outlet_.send(frame::Missed{count});
    missed_ -= count;
    report_missed_again_ = now + missed_report;
}

MonoTime Runner::wake_time(MonoTime now) const {
    MonoTime wake = outlet_.last_sent() + beat;
    if (schedule_.due()) wake = std::min(wake, *schedule_.due());
    if (ready_again_ > now) wake = std::min(wake, ready_again_);
    return wake;
}

void Runner::wait(MonoTime now) {
    const bool busy = schedule_.due() && *schedule_.due() <= now;
    if (busy && now - last_wait_ < busy_look) return;
    last_wait_ = now;
    strays_.look(now);
    report_errors();
    report_missed(now);
    if (busy)
        outlet_.flush_stale(clock_.boot_us());
    else
        outlet_.flush();
    if (now - outlet_.last_sent() >= beat) outlet_.send(frame::Beat{});

    polled_ = {{outlet_.fd(), POLLIN, 0}, {termination_fd(), POLLIN, 0}};
    if (ready_again_ <= now)
        polled_.insert(polled_.end(), services_.watched().begin(), services_.watched().end());
    const timespec timeout = to_timespec(std::chrono::ceil<Micros>(wake_time(now) - now));
    if (::ppoll(polled_.data(), polled_.size(), &timeout, nullptr) > 0) handle_events(clock_.now());
}

void Runner::handle_events(MonoTime now) {
    if (polled_[0].revents != 0) outlet_.check_connection();
    for (std::size_t i = own_descriptors; i < polled_.size() && state_ == State::running; ++i) {
        const pollfd& event = polled_[i];
        // An earlier one may have made the plugin let go of this one.
        if (event.revents == 0 || !services_.watches(event.fd)) continue;
        if (plugin_.ready == nullptr) {
            services_.unwatch(event.fd);
            services_.count_error(ENOSYS, watches_in_vain);
        } else if ((event.revents & POLLNVAL) != 0) {
            services_.unwatch(event.fd);
            services_.count_error(EBADF, "the plugin closed a descriptor that it has the host watch");
        } else {
            ready(event, now);
        }
    }
}

}  // namespace holdfast::host
