#include "simulator.hpp"

#include <sys/random.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <numbers>

namespace simulator {

namespace plugin = holdfast::plugin;

namespace {

constexpr std::int64_t burst = 4096;  // readings per call at most, so that the host sees to its other duties
constexpr std::int64_t catch_up_us = 1'000'000;   // what is later than this is not caught up
constexpr std::int64_t shortest_wait_us = 1'000;  // above a thousand readings a second, several share a call
constexpr std::int64_t most_channels = 4094;      // the host takes 4096, and two are `n` and `run`
constexpr double sine_period = 60;                // readings

std::uint64_t random_bits() {
    std::uint64_t bits = 0;
    if (::getrandom(&bits, sizeof bits, 0) != sizeof bits) plugin::fail(errno, "no random numbers");
    return bits;
}

std::string hex(std::uint64_t bits) {
    char text[17];
    std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(bits));
    return text;
}

// splitmix64: as random as a simulation needs, and a few cycles a number.
std::uint64_t next_random(std::uint64_t& state) {
    std::uint64_t z = state += 0x9E3779B97F4A7C15;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
    return z ^ (z >> 31);
}

}  // namespace

Simulator::Simulator(plugin::Host host, Clock clock)
    : host_(host),
      clock_(clock),
      rate_(host.number("rate")),
      count_(host.integer("count")),
      run_(hex(random_bits())),
      random_(random_bits()) {
    const std::string shape = host.text("shape");
    shape_ = shape == "counter" ? Shape::counter : shape == "random" ? Shape::random : Shape::sine;
    const std::int64_t channels = host.integer("channels");
    if (channels < 1 || channels > most_channels) plugin::fail(EINVAL, "channels: must be from 1 to 4094");
    if (!std::isfinite(rate_) || rate_ < 0) plugin::fail(EINVAL, "rate: must be 0 or more readings a second");
    if (count_ < 0) plugin::fail(EINVAL, "count: must be 0 (no end) or more");

    if (channels == 1) channels_.push_back(host.channel<double>("value"));
    for (std::int64_t i = 0; channels > 1 && i < channels; ++i)
        channels_.push_back(host.channel<double>("value." + std::to_string(i)));
    n_channel_ = host.channel<std::int64_t>("n");
    run_channel_ = host.channel<std::string_view>("run");
}

void Simulator::sample() {
    if (rate_ > 0)
        emit_due();
    else
        emit_burst();
    if (done()) {
        host_.never_sample_again();
        host_.finished();
    }
}

void Simulator::emit_burst() {
    for (std::int64_t i = 0; i < burst && !done(); ++i)
        emit_next(0);
    host_.sample_after(0);
}

void Simulator::emit_due() {
    const std::int64_t called_us = clock_();
    if (start_us_ < 0) start_us_ = called_us;
    start_us_ += std::max<std::int64_t>(0, called_us - due_us(n_) - catch_up_us);
    std::int64_t now_us = called_us;
    for (std::int64_t i = 0; i < burst && !done() && due_us(n_) <= now_us; ++i) {
        emit_next(now_us - due_us(n_));
        now_us = clock_();
    }
    host_.sample_after(std::max(due_us(n_) - called_us, shortest_wait_us));
}

void Simulator::emit_next(std::int64_t age_us) {
    reading_.clear();
    for (std::size_t i = 0; i < channels_.size(); ++i)
        reading_.set(channels_[i], value(i));
    reading_.set(n_channel_, n_);
    reading_.set(run_channel_, run_);
    reading_.seen_ago(age_us);
    host_.emit(reading_);
    ++n_;
}

double Simulator::value(std::size_t channel) {
    const double position = static_cast<double>(n_);
    switch (shape_) {
        case Shape::counter:
            return position;
        case Shape::random:
            return static_cast<double>(next_random(random_) >> 11) * 0x1p-53;
        case Shape::sine:
            break;
    }
    const double phase = static_cast<double>(channel) / static_cast<double>(channels_.size());
    return std::sin(2 * std::numbers::pi * (std::fmod(position, sine_period) / sine_period + phase));
}

std::int64_t Simulator::due_us(std::int64_t n) const {
    return start_us_ + static_cast<std::int64_t>(static_cast<double>(n) * 1e6 / rate_);
}

}  // namespace simulator
