// Checks every packet that a client sends, over all its connections, against the MUSTs that MQTT 3.1.1 and 5
// lay on clients, and names each violation by the number of its statement.
//
// Told of each packet by its broker, in the order of the wire: what the broker sends before it is written,
// what the client sends when it is read. One object per client. Not thread-safe: the broker holds a lock
// around it.
#pragma once

#include <chrono>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "broker/packet.hpp"

namespace holdfast::test {

struct Violation {
    std::string statement;  // "MQTT5 3.3.4-7"
    std::string text;
    int connection = 0;
};

class ClientRules {
  public:
    using Time = std::chrono::steady_clock::time_point;

    void received(int connection, const Packet& packet, std::size_t bytes, MqttVersion version, Time now);
    void sent(int connection, const Packet& packet);
    void defect(int connection, const Defect& defect);
    void closed(int connection);

    const std::vector<Violation>& violations() const { return violations_; }
    std::string report() const;  // a line per violation; empty: none

  private:
    enum class Stage { expects_connect, expects_connack, open, over };
    struct Connection {
        Stage stage = Stage::expects_connect;
        MqttVersion version = MqttVersion::v5;
        bool clean_start = true;
        bool resumed = false;
        bool said_goodbye = false;
        bool authenticates = false;
        std::string client_id;
        std::chrono::seconds keep_alive{0};
        std::uint32_t receive_maximum = 65'535;
        int maximum_qos = 2;
        bool retain_available = true;
        std::uint32_t maximum_packet_size = 0;
        std::uint32_t alias_maximum = 0;
        std::map<std::uint32_t, std::string> aliases;
        std::set<std::uint16_t> in_flight;  // against Receive Maximum: sent or sent again on this connection
        std::uint64_t latest_resend = 0;
        Time latest{};
    };
    struct Delivery {
        enum class State { unacknowledged, received, released };  // QoS 2: PUBREC came, PUBREL was sent
        std::string topic;
        std::string payload;
        int qos = 1;
        bool retain = false;
        State state = State::unacknowledged;
        std::uint64_t order = 0;  // with room between for those whose first sending did not come
        int connection = 0;       // that it was sent on last
    };
    using Session = std::map<std::uint16_t, Delivery>;  // by packet id

    void check(bool ok, const Connection& at, const char* v3, const char* v5, const std::string& text);
    void check_before(Connection& at, const Packet& packet, std::size_t bytes, Time now);
    void on_connect(Connection& at, const Packet& packet);
    void on_publish(Connection& at, const Packet& packet);
    std::string topic_of(Connection& at, const Packet& packet);
    void on_first_send(Connection& at, const Packet& packet, const std::string& topic);
    void on_resend(Connection& at, const Packet& packet, const std::string& topic, Delivery& delivery);
    void on_pubrel(Connection& at, const Packet& packet);
    void on_connack(Connection& at, const Packet& packet);
    void on_answer(Connection& at, const Packet& packet);
    Session& session_of(const Connection& at) { return sessions_[at.client_id]; }

    std::map<int, Connection> connections_;
    std::map<std::string, Session> sessions_;  // by client id
    std::vector<Violation> violations_;
    std::uint64_t order_ = 0;
    int current_ = 0;
};

}  // namespace holdfast::test
