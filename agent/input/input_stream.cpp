#include "input/input_stream.hpp"

#include <signal.h>
#include <sys/epoll.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "input/plugin_files.hpp"

namespace holdfast {
namespace {

// Frames taken from one input before the others have their turn.
constexpr int frames_a_turn = 16;
// More than a socket buffer holds.
constexpr int most_drained_frames = 1024;

}  // namespace

bool same_host(const InputConfig& a, const InputConfig& b) {
    return a.name == b.name && a.plugin == b.plugin && a.interval == b.interval && a.options == b.options &&
           a.deadline == b.deadline && a.memory_limit == b.memory_limit;
}

InputStream::InputStream(InputConfig config, const InputContext& context)
    : config_(std::move(config)),
      context_(context),
      supervisor_(
          config_,
          std::hash<std::string>{}(config_.name) ^ static_cast<std::uint64_t>(context.clock.wall_us()),
          context.log, context.clock.now()) {
    auto timer = context_.loop.timer([this] {
        armed_.reset();
        // What it has sent comes first: after a stall of this thread a host is not to be blamed for silence.
        if (host_ && readable_)
            on_readable();
        else
            turn();
    });
    if (!timer) {
        context_.log.error(timer.error().text, {{"INPUT", config_.name}, {"PLUGIN", config_.plugin}});
        return;
    }
    timer_ = *std::move(timer);
    arm();
}

InputStream::~InputStream() {
    kill();
    if (host_ && !exit_status_) wait_for(host_->pid(), 1000);
}

InputStatus InputStream::status() const {
    return {.name = config_.name,
            .plugin = config_.plugin,
            .state = supervisor_.state(),
            .pid = pid(),
            .readings = readings_,
            .errors = supervisor_.errors(),
            .missed = supervisor_.missed(),
            .non_finite = non_finite_,
            .restarts = supervisor_.restarts(),
            .last_error = supervisor_.last_error(),
            .last_reading_wall_us = last_reading_wall_us_};
}

void InputStream::turn() {
    switch (supervisor_.tick(context_.clock.now())) {
        case Supervisor::Action::none:
            break;
        case Supervisor::Action::start:
            start();
            break;
        case Supervisor::Action::kill:
            kill();
            break;
    }
    arm();
}

// A timer that is set for an earlier time is left as it is: it costs one look too many, and no system call
// per frame.
void InputStream::arm() {
    const auto next = supervisor_.next_tick();
    if (!next || !timer_ || (armed_ && *armed_ <= *next)) return;
    armed_ = next;
    timer_->set(*next);
}

void InputStream::start() {
    const auto launched = launch();
    const MonoTime now = context_.clock.now();
    if (launched) return supervisor_.started(now);
    host_.reset();
    supervisor_.start_failed(launched.error(), now);
}

Result<void> InputStream::launch() {
    auto plugin = find_plugin(context_.environment.plugin_directory, config_.plugin);
    if (!plugin) return plugin.error();
    auto host = HostProcess::start(context_.environment.host_program, config_.name, config_.memory_limit,
                                   configure_frame(context_.environment, config_, *plugin));
    if (!host) return host.error();
    host_ = *std::move(host);
    reader_ = ReadingReader();
    broken_ = false;
    context_.sink.begin_stream(config_.name);
    auto ended = context_.loop.child(host_->pid(), [this](int status) { on_exit(status); });
    if (!ended) {
        kill();
        wait_for(host_->pid(), 1000);
        return ended.error();
    }
    ended_ = *std::move(ended);
    if (!paused_) watch_socket();
    return {};
}

void InputStream::watch_socket() {
    auto source = context_.loop.watch(host_->socket(), EPOLLIN, [this](std::uint32_t) { on_readable(); });
    if (source)
        readable_ = *std::move(source);
    else
        supervisor_.broke_protocol(source.error().text);
}

void InputStream::on_readable() {
    for (int i = 0; i < frames_a_turn && !paused_; ++i) {
        const HostProcess::Receipt receipt = take_frame();
        // At the end of the socket its exit comes next, from the other source.
        if (receipt == HostProcess::Receipt::end) readable_.reset();
        if (receipt != HostProcess::Receipt::frame) break;
    }
    turn();
}

HostProcess::Receipt InputStream::take_frame() {
    const HostProcess::Received received = host_->receive(context_.buffer);
    if (received.receipt != HostProcess::Receipt::frame || broken_) return received.receipt;
    const auto frame = frame::decode_from_host(received.bytes);
    if (frame)
        take(*frame);
    else
        broken_ = true;
    if (broken_) supervisor_.broke_protocol("its host sent a damaged frame");
    return received.receipt;
}

void InputStream::take(const frame::FromHost& frame) {
    if (const auto* readings = std::get_if<frame::Readings>(&frame))
        broken_ = !take_readings(readings->segment);
    if (const auto* line = std::get_if<frame::LogLine>(&frame)) take_log_line(*line);
    supervisor_.on_frame(frame, context_.clock.now());
}

Result<void> InputStream::take_readings(std::string_view segment) {
    const std::int64_t now = context_.clock.boot_us();
    const std::int64_t wall_offset = context_.clock.wall_us() - now;
    reader_.feed(segment);
    for (;;) {
        auto more = reader_.next();
        if (!more) return more.error();
        if (!*more) return {};
        Reading reading = reader_.reading();
        if (reading.base == TimeBase::boot) reading.time_us = std::min(reading.time_us, now);
        last_reading_wall_us_ = reading.time_us + (reading.base == TimeBase::boot ? wall_offset : 0);
        ++readings_;
        non_finite_ += static_cast<std::uint64_t>(std::count_if(
            reading.values.begin(), reading.values.end(),
            [](const Value& value) { return value.type == ValueType::f64 && !std::isfinite(value.f64); }));
        context_.sink.accept(config_.name, reading, reader_.channels());
    }
}

void InputStream::take_log_line(const frame::LogLine& line) {
    const MonoTime now = context_.clock.now();
    const LogFields fields = {{"INPUT", config_.name}, {"PLUGIN", config_.plugin}};
    if (const std::uint64_t held_back = log_gate_.take_held_back(now); held_back > 0)
        context_.log.warning(
            "held back " + std::to_string(held_back) + " log lines of this input, as there were too many",
            fields);
    if (context_.log.wants(line.level) && log_gate_.pass(now))
        context_.log.write(line.level, line.text, fields);
}

void InputStream::on_exit(int status) {
    ended_.reset();
    if (!paused_) return conclude(status);
    exit_status_ = status;
    context_.host_ended();
}

void InputStream::conclude(int status) {
    drain();
    readable_.reset();
    host_.reset();
    exit_status_.reset();
    supervisor_.exited(status, context_.clock.now());
    context_.host_ended();
    arm();
}

void InputStream::pause() {
    if (std::exchange(paused_, true)) return;
    readable_.reset();
    supervisor_.pause(context_.clock.now());
}

void InputStream::resume() {
    if (!std::exchange(paused_, false)) return;
    supervisor_.resume(context_.clock.now());
    if (exit_status_)
        conclude(*exit_status_);
    else if (host_)
        watch_socket();
    arm();
}

void InputStream::device_appeared() {
    supervisor_.device_appeared(context_.clock.now());
    arm();
}

void InputStream::ask_to_end() {
    supervisor_.retire();
    timer_.reset();
    readable_.reset();
    ended_.reset();
    if (exit_status_)
        conclude(*exit_status_);
    else if (host_)
        host_->signal(SIGTERM);
}

// A host that is asked to end has a socket buffer of frames; one that goes on sending is not waited for.
bool InputStream::drain() {
    HostProcess::Receipt receipt = HostProcess::Receipt::end;
    int frames = 0;
    do
        receipt = take_frame();
    while (receipt == HostProcess::Receipt::frame && ++frames < most_drained_frames);
    return receipt != HostProcess::Receipt::end;
}

void InputStream::reap(int limit_ms) {
    if (!host_) return;
    ended_.reset();
    if (const auto status = wait_for(host_->pid(), limit_ms)) conclude(*status);
}

void InputStream::kill() {
    if (host_ && !exit_status_) host_->signal(SIGKILL);
}

}  // namespace holdfast
