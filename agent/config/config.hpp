// The configuration as plain structs: what the rest of the agent is built from. Everything in here has been
// validated.
//
// Modules take the struct of their own section, never the whole Config. CONTRACT: docs/configuration.md.
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "base/clock.hpp"
#include "base/log.hpp"
#include "base/result.hpp"
#include "model/batch.hpp"
#include "model/plugin_info.hpp"

namespace holdfast {

struct AgentConfig {
    std::string id;  // default: the host name
    Tags tags;
    LogLevel log_level = LogLevel::info;
};

enum class Scheme { mqtt, mqtts, ws, wss };
constexpr bool uses_tls(Scheme scheme) {
    return scheme == Scheme::mqtts || scheme == Scheme::wss;
}

struct Server {
    Scheme scheme = Scheme::mqtts;
    std::string host;  // name or address; an IPv6 address without brackets
    std::uint16_t port = 8883;
    std::string path;  // ws and wss: "/mqtt"; else empty
    std::string url;   // as configured, for log and status
    bool operator==(const Server&) const = default;
};

enum class Protocol { automatic, v5, v3_1_1 };

struct TlsConfig {
    std::filesystem::path ca_file;    // default: the system's trust store as one file
    std::filesystem::path cert_file;  // empty: no client certificate
    std::filesystem::path key_file;
    std::filesystem::path key_password_file;  // empty: key is not encrypted
    std::vector<std::string> alpn;
    enum class Version { v1_2, v1_3 } min_version = Version::v1_2;
    bool verify = true;
    bool operator==(const TlsConfig&) const = default;
};

// An HTTP proxy that passes connections to the servers on.
struct ProxyConfig {
    std::string host;
    std::uint16_t port = 0;
    std::string url;       // as configured, for log and status
    std::string username;  // empty: it asks for none
    std::filesystem::path password_file;
    bool operator==(const ProxyConfig&) const = default;
};

struct BrokerConfig {
    std::vector<Server> servers;       // empty: the agent only buffers
    std::optional<ProxyConfig> proxy;  // of all servers
    std::string client_id;             // default: agent.id; empty: the broker gives one
    std::string username;
    std::filesystem::path password_file;
    Protocol protocol = Protocol::automatic;
    std::chrono::seconds keep_alive{30};
    std::chrono::milliseconds connect_timeout{10'000};
    int qos = 1;
    bool retain = false;
    std::string topic = "holdfast/{agent}/{input}";
    std::string status_topic = "holdfast/{agent}/status";  // template already expanded; empty: off
    std::uint32_t max_in_flight = 20;
    bool properties = false;       // MQTT 5: content type, id, agent, input and count beside the payload
    bool expire_messages = false;  // MQTT 5: after the buffer's max_age
    std::optional<std::uint32_t> message_expiry;  // what follows from that, in seconds
    std::chrono::milliseconds ack_timeout{30'000};
    std::chrono::milliseconds backoff_initial{1'000};
    std::chrono::milliseconds backoff_max{300'000};
    TlsConfig tls;
    bool operator==(const BrokerConfig&) const = default;
};

enum class Durability { offline, strict };
enum class WhenFull { drop_oldest, drop_newest, thin, block };
enum class Drain { live_first, oldest_first };

struct BufferConfig {
    Durability durability = Durability::offline;
    Bytes max_size = mebibytes(256);
    // The file system is left this much; default: a twentieth of it, at most 64 MiB.
    std::optional<Bytes> min_free;
    std::chrono::seconds max_age{30 * 24 * 3600};
    WhenFull when_full = WhenFull::drop_oldest;
    Bytes memory = mebibytes(8);
    Micros commit_interval{1'000'000};
    Micros spill_after{2'000'000};
    Drain drain = Drain::live_first;
    std::uint64_t drain_rate = 0;  // readings per second; 0: no limit
    bool operator==(const BufferConfig&) const = default;
};

enum class TimestampUnit { seconds, milliseconds, microseconds, nanoseconds };

struct BatchConfig {
    std::uint32_t max_readings = 100;
    Bytes max_bytes = kibibytes(64);
    Micros max_delay{1'000'000};
    TimestampUnit timestamp_unit = TimestampUnit::milliseconds;
    bool operator==(const BatchConfig&) const = default;
};

struct InputConfig {
    std::string name;
    std::string plugin;
    Micros interval{10'000'000};
    Tags tags;  // the input's own; the batcher joins them with the agent's
    Priority priority = Priority::normal;
    Options options;  // complete: defaults filled in, types checked against the plugin's description
    std::optional<Micros> deadline;  // default: 3 intervals, at least 10 s
    Bytes memory_limit = mebibytes(32);
    bool operator==(const InputConfig&) const = default;
};

// Asks the plugin of an input, all else of which is sound, for what is wrong with the options. Fails when it
// can't be asked.
using CheckOptions = std::function<Result<std::vector<std::string>>(const InputConfig& input)>;

struct Config {
    AgentConfig agent;
    BrokerConfig broker;
    BufferConfig buffer;
    BatchConfig batch;
    std::vector<InputConfig> inputs;
};

}  // namespace holdfast
