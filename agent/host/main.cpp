// plugin-host DAEMON_PID MEMORY_LIMIT INPUT: the process that one plugin runs
// in. Started by the agent, with a socket to it as descriptor 3; of no use by
// hand.

#include <errno.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <variant>

#include "host/confine.hpp"
#include "host/exercise.hpp"
#include "host/plugin_call.hpp"
#include "host/plugin_library.hpp"
#include "host/runner.hpp"

namespace holdfast::host {
namespace {

void refuse(Outlet& outlet, const Error& error) {
    outlet.send(frame::OpenFailed{error.code, error.kind == Error::Kind::config, error.text});
}

void answer_describe(Outlet& outlet, const frame::Describe& request) {
    const auto plugin = load_plugin(request.plugin_path);
    if (!plugin) return refuse(outlet, plugin.error());
    outlet.send(frame::Description{describe(**plugin)});
}

void answer_configure(Outlet& outlet, frame::Configure request) {
    const auto plugin = load_plugin(request.plugin_path);
    if (!plugin) return refuse(outlet, plugin.error());
    const SystemClock clock;
    Services services(outlet, clock, std::move(request));
    Runner(**plugin, services, outlet, clock).run();
}

void answer_exercise(Outlet& outlet, frame::Exercise request) {
    const auto plugin = load_plugin(request.configuration.plugin_path);
    if (!plugin) return refuse(outlet, plugin.error());
    const SystemClock clock;
    Services services(outlet, clock, std::move(request.configuration));
    Exercise(**plugin, services, outlet).run(request.rounds, request.samples);
}

// What is no wrong option is not complained of: open may find it otherwise.
void answer_check(Outlet& outlet, frame::Check request) {
    const auto plugin = load_plugin(request.configuration.plugin_path);
    if (!plugin) return refuse(outlet, plugin.error());
    const SystemClock clock;
    Services services(outlet, clock, std::move(request.configuration));
    services.report_each_error();
    const std::int32_t code =
        can_check(**plugin) ? call_counted(services, [&] { return (*plugin)->check(&services.table()); }) : 0;
    if (code == -EINVAL) return outlet.send(open_failed(services, code));
    outlet.send(frame::Opened{});
}

int serve() {
    Outlet outlet{UniqueFd(socket_fd)};
    auto request = frame::decode_to_host(outlet.receive());
    if (!request) return EXIT_FAILURE;
    if (auto* describe = std::get_if<frame::Describe>(&*request))
        answer_describe(outlet, *describe);
    else if (auto* exercise = std::get_if<frame::Exercise>(&*request))
        answer_exercise(outlet, std::move(*exercise));
    else if (auto* check = std::get_if<frame::Check>(&*request))
        answer_check(outlet, std::move(*check));
    else
        answer_configure(outlet, std::get<frame::Configure>(*std::move(request)));
    return EXIT_SUCCESS;
}

}  // namespace
}  // namespace holdfast::host

int main(int argc, char** argv) {
    if (argc != 4) {
        std::fputs(
            "plugin-host is started by holdfast for each of its inputs, not "
            "by hand\n",
            stderr);
        return 2;
    }
    const holdfast::host::Birth birth{static_cast<pid_t>(std::strtol(argv[1], nullptr, 10)),
                                      std::strtoull(argv[2], nullptr, 10), argv[3]};
    if (!holdfast::host::confine(birth)) return EXIT_FAILURE;
    return holdfast::host::serve();
}
