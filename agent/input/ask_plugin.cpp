// describe_plugin and check_options: a host started for one question.

#include <errno.h>
#include <poll.h>
#include <signal.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "input/host_process.hpp"
#include "input/inputs.hpp"
#include "input/plugin_files.hpp"
#include "input/supervisor.hpp"

namespace holdfast {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds answer_limit{5000};

int left_until(steady_clock::time_point end) {
    const auto left = std::chrono::ceil<milliseconds>(end - steady_clock::now());
    return static_cast<int>(std::max(left, milliseconds(0)).count());
}

// The frame that answers; what a plugin has to say besides is passed over.
bool is_answer(const frame::FromHost& frame) {
    return std::holds_alternative<frame::Description>(frame) || std::holds_alternative<frame::Opened>(frame) ||
           std::holds_alternative<frame::OpenFailed>(frame);
}

struct Answer {
    HostProcess::Receipt receipt = HostProcess::Receipt::none_yet;  // frame: there is one
    frame::FromHost frame = frame::Beat{};
};

Result<Answer> await_answer(const HostProcess& host) {
    std::string buffer(frame::max_bytes, '\0');
    const auto end = steady_clock::now() + answer_limit;
    while (true) {
        pollfd readable{host.socket(), POLLIN, 0};
        const int left = left_until(end);
        if (::poll(&readable, 1, left) < 0 && errno == EINTR) continue;
        const auto received = host.receive(buffer);
        if (received.receipt != HostProcess::Receipt::frame) {
            if (received.receipt == HostProcess::Receipt::none_yet && left > 0) continue;
            return Answer{received.receipt, frame::Beat{}};
        }
        auto frame = frame::decode_from_host(received.bytes);
        if (!frame) return frame.error();
        // Its views point into the buffer; none of the answers has one.
        if (is_answer(*frame)) return Answer{received.receipt, *std::move(frame)};
        if (left == 0) return Answer{};
    }
}

// Starts a host that is given `question`, and waits for its answer. `asked_for` is the name that an error has of it.
Result<frame::FromHost> ask(const InputEnvironment& environment, const std::string& name, Bytes memory_limit,
                            const frame::ToHost& question, const std::string& asked_for) {
    auto host = HostProcess::start(environment.host_program, name, memory_limit, question);
    if (!host) return host.error();
    auto answer = await_answer(*host);
    if (!answer || answer->receipt != HostProcess::Receipt::end) host->signal(SIGKILL);
    const auto status = wait_for(host->pid(), static_cast<int>(answer_limit.count()));
    if (!answer) return answer.error();
    if (answer->receipt == HostProcess::Receipt::frame) return std::move(answer->frame);
    const bool slow = answer->receipt == HostProcess::Receipt::none_yet || !status;
    return Error{Error::Kind::config,
                 asked_for + ": " + (slow ? "it took more than 5 s" : describe_exit(*status))};
}

}  // namespace

Result<PluginInfo> describe_plugin(const InputEnvironment& environment, const std::string& name) {
    auto plugin = find_plugin(environment.plugin_directory, name);
    if (!plugin) return plugin.error();
    auto answer = ask(environment, name, InputConfig{}.memory_limit, frame::Describe{plugin->string()},
                      "the plugin " + name + " (" + plugin->string() + ") could not be asked for its options");
    if (!answer) return answer.error();
    if (auto* description = std::get_if<frame::Description>(&*answer)) return std::move(description->plugin);
    if (const auto* failed = std::get_if<frame::OpenFailed>(&*answer))
        return Error{Error::Kind::config, failed->text};
    return Error{Error::Kind::config, "the plugin " + name + " gave no description"};
}

Result<void> check_options(const InputEnvironment& environment, const InputConfig& input) {
    const auto plugin = find_plugin(environment.plugin_directory, input.plugin);
    if (!plugin) return plugin.error();
    frame::Configure configuration = configure_frame(environment, input, *plugin);
    configuration.trial = true;
    const auto answer = ask(environment, input.name, input.memory_limit, frame::Check{std::move(configuration)},
                            "the plugin " + input.plugin + " could not be asked about these options");
    if (!answer) return answer.error();
    if (const auto* failed = std::get_if<frame::OpenFailed>(&*answer))
        return Error{Error::Kind::config, failed->text};
    return {};
}

}  // namespace holdfast
