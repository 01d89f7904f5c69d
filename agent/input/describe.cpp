// describe_plugin: a host started for one question.

#include <errno.h>
#include <poll.h>
#include <signal.h>

#include <utility>

#include "input/host_process.hpp"
#include "input/inputs.hpp"
#include "input/plugin_files.hpp"
#include "input/supervisor.hpp"

namespace holdfast {
namespace {

constexpr int answer_limit_ms = 5000;

// Where the host's answer goes while it is looked at.
struct Answer {
    HostProcess::Receipt receipt = HostProcess::Receipt::none_yet;
    std::string buffer = std::string(frame::max_bytes, '\0');
    std::string_view bytes;
};

Answer await_answer(const HostProcess& host) {
    Answer answer;
    pollfd readable{host.socket(), POLLIN, 0};
    while (::poll(&readable, 1, answer_limit_ms) < 0 && errno == EINTR) {
    }
    const auto received = host.receive(answer.buffer);
    answer.receipt = received.receipt;
    answer.bytes = received.bytes;
    return answer;
}

Result<PluginInfo> read_answer(const Answer& answer, const std::string& plugin) {
    auto frame = frame::decode_from_host(answer.bytes);
    if (!frame) return frame.error();
    if (auto* description = std::get_if<frame::Description>(&*frame)) return std::move(description->plugin);
    if (const auto* failed = std::get_if<frame::OpenFailed>(&*frame))
        return Error{Error::Kind::config, failed->text};
    return Error{Error::Kind::config, "the plugin " + plugin + " gave no description"};
}

}  // namespace

Result<PluginInfo> describe_plugin(const InputEnvironment& environment, const std::string& name) {
    auto plugin = find_plugin(environment.plugin_directory, name);
    if (!plugin) return plugin.error();
    auto host = HostProcess::start(environment.host_program, name, InputConfig{}.memory_limit,
                                   frame::Describe{plugin->string()});
    if (!host) return host.error();
    const Answer answer = await_answer(*host);
    if (answer.receipt != HostProcess::Receipt::end) host->signal(SIGKILL);
    const auto status = wait_for(host->pid(), answer_limit_ms);
    if (answer.receipt == HostProcess::Receipt::frame) return read_answer(answer, name);
    const bool slow = answer.receipt == HostProcess::Receipt::none_yet || !status;
    return Error{Error::Kind::config, "the plugin " + name + " (" + plugin->string() +
                                          ") could not be asked for its options: " +
                                          (slow ? "it took more than 5 s" : describe_exit(*status))};
}

}  // namespace holdfast
