// holdfast listen: prints what arrives at the broker.
#include <cstdio>

#include "base/json_writer.hpp"
#include "cli/command.hpp"
#include "cli/connection.hpp"
#include "daemon/agent.hpp"
#include "model/topic.hpp"

namespace holdfast::cli {
namespace {

// The agent's own topics: those of its inputs, and its status.
std::vector<std::string> own_filters(const Config& config) {
    std::vector<std::string> filters;
    for (const InputConfig& input : config.inputs) {
        const Tags tags = merged_tags(input.tags, config.agent.tags);
        auto topic = expand_topic(config.broker.topic, config.agent.id, input.name, views_of(tags));
        if (topic) filters.push_back(std::move(*topic));
    }
    if (!config.broker.status_topic.empty()) filters.push_back(config.broker.status_topic);
    return filters;
}

std::string json_line(const transport::Received& message) {
    std::string out;
    JsonWriter json(out);
    json.begin_object().key("topic").any_text(message.topic);
    json.key("qos").number(message.qos).key("retained").boolean(message.retained);
    json.key("payload").any_text(message.payload).end_object();
    return out + "\n";
}

// Prints until the count is reached; the exit code.
int print_messages(Connection& connection, const Arguments& arguments) {
    long printed = 0;
    while (const auto event = connection.next(std::nullopt)) {
        if (const auto* lost = std::get_if<transport::ConnectionLost>(&*event))
            return complain({Error::Kind::gone, "connection lost: " + lost->failure.text});
        if (const auto* answer = std::get_if<transport::Subscribed>(&*event);
            answer && !answer->error.empty())
            return complain({Error::Kind::config, "the broker refuses the subscription: " + answer->error});
        const auto* message = std::get_if<transport::Received>(&*event);
        if (message == nullptr) continue;
        if (!print(arguments.json ? json_line(*message) : message->topic + " " + message->payload + "\n"))
            return failed;
        if (++printed == arguments.count) break;
    }
    return done;
}

}  // namespace

int listen(const Arguments& arguments) {
    prepare_process();
    const LoadedConfig loaded = load_and_report(arguments.places);
    if (!loaded.config) return wrong_config;
    const BrokerConfig& broker = loaded.config->broker;
    if (broker.servers.empty())
        return complain({Error::Kind::config, "no server is configured: set servers under [broker]"});
    StderrLog log(StderrLog::Style::plain);
    log.set_level(LogLevel::warning);
    Connection connection(broker, client_id_beside(broker, "-listen-"), log);
    for (const Server& server : broker.servers) {
        if (const auto failure = connection.open(server)) {
            std::fprintf(stderr, "holdfast: %s: %s\n", server.url.c_str(), failure->text.c_str());
            continue;
        }
        connection.subscribe(arguments.operands.empty() ? own_filters(*loaded.config) : arguments.operands,
                             arguments.qos);
        const int code = print_messages(connection, arguments);
        if (code == done) connection.close();
        return code;
    }
    return failed;
}

}  // namespace holdfast::cli
