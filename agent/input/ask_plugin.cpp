// describe_plugin and check_options: a host started for one question.

#include <errno.h>
#include <poll.h>
#include <signal.h>

#include <algorithm>
#include <chrono>
#include <utility>
#include <vector>

#include "input/host_process.hpp"
#include "input/inputs.hpp"
#include "input/plugin_files.hpp"
#include "input/supervisor.hpp"

namespace holdfast {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds answer_limit{5000};

// More mistakes than these nobody mends at once, and a plugin may never stop telling.
constexpr std::size_t most_failures = 100;

int left_until(steady_clock::time_point end) {
    const auto left = std::chrono::ceil<milliseconds>(end - steady_clock::now());
    return static_cast<int>(std::max(left, milliseconds(0)).count());
}

// What a host said, up to and with the frame that answers.
struct Answer {
    HostProcess::Receipt receipt = HostProcess::Receipt::none_yet;  // frame: there is an answer
    frame::FromHost frame = frame::Beat{};
    std::vector<std::string> failures;  // the texts of the Failed frames before it
    std::string crash_place;

    // Its views point into the caller's buffer, which none of what is kept has.
    void take(frame::FromHost&& said) {
        auto* const failed = std::get_if<frame::Failed>(&said);
        if (failed != nullptr && failures.size() < most_failures) failures.push_back(std::move(failed->text));
        if (auto* crashed = std::get_if<frame::Crashed>(&said)) crash_place = std::move(crashed->place);
        if (!std::holds_alternative<frame::Description>(said) &&
            !std::holds_alternative<frame::Opened>(said) && !std::holds_alternative<frame::OpenFailed>(said))
            return;
        receipt = HostProcess::Receipt::frame;
        frame = std::move(said);
    }
};

Result<Answer> await_answer(const HostProcess& host) {
    Answer answer;
    std::string buffer(frame::max_bytes, '\0');
    const auto end = steady_clock::now() + answer_limit;
    while (answer.receipt == HostProcess::Receipt::none_yet) {
        const int left = left_until(end);
        pollfd readable{host.socket(), POLLIN, 0};
        if (left == 0 || (::poll(&readable, 1, left) < 0 && errno != EINTR)) break;
        const auto received = host.receive(buffer);
        if (received.receipt == HostProcess::Receipt::end) answer.receipt = received.receipt;
        if (received.receipt != HostProcess::Receipt::frame) continue;
        auto frame = frame::decode_from_host(received.bytes);
        if (!frame) return frame.error();
        answer.take(*std::move(frame));
    }
    return answer;
}

// Starts a host that is given `question`, and waits for its answer. Fails with retry when there is none, for
// `what` then.
Result<Answer> ask(const InputEnvironment& environment, const std::string& name, Bytes memory_limit,
                   const frame::ToHost& question, const std::string& what) {
    auto host = HostProcess::start(environment.host_program, name, memory_limit, question);
    if (!host) return host.error();
    auto answer = await_answer(*host);
    if (!answer || answer->receipt != HostProcess::Receipt::end) host->signal(SIGKILL);
    const auto status = wait_for(host->pid(), static_cast<int>(answer_limit.count()));
    if (!answer || answer->receipt == HostProcess::Receipt::frame) return answer;
    if (answer->receipt == HostProcess::Receipt::none_yet || !status)
        return Error{Error::Kind::retry, what + ": it took more than 5 s"};
    const std::string& place = answer->crash_place;
    return Error{Error::Kind::retry,
                 what + ": " + describe_exit(*status) + (place.empty() ? "" : " in " + place)};
}

Error wrong(std::string text) {
    return {Error::Kind::config, std::move(text)};
}

}  // namespace

Result<PluginInfo> describe_plugin(const InputEnvironment& environment, const std::string& name) {
    auto plugin = find_plugin(environment.plugin_directory, name);
    if (!plugin) return plugin.error();
    auto answer =
        ask(environment, name, InputConfig{}.memory_limit, frame::Describe{plugin->string()},
            "the plugin " + name + " (" + plugin->string() + ") could not be asked for its options");
    if (!answer) return wrong(answer.error().text);
    if (auto* description = std::get_if<frame::Description>(&answer->frame))
        return std::move(description->plugin);
    const auto* failed = std::get_if<frame::OpenFailed>(&answer->frame);
    return wrong(failed != nullptr ? failed->text : "the plugin " + name + " gave no description");
}

Result<std::vector<std::string>> check_options(const InputEnvironment& environment,
                                               const InputConfig& input) {
    const auto plugin = find_plugin(environment.plugin_directory, input.plugin);
    if (!plugin) return Error{Error::Kind::retry, plugin.error().text};
    frame::Configure configuration = configure_frame(environment, input, *plugin);
    configuration.trial = true;
    auto answer = ask(environment, input.name, input.memory_limit, frame::Check{std::move(configuration)},
                      "the plugin " + input.plugin + " could not be asked about these options");
    if (!answer) return answer.error();
    const auto* refused = std::get_if<frame::OpenFailed>(&answer->frame);
    if (refused == nullptr) return std::vector<std::string>{};
    if (!refused->final) return Error{Error::Kind::retry, refused->text};
    if (answer->failures.empty()) answer->failures.push_back(refused->text);
    return std::move(answer->failures);
}

}  // namespace holdfast
