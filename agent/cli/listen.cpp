// holdfast listen: prints what arrives at the broker.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <random>
#include <thread>
#include <utility>

#include "base/backoff.hpp"
#include "base/json_writer.hpp"
#include "cli/command.hpp"
#include "cli/connection.hpp"
#include "daemon/agent.hpp"
#include "model/topic.hpp"

namespace holdfast::cli {
namespace {

constexpr std::chrono::milliseconds least_wait{250};
constexpr std::chrono::milliseconds longest_wait{4000};

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

// A filter matches by whole levels: `+` stands for one, `#` for all from there on (MQTT 5, 4.7.1).
bool is_filter(std::string_view filter) {
    if (filter.empty() || filter.size() > 65'535) return false;
    for (std::size_t begin = 0; begin <= filter.size();) {
        const std::size_t end = std::min(filter.find('/', begin), filter.size());
        const std::string_view level = filter.substr(begin, end - begin);
        const bool special = level.find_first_of("+#") != std::string_view::npos;
        if (special && level.size() > 1) return false;
        if (level == "#" && end < filter.size()) return false;
        begin = end + 1;
    }
    return true;
}

enum class End { done, failed, lost };

// Prints until the count is reached or the connection is lost.
End print_messages(Connection& connection, const Arguments& arguments, long& printed) {
    while (const auto event = connection.next(std::nullopt)) {
        if (const auto* lost = std::get_if<transport::ConnectionLost>(&*event)) {
            std::fprintf(stderr, "holdfast: connection lost: %s; connecting again\n",
                         lost->failure.text.c_str());
            return End::lost;
        }
        if (const auto* answer = std::get_if<transport::Subscribed>(&*event);
            answer && !answer->error.empty()) {
            complain({Error::Kind::config, "the broker refuses the subscription: " + answer->error});
            return End::failed;
        }
        const auto* message = std::get_if<transport::Received>(&*event);
        if (message == nullptr) continue;
        if (!print(arguments.json ? json_line(*message) : message->topic + " " + message->payload + "\n"))
            return End::failed;
        if (++printed == arguments.count) break;
    }
    return End::done;
}

// The first server that can be reached, subscribed to; false when there is none. Failures are told unless they
// are those that were told last.
bool subscribe(Connection& connection, const BrokerConfig& broker, const std::vector<std::string>& filters,
               int qos, std::string& told) {
    std::string failures;
    const bool reached =
        std::any_of(broker.servers.begin(), broker.servers.end(), [&](const Server& server) {
            const auto failure = connection.open(server);
            if (failure) failures += "holdfast: " + server.url + ": " + failure->text + "\n";
            return !failure;
        });
    if (failures != std::exchange(told, failures)) std::fputs(failures.c_str(), stderr);
    if (reached) connection.subscribe(filters, qos);
    return reached;
}

}  // namespace

int listen(const Arguments& arguments) {
    prepare_process();
    const LoadedConfig loaded = load_and_report(arguments.places);
    if (!loaded.config) return wrong_config;
    for (const std::string& filter : arguments.operands)
        if (!is_filter(filter)) {
            std::fprintf(stderr,
                         "holdfast: \"%s\" is no topic filter: + and # each stand for a whole level, and # "
                         "for the last ones\n",
                         filter.c_str());
            return wrong_usage;
        }
    const BrokerConfig& broker = loaded.config->broker;
    if (broker.servers.empty())
        return complain({Error::Kind::config, "no server is configured: set servers under [broker]"});
    StderrLog log(StderrLog::Style::plain);
    log.set_level(LogLevel::warning);
    const std::vector<std::string> filters =
        arguments.operands.empty() ? own_filters(*loaded.config) : arguments.operands;
    Connection connection(broker, client_id_beside(broker, "-listen-"), log);
    std::string told;
    if (!subscribe(connection, broker, filters, arguments.qos, told)) return failed;
    Backoff backoff(longest_wait / 4, longest_wait, std::random_device{}());
    for (long printed = 0;;) {
        const End end = print_messages(connection, arguments, printed);
        if (end == End::done) connection.close();
        if (end != End::lost) return end == End::done ? done : failed;
        backoff.reset();
        told.clear();
        do
            std::this_thread::sleep_for(backoff.next(least_wait));
        while (!subscribe(connection, broker, filters, arguments.qos, told));
    }
}

}  // namespace holdfast::cli
