#include "cli/plugin_trial.hpp"

#include <poll.h>
#include <signal.h>
#include <sys/wait.h>

#include <algorithm>
#include <utility>

#include "input/plugin_files.hpp"
#include "input/supervisor.hpp"

namespace holdfast::cli {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

// What a host has after it was asked to end; it gives a running call a quarter of a second.
constexpr milliseconds end_limit{2'000};

}  // namespace

Result<std::unique_ptr<PluginTrial>> PluginTrial::start(const InputEnvironment& environment,
                                                        const std::string& name, Bytes memory_limit,
                                                        const frame::ToHost& request) {
    auto host = HostProcess::start(environment.host_program, name, memory_limit, request);
    if (!host) return host.error();
    const auto* exercise = std::get_if<frame::Exercise>(&request);
    return std::unique_ptr<PluginTrial>(
        new PluginTrial(*std::move(host), exercise == nullptr ? 0 : exercise->rounds));
}

PluginTrial::~PluginTrial() {
    if (host_) kill();
}

bool PluginTrial::follow(milliseconds limit, const std::function<bool()>& done) {
    const auto give_up = steady_clock::now() + limit;
    while (host_ && !done()) {
        // Looked at first: one that floods always has another frame.
        const auto left = std::chrono::ceil<milliseconds>(give_up - steady_clock::now());
        if (left <= milliseconds(0)) return false;
        if (take_frame()) continue;
        if (closed_) {
            const auto status = wait_for(host_->pid(), static_cast<int>(end_limit.count()));
            if (!status) return false;
            end(*status);
            break;
        }
        pollfd readable{host_->socket(), POLLIN, 0};
        ::poll(&readable, 1, static_cast<int>(left.count()));
    }
    return true;
}

void PluginTrial::finish(milliseconds limit) {
    const auto never = [] { return false; };
    if (follow(limit, never)) return;
    // One that gave a round lately is only slow.
    const auto silence = steady_clock::now() - heard_;
    asked_ = true;
    host_->signal(SIGTERM);
    const bool obeyed = follow(end_limit, never);
    if (!obeyed) kill();
    if (!disaster_.empty()) return;
    if (asked_rounds_ > 0 && silence >= limit / 2)
        disaster_ = "a call into it did not return within " +
                    std::to_string(std::chrono::duration_cast<std::chrono::seconds>(silence).count()) + " s";
    else if (!obeyed)
        disaster_ = "it did not end when it was asked to";
}

void PluginTrial::kill() {
    host_->signal(SIGKILL);
    wait_for(host_->pid(), static_cast<int>(end_limit.count()));
    host_.reset();
}

bool PluginTrial::take_frame() {
    const HostProcess::Received received = host_->receive(buffer_);
    closed_ = received.receipt == HostProcess::Receipt::end;
    if (received.receipt != HostProcess::Receipt::frame) return false;
    const auto frame = frame::decode_from_host(received.bytes);
    if (frame)
        take(*frame);
    else
        disaster_ = "it broke the connection between its host and the agent";
    return true;
}

void PluginTrial::take(const frame::FromHost& frame) {
    if (const auto* readings = std::get_if<frame::Readings>(&frame)) take_readings(readings->segment);
    if (const auto* round = std::get_if<frame::Round>(&frame)) {
        rounds_.push_back(*round);
        heard_ = steady_clock::now();
    }
    if (const auto* failed = std::get_if<frame::Failed>(&frame)) failures_ += failed->count;
    if (const auto* failure = std::get_if<frame::OpenFailed>(&frame)) open_failure_ = *failure;
    if (const auto* crashed = std::get_if<frame::Crashed>(&frame)) crash_place_ = crashed->place;
    if (std::holds_alternative<frame::Opened>(frame)) opened_ = true;
    if (std::holds_alternative<frame::Finished>(frame) || std::holds_alternative<frame::Gone>(frame))
        finished_ = true;
}

void PluginTrial::take_readings(std::string_view segment) {
    reader_.feed(segment);
    auto more = reader_.next();
    for (; more && *more; more = reader_.next())
        ++readings_;
    if (!more) disaster_ = "it broke the connection between its host and the agent";
}

bool PluginTrial::ended_well(int status) const {
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) return false;
    return asked_ || open_failure_ || finished_ || (asked_rounds_ > 0 && rounds_.size() == asked_rounds_);
}

void PluginTrial::end(int status) {
    host_.reset();
    if (ended_well(status) || !disaster_.empty()) return;
    disaster_ = describe_exit(status);
    if (WIFSIGNALED(status) && !crash_place_.empty()) disaster_ += " in " + crash_place_;
}

}  // namespace holdfast::cli
