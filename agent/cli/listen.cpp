// holdfast listen: connects as the agent would, under a client id of its own, and prints what arrives.
#include <cstdio>
#include <random>

#include "base/json_writer.hpp"
#include "base/mailbox.hpp"
#include "base/utf8.hpp"
#include "cli/command.hpp"
#include "daemon/agent.hpp"
#include "forward/connect_request.hpp"
#include "forward/paho_transport.hpp"
#include "model/topic.hpp"

namespace holdfast::cli {
namespace {

std::string random_suffix() {
    char text[9];
    std::snprintf(text, sizeof text, "%08x", std::random_device{}());
    return text;
}

// The agent's own topics: its topic template with a wildcard for what varies, and its status topic.
std::vector<std::string> own_filters(const Config& config) {
    std::vector<std::string> filters;
    for (const InputConfig& input : config.inputs) {
        std::vector<TagView> tags;
        for (const auto& [key, value] : input.tags) tags.push_back({key, value});
        for (const auto& [key, value] : config.agent.tags) tags.push_back({key, value});
        if (auto topic = expand_topic(config.broker.topic, config.agent.id, input.name, tags)) filters.push_back(*topic);
    }
    if (!config.broker.status_topic.empty()) filters.push_back(config.broker.status_topic);
    return filters;
}

class Listener {
  public:
    Listener(const Config& config, const Arguments& arguments, Log& log)
        : config_(config),
          arguments_(arguments),
          transport_(make_paho_transport([this](transport::Event event) { events_.post(std::move(event)); }, log)) {}

    int run(const std::vector<std::string>& filters) {
        for (const Server& server : config_.broker.servers)
            for (const Protocol protocol : protocols()) {
                auto request = make_connect_request(config_.broker, server);
                if (!request) return complain(request.error());
                request->protocol = protocol;
                request->client_id += "-listen-" + random_suffix();
                const auto failure = connect(*request);
                if (!failure) return print_messages(filters);
                std::fprintf(stderr, "holdfast: %s: %s\n", server.url.c_str(), failure->text.c_str());
                if (failure->kind != LinkFailure::Class::protocol_version) break;
            }
        return failed;
    }

  private:
    std::vector<Protocol> protocols() const {
        if (config_.broker.protocol == Protocol::automatic) return {Protocol::v5, Protocol::v3_1_1};
        return {config_.broker.protocol};
    }

    // None: connected.
    std::optional<LinkFailure> connect(const ConnectRequest& request) {
        transport_->connect(request);
        const MonoTime deadline = std::chrono::steady_clock::now() + 2 * request.timeout;
        std::vector<transport::Event> taken;
        for (;;) {
            events_.take(taken, deadline);
            if (taken.empty()) return LinkFailure{LinkFailure::Class::passing, 0, "no answer in time"};
            for (const transport::Event& event : taken) {
                if (std::holds_alternative<transport::Connected>(event)) return std::nullopt;
                if (const auto* failure = std::get_if<transport::ConnectFailed>(&event)) return failure->failure;
            }
        }
    }

    int print_messages(const std::vector<std::string>& filters) {
        transport_->subscribe(filters, arguments_.qos);
        long printed = 0;
        std::vector<transport::Event> taken;
        for (;;) {
            events_.take(taken, std::nullopt);
            for (const transport::Event& event : taken) {
                if (const auto* lost = std::get_if<transport::ConnectionLost>(&event))
                    return complain({Error::Kind::gone, "connection lost: " + lost->failure.text});
                if (const auto* answer = std::get_if<transport::Subscribed>(&event); answer && !answer->error.empty())
                    return complain({Error::Kind::config, "the broker does not allow the subscription: " + answer->error});
                const auto* message = std::get_if<transport::Received>(&event);
                if (message == nullptr) continue;
                if (!print(line(*message))) return failed;
                if (++printed == arguments_.count) return leave();
            }
        }
    }

    int leave() {
        transport_->disconnect();
        std::vector<transport::Event> taken;
        events_.take(taken, std::chrono::steady_clock::now() + std::chrono::seconds(2));
        return done;
    }

    std::string line(const transport::Received& message) const {
        if (!arguments_.json) return message.topic + " " + message.payload + "\n";
        std::string out;
        JsonWriter json(out);
        json.begin_object().key("topic").any_text(message.topic);
        json.key("qos").number(message.qos).key("retained").boolean(message.retained);
        json.key("payload").any_text(message.payload).end_object();
        return out + "\n";
    }

    const Config& config_;
    const Arguments& arguments_;
    Mailbox<transport::Event> events_;
    std::unique_ptr<Transport> transport_;
};

}  // namespace

int listen(const Arguments& arguments) {
    prepare_process();
    const LoadedConfig loaded = load_and_report(arguments.places);
    if (!loaded.config) return wrong_config;
    if (loaded.config->broker.servers.empty())
        return complain({Error::Kind::config, "no server is configured: set servers under [broker]"});
    StderrLog log(StderrLog::Style::plain);
    log.set_level(LogLevel::warning);
    const auto filters = arguments.operands.empty() ? own_filters(*loaded.config) : arguments.operands;
    return Listener(*loaded.config, arguments, log).run(filters);
}

}  // namespace holdfast::cli
