#include <unistd.h>

#include "cli/command.hpp"
#include "daemon/agent.hpp"
#include "daemon/systemd.hpp"

namespace holdfast::cli {

int run(const Arguments& arguments) {
    prepare_process();
    const auto log = systemd::make_log();
    LoadedConfig loaded = load_and_report(arguments.places);
    if (!loaded.config) return wrong_config;
    log->set_level(loaded.config->agent.log_level);
    const SystemClock clock;
    auto agent = std::make_unique<Agent>(arguments.places, std::move(*loaded.config), clock, *log);
    if (auto started = agent->start(); !started) {
        log->error(started.error().text);
        return started.error().kind == Error::Kind::config ? wrong_config : failed;
    }
    const auto ran = agent->run();
    if (!ran) log->error(ran.error().text);
    // A thread that hangs in a library can't be joined; all that matters is on disk.
    if (!agent->let_go()) ::_exit(ran ? done : failed);
    return ran ? done : failed;
}

}  // namespace holdfast::cli
