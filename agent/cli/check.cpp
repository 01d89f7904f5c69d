#include <algorithm>
#include <cstdio>

#include "cli/command.hpp"
#include "cli/connection.hpp"
#include "cli/namesake.hpp"
#include "cli/service_user.hpp"
#include "daemon/agent.hpp"
#include "forward/connect_request.hpp"
#include "forward/diagnose.hpp"
#include "forward/tls_policy.hpp"
#include "model/topic.hpp"

namespace holdfast::cli {
namespace {

// What the broker allows, and what of it bends the configuration.
std::string describe_limits(const BrokerConfig& config, const BrokerLimits& limits) {
    std::string text = "up to QoS " + std::to_string(limits.maximum_qos);
    if (limits.maximum_qos < config.qos)
        text += " (qos = " + std::to_string(config.qos) + " is more: it will send with less)";
    text += ", " + std::to_string(std::min(limits.receive_maximum, config.max_in_flight)) + " in flight";
    if (limits.receive_maximum < config.max_in_flight) text += " (fewer than max_in_flight)";
    text += limits.retain_available ? ", keeps retained messages"
                                    : ", keeps no retained message: the status is gone once sent";
    if (limits.maximum_packet_size > 0)
        text += ", packets up to " + std::to_string(limits.maximum_packet_size) + " bytes";
    if (limits.server_keep_alive) text += ", keep alive " + std::to_string(*limits.server_keep_alive) + " s";
    return text;
}

// Goes through the steps to one server, each on a line: "ok" or "FAILED".
class Visit {
  public:
    Visit(const Config& config, const Server& server, const Places& places, Log& log)
        : config_(config), server_(server), places_(places), log_(log), out_(server.url + "\n") {}

    // False when a step failed, or nobody reads what is printed.
    bool run(bool publish) {
        look();
        if (reached_) log_in(publish);
        if (reached_) judge_client_id();
        return print(out_) && reached_;
    }

  private:
    void step(bool ok, const std::string& name, const std::string& text) {
        line(ok ? "ok" : "FAILED", name, text);
        reached_ = reached_ && ok;
    }
    void line(std::string verdict, const std::string& name, const std::string& text) {
        verdict.resize(9, ' ');
        out_ += "  " + verdict + name + ": " + text + "\n";
    }

    void look() {
        const auto proxy = read_proxy_access(config_.broker);
        if (!proxy) return step(false, "proxy", proxy.error().text);
        const ServerDiagnosis diagnosis =
            diagnose_server(server_, config_.broker.tls, config_.broker.connect_timeout, *proxy);
        for (const ServerDiagnosis::Step& s : diagnosis.steps)
            step(s.ok, s.name, s.text);
        if (diagnosis.failure || !diagnosis.days_to_expiry) return;
        const TlsConfig& tls = config_.broker.tls;
        line(tls.verify ? "ok" : "warning", "certificate",
             "for " + diagnosis.certificate_name +
                 (tls.verify ? ", and its chain leads to a CA in " + tls.ca_file.string()
                             : ", and nobody verified it: verify = false"));
        line(*diagnosis.days_to_expiry > 30 ? "ok" : "warning", "expiry",
             "the certificate of the server ends in " + std::to_string(*diagnosis.days_to_expiry) + " days");
    }

    void log_in(bool publish) {
        Connection connection(config_.broker, client_id_beside(config_.broker, "-check-"), log_);
        const auto failure = connection.open(server_);
        const bool v5 = connection.protocol() == Protocol::v5;
        step(!failure, "connect",
             failure ? failure->text
                     : std::string("the broker accepts the agent by MQTT ") + (v5 ? "5" : "3.1.1"));
        if (failure) return;
        if (v5) line("ok", "limits", describe_limits(config_.broker, connection.answer().limits));
        if (publish) try_to_publish(connection);
        connection.close();
    }

    void judge_client_id() {
        const auto finding = look_for_namesake(places_.control_socket(), config_.broker, server_, log_);
        if (finding.kind == NamesakeFinding::Kind::perhaps) return line("warning", "client id", finding.text);
        step(finding.kind == NamesakeFinding::Kind::none, "client id", finding.text);
    }

    void try_to_publish(Connection& connection) {
        const auto topic =
            expand_topic(config_.broker.topic, config_.agent.id, "check", views_of(config_.agent.tags));
        if (!topic) return step(false, "publish", topic.error().text);
        const int qos = std::min(config_.broker.qos, connection.answer().limits.maximum_qos);
        const auto refused = connection.publish({*topic, "{\"check\":true}", qos, false});
        const bool tells = connection.protocol() == Protocol::v5 && qos > 0;
        step(
            !refused, "publish",
            refused
                ? *topic + ": " + *refused
                : "the broker took a message on " + *topic +
                      (tells
                           ? ""
                           : ", which need not mean that it may be sent: only MQTT 5 with QoS 1 or 2 tells"));
    }

    const Config& config_;
    const Server& server_;
    const Places& places_;
    Log& log_;
    std::string out_;
    bool reached_ = true;
};

int check_online(const Config& config, const Arguments& arguments) {
    prepare_process();
    if (config.broker.servers.empty())
        return complain({Error::Kind::config, "no server is configured: set servers under [broker]"});
    StderrLog log(StderrLog::Style::plain);
    log.set_level(LogLevel::error);
    print(SystemClock().synchronised()
              ? "clock: synchronised\n"
              : "clock: not synchronised; certificates may look expired or not yet valid\n");
    bool all = true;
    for (const Server& server : config.broker.servers)
        all = Visit(config, server, arguments.places, log).run(arguments.publish) && all;
    return all ? done : failed;
}

}  // namespace

int check(const Arguments& arguments) {
    if (arguments.places.config_files.empty()) become_service_user();  // these are its files
    const LoadedConfig loaded =
        arguments.start ? load_and_report(arguments.places) : load_and_check(arguments.places);
    if (!loaded.config) return wrong_config;
    if (arguments.start) return done;  // with files that can't be used it starts, too
    const Config& config = *loaded.config;
    std::string text =
        "configuration is valid: agent " + config.agent.id + ", " + std::to_string(config.inputs.size()) +
        (config.inputs.size() == 1 ? " input, " : " inputs, ") +
        (config.broker.servers.empty() ? std::string("no server") : config.broker.servers.front().url) + "\n";
    const bool tls = std::any_of(config.broker.servers.begin(), config.broker.servers.end(),
                                 [](const Server& server) { return uses_tls(server.scheme); });
    const auto files = tls ? load_tls_files(config.broker.tls) : Result<TlsContents>(TlsContents{});
    if (!files && files.error().code == 0) {
        complain(files.error());
        return wrong_config;
    }
    if (!files) text += "warning: whether a server can be reached is not known: " + files.error().text + "\n";
    if (!print(text)) return failed;
    return arguments.online ? check_online(config, arguments) : done;
}

}  // namespace holdfast::cli
