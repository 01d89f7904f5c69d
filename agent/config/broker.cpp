#include "config/broker.hpp"

#include <algorithm>
#include <filesystem>

#include "config/server_url.hpp"
#include "model/topic.hpp"

namespace holdfast::config {
namespace {

using namespace std::chrono_literals;

constexpr const char* system_trust_store = "/etc/ssl/certs/ca-certificates.crt";

std::vector<Server> read_servers(Section& section) {
    std::vector<Server> servers;
    for (const Section::Element& element : section.elements("servers", check_anything)) {
        if (auto server = parse_server(element.text))
            servers.push_back(std::move(*server));
        else
            section.problem_at(element.where, "servers", server.error().text);
    }
    return servers;
}

TlsConfig read_tls(Section section) {
    TlsConfig tls;
    tls.ca_file = section.file("ca_file");
    tls.cert_file = section.file("cert_file");
    tls.key_file = section.file("key_file");
    tls.key_password_file = section.file("key_password_file");
    tls.alpn = section.texts("alpn", check_alpn);
    tls.min_version =
        section.choice("min_version", {{"1.2", TlsConfig::Version::v1_2}, {"1.3", TlsConfig::Version::v1_3}},
                       tls.min_version);
    tls.verify = section.boolean("verify", tls.verify);
    const bool insecure = section.boolean("insecure", false);
    if (!tls.verify && !insecure)
        section.problem("verify",
                        "false lets anyone pose as the broker; if that is meant, set insecure = true too");
    if (section.is_set("cert_file") && !section.is_set("key_file"))
        section.problem("cert_file", "a certificate needs its key: set key_file too");
    if (section.is_set("key_file") && !section.is_set("cert_file"))
        section.problem("key_file", "a key needs its certificate: set cert_file too");
    if (section.is_set("key_password_file") && !section.is_set("key_file"))
        section.problem("key_password_file", "there is no key to open with it: set key_file too");
    if (!section.is_set("ca_file")) tls.ca_file = system_trust_store;
    section.finish();
    return tls;
}

// Absent system certificates matter only where a server's certificate will be held against them.
void check_trust_store(Section& section, const BrokerConfig& broker) {
    const auto with_tls = [](const Server& server) { return uses_tls(server.scheme); };
    if (!std::any_of(broker.servers.begin(), broker.servers.end(), with_tls) || !broker.tls.verify) return;
    std::error_code absent;
    if (broker.tls.ca_file == system_trust_store && !std::filesystem::exists(broker.tls.ca_file, absent))
        section.problem("servers",
                        "there is no " + std::string(system_trust_store) +
                            " to verify the broker's certificate with: install ca-certificates or set "
                            "ca_file under [broker.tls]");
}

Result<void> check_status_template(std::string_view text) {
    if (text.empty()) return {};
    if (text.find("{input}") != std::string_view::npos)
        return Error{Error::Kind::config, "{input} has no meaning here: the status is the whole agent's"};
    return check_topic_template(text);
}

std::string read_status_topic(Section& section, const AgentConfig& agent) {
    const std::string written =
        section.text("status_topic", check_status_template, BrokerConfig{}.status_topic);
    if (written.empty() || agent.id.empty()) return {};
    auto topic = expand_topic(written, agent.id, {}, views_of(agent.tags));
    if (topic) return std::move(*topic);
    section.problem("status_topic", topic.error().text + " (tags of [agent])");
    return {};
}

}  // namespace

BrokerConfig read_broker(Section& section, const AgentConfig& agent) {
    BrokerConfig broker;
    broker.servers = read_servers(section);
    broker.client_id = section.text("client_id", check_client_id, agent.id);
    broker.username = section.text("username", check_username, {});
    broker.password_file = section.file("password_file");
    broker.protocol = section.choice(
        "protocol", {{"auto", Protocol::automatic}, {"5", Protocol::v5}, {"3.1.1", Protocol::v3_1_1}},
        broker.protocol);
    broker.keep_alive = section.duration("keep_alive", 1s, 65'535s, broker.keep_alive);
    broker.connect_timeout = section.duration("connect_timeout", 100ms, 10min, broker.connect_timeout);
    broker.qos = section.integer("qos", 0, 2, broker.qos);
    broker.retain = section.boolean("retain", broker.retain);
    broker.topic = section.text("topic", check_topic_template, broker.topic);
    broker.status_topic = read_status_topic(section, agent);
    broker.max_in_flight = section.integer("max_in_flight", 1, 65'535, broker.max_in_flight);
    broker.properties = section.boolean("properties", broker.properties);
    broker.expire_messages = section.boolean("message_expiry", broker.expire_messages);
    broker.ack_timeout = section.duration("ack_timeout", 100ms, 1h, broker.ack_timeout);
    broker.backoff_initial = section.duration("backoff_initial", 10ms, 1h, broker.backoff_initial);
    broker.backoff_max = section.duration("backoff_max", 10ms, 24h, broker.backoff_max);
    broker.tls = read_tls(section.section("tls", "in [broker.tls]"));
    section.finish();

    if (broker.backoff_max < broker.backoff_initial)
        section.problem(section.has("backoff_max") ? "backoff_max" : "backoff_initial",
                        "backoff_max must not be shorter than backoff_initial");
    // MQTT 3.1.1, 3.1.2.9: no password without a user name.
    if (section.is_set("password_file") && !section.is_set("username") && broker.protocol != Protocol::v5)
        section.problem("password_file",
                        "a password needs a username, but in MQTT 5: set username or protocol = \"5\"");
    // Without a client id a session lasts only when the broker gives us one, which is new in MQTT 5.
    if (broker.client_id.empty() && broker.qos == 2 && broker.protocol != Protocol::v5)
        section.problem("client_id", "QoS 2 needs a client id, but in MQTT 5: set one or protocol = \"5\"");
    check_trust_store(section, broker);
    return broker;
}

void check_topics(Section& section, const BrokerConfig& broker, const AgentConfig& agent,
                  const std::vector<InputConfig>& inputs) {
    for (const InputConfig& input : inputs) {
        if (input.name.empty() || agent.id.empty()) continue;  // has a problem of its own
        const Tags tags = merged_tags(input.tags, agent.tags);
        const auto topic = expand_topic(broker.topic, agent.id, input.name, views_of(tags));
        if (!topic)
            section.problem("topic", "of input \"" + input.name + "\": " + topic.error().text);
        else if (*topic == broker.status_topic)
            section.problem("topic",
                            "of input \"" + input.name + "\" is \"" + *topic + "\", the status topic");
    }
}

}  // namespace holdfast::config
