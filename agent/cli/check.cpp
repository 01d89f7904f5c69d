#include <algorithm>
#include <cstdio>

#include "cli/command.hpp"
#include "cli/connection.hpp"
#include "daemon/agent.hpp"
#include "forward/diagnose.hpp"
#include "forward/tls_policy.hpp"

namespace holdfast::cli {
namespace {

// Each step on a line, "ok" or "FAILED"; false when one failed.
bool try_server(const Config& config, const Server& server, Log& log) {
    std::string out = server.url + "\n";
    const auto step = [&](bool ok, const std::string& name, const std::string& text) {
        out += (ok ? "  ok       " : "  FAILED   ") + name + ": " + text + "\n";
    };
    const ServerDiagnosis diagnosis =
        diagnose_server(server, config.broker.tls, config.broker.connect_timeout);
    for (const ServerDiagnosis::Step& s : diagnosis.steps)
        step(s.ok, s.name, s.text);
    if (diagnosis.days_to_expiry && !diagnosis.failure)
        out += std::string(*diagnosis.days_to_expiry > 30 ? "  ok       " : "  warning  ") +
               "expiry: the certificate of the server ends in " + std::to_string(*diagnosis.days_to_expiry) +
               " days\n";
    bool reached = !diagnosis.failure;
    if (reached) {
        Connection connection(config.broker, "-check-", log);
        const auto failure = connection.open(server);
        reached = !failure;
        step(reached, "connect", failure ? failure->text : "the broker accepts the agent");
        if (reached) connection.close();
    }
    return print(out) && reached;
}

int check_online(const Config& config) {
    prepare_process();
    if (config.broker.servers.empty())
        return complain({Error::Kind::config, "no server is configured: set servers under [broker]"});
    StderrLog log(StderrLog::Style::plain);
    log.set_level(LogLevel::error);
    const SystemClock clock;
    if (!clock.synchronised())
        print("note: the clock is not synchronised; certificates may look expired or not yet valid\n");
    bool all = true;
    for (const Server& server : config.broker.servers)
        all = try_server(config, server, log) && all;
    return all ? done : failed;
}

}  // namespace

int check(const Arguments& arguments) {
    const LoadedConfig loaded = load_and_report(arguments.places);
    if (!loaded.config) return wrong_config;
    const Config& config = *loaded.config;
    std::string text =
        "configuration is valid: agent " + config.agent.id + ", " + std::to_string(config.inputs.size()) +
        " inputs, " +
        (config.broker.servers.empty() ? std::string("no server") : config.broker.servers.front().url) + "\n";
    const bool tls = std::any_of(config.broker.servers.begin(), config.broker.servers.end(),
                                 [](const Server& server) { return uses_tls(server.scheme); });
    if (const auto wrong = tls ? check_tls_files(config.broker.tls) : std::nullopt)
        text += "warning: no server can be reached until this is mended: " + wrong->text + "\n";
    if (!print(text)) return failed;
    return arguments.online ? check_online(config) : done;
}

}  // namespace holdfast::cli
