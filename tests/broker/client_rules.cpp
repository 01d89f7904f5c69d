#include "broker/client_rules.hpp"

namespace holdfast::test {
namespace {

// Beyond the keep alive itself: a machine under load is late, and a broker waits for half as much again.
constexpr double keep_alive_slack = 1.5;
constexpr std::uint64_t room_between = 1 << 20;

std::string number_text(const char* what, std::uint32_t number) {
    return std::string(what) + " " + std::to_string(number);
}

}  // namespace

std::string ClientRules::report() const {
    std::string text;
    for (const Violation& violation : violations_)
        text += violation.statement + ": " + violation.text + " (connection " +
                std::to_string(violation.connection) + ")\n";
    return text;
}

void ClientRules::check(bool ok, const Connection& at, const char* v3, const char* v5,
                        const std::string& text) {
    if (ok) return;
    const std::string statement =
        at.version == MqttVersion::v5 ? std::string("MQTT5 ") + v5 : std::string("MQTT3 ") + v3;
    violations_.push_back({statement, text, current_});
}

void ClientRules::defect(int connection, const Defect& defect) {
    violations_.push_back({defect.statement, defect.text, connection});
}

void ClientRules::closed(int connection) {
    connections_[connection].stage = Stage::over;
}

void ClientRules::received(int connection, const Packet& packet, std::size_t bytes, MqttVersion version,
                           Time now) {
    current_ = connection;
    Connection& at = connections_[connection];
    at.version = version;
    check_before(at, packet, bytes, now);
    at.latest = now;
    switch (packet.type) {
        case PacketType::connect:
            return on_connect(at, packet);
        case PacketType::publish:
            return on_publish(at, packet);
        case PacketType::pubrel:
            return on_pubrel(at, packet);
        case PacketType::disconnect:
            at.said_goodbye = true;
            return;
        case PacketType::subscribe:
        case PacketType::unsubscribe:
            return check(packet.id != 0, at, "2.3.1-1", "2.2.1-3", "packet id 0");
        case PacketType::auth:
            return check(at.authenticates, at, "4.8.0-1", "4.12.0-7",
                         "AUTH without an authentication method in CONNECT");
        case PacketType::connack:
        case PacketType::suback:
        case PacketType::unsuback:
        case PacketType::pingresp:
            return check(false, at, "4.8.0-1", "4.13.1-1", "a packet that only a server may send");
        case PacketType::puback:
        case PacketType::pubrec:
        case PacketType::pubcomp:
        case PacketType::pingreq:
            return;
    }
}

void ClientRules::check_before(Connection& at, const Packet& packet, std::size_t bytes, Time now) {
    const std::string name(name_of(packet.type));
    const bool is_connect = packet.type == PacketType::connect;
    check(at.stage != Stage::expects_connect || is_connect, at, "3.1.0-1", "3.1.0-1",
          name + " before CONNECT");
    check(at.stage == Stage::expects_connect || !is_connect, at, "3.1.0-2", "3.1.0-2", "a second CONNECT");
    check(!at.said_goodbye, at, "3.14.4-2", "3.14.4-1", name + " after DISCONNECT");
    check(at.stage != Stage::over || packet.type == PacketType::disconnect, at, "4.8.0-1", "4.13.2-1",
          name + " on a connection that the broker has ended");
    check(at.maximum_packet_size == 0 || bytes <= at.maximum_packet_size, at, "", "3.2.2-15",
          name + " of " + std::to_string(bytes) + " bytes, Maximum Packet Size is " +
              std::to_string(at.maximum_packet_size));
    const bool in_time = at.stage != Stage::open || at.keep_alive.count() == 0 ||
                         now - at.latest <= at.keep_alive * keep_alive_slack;
    check(in_time, at, "3.1.2-23", "3.1.2-20",
          number_text("silent for more than the keep alive of",
                      static_cast<std::uint32_t>(at.keep_alive.count())));
}

void ClientRules::on_connect(Connection& at, const Packet& packet) {
    if (at.stage != Stage::expects_connect) return;
    at.stage = Stage::expects_connack;
    at.client_id = packet.client_id;
    at.clean_start = packet.clean_start;
    at.keep_alive = std::chrono::seconds(packet.keep_alive);
    at.authenticates = packet.text(property::authentication_method).has_value();
    check(!packet.client_id.empty() || packet.clean_start || at.version == MqttVersion::v5, at, "3.1.3-7", "",
          "an empty client id without clean session");
    if (packet.clean_start) session_of(at).clear();
}

void ClientRules::sent(int connection, const Packet& packet) {
    Connection& at = connections_[connection];
    if (packet.type == PacketType::connack) on_connack(at, packet);
    if (packet.type == PacketType::disconnect) at.stage = Stage::over;
    on_answer(at, packet);
}

void ClientRules::on_connack(Connection& at, const Packet& packet) {
    at.latest = std::chrono::steady_clock::now();
    // A client without session state must close when it is told of one (3.2.2-4).
    const bool wrong_session = packet.session_present && at.clean_start;
    at.stage = packet.reason != 0 || wrong_session ? Stage::over : Stage::open;
    if (at.stage == Stage::over) return;
    at.resumed = packet.session_present;
    if (!packet.session_present) session_of(at).clear();
    at.receive_maximum = packet.number(property::receive_maximum).value_or(65'535);
    at.maximum_qos = static_cast<int>(packet.number(property::maximum_qos).value_or(2));
    at.retain_available = packet.number(property::retain_available).value_or(1) != 0;
    at.maximum_packet_size = packet.number(property::maximum_packet_size).value_or(0);
    at.alias_maximum = packet.number(property::topic_alias_maximum).value_or(0);
    if (const auto seconds = packet.number(property::server_keep_alive))
        at.keep_alive = std::chrono::seconds(*seconds);
    if (const auto assigned = packet.text(property::assigned_client_id)) at.client_id = *assigned;
}

void ClientRules::on_answer(Connection& at, const Packet& packet) {
    Session& session = session_of(at);
    const auto found = session.find(packet.id);
    if (found == session.end()) return;
    Delivery& delivery = found->second;
    const bool refuses = packet.reason >= 0x80;
    const bool ends = (packet.type == PacketType::puback && delivery.qos == 1) ||
                      (packet.type == PacketType::pubrec && delivery.qos == 2 && refuses) ||
                      (packet.type == PacketType::pubcomp && delivery.state == Delivery::State::released);
    if (packet.type == PacketType::pubrec && delivery.qos == 2 && !refuses &&
        delivery.state == Delivery::State::unacknowledged)
        delivery.state = Delivery::State::received;
    if (!ends) return;
    session.erase(found);
    at.in_flight.erase(packet.id);
}

std::string ClientRules::topic_of(Connection& at, const Packet& packet) {
    const auto alias = packet.number(property::topic_alias);
    check(packet.topic.find_first_of("+#") == std::string::npos, at, "3.3.2-2", "3.3.2-2",
          "a wildcard in the topic " + packet.topic);
    if (!alias) {
        check(!packet.topic.empty(), at, "4.7.3-1", "4.7.3-1", "an empty topic");
        return packet.topic;
    }
    check(*alias != 0, at, "", "3.3.2-8", "topic alias 0");
    const char* statement = at.alias_maximum == 0 ? "3.2.2-18" : "3.2.2-17";
    check(*alias <= at.alias_maximum, at, "", statement,
          number_text("topic alias", *alias) + number_text(", the maximum is", at.alias_maximum));
    if (!packet.topic.empty()) return at.aliases[*alias] = packet.topic;
    const auto known = at.aliases.find(*alias);
    check(known != at.aliases.end(), at, "", "3.3.2-7",
          number_text("topic alias that this connection has not set:", *alias));
    return known == at.aliases.end() ? std::string() : known->second;
}

void ClientRules::on_publish(Connection& at, const Packet& packet) {
    const std::string topic = topic_of(at, packet);
    check(packet.qos <= at.maximum_qos, at, "", "3.2.2-11",
          "QoS " + std::to_string(packet.qos) + ", Maximum QoS is " + std::to_string(at.maximum_qos));
    check(!packet.retain || at.retain_available, at, "", "3.2.2-14", "RETAIN although it is not available");
    if (packet.qos == 0) return check(!packet.dup, at, "3.3.1-2", "3.3.1-2", "DUP on QoS 0");
    check(packet.id != 0, at, "2.3.1-1", "2.2.1-3", "packet id 0");
    Session& session = session_of(at);
    const auto found = session.find(packet.id);
    if (found == session.end())
        on_first_send(at, packet, topic);
    else if (found->second.connection == current_ && !packet.dup)
        check(false, at, "2.3.1-2", "2.2.1-3", number_text("a packet id in use:", packet.id));
    else
        on_resend(at, packet, topic, found->second);
    at.in_flight.insert(packet.id);
    check(at.in_flight.size() <= at.receive_maximum, at, "", "3.3.4-7",
          number_text("unacknowledged messages:", static_cast<std::uint32_t>(at.in_flight.size())) +
              number_text(", Receive Maximum is", at.receive_maximum));
}

void ClientRules::on_first_send(Connection& at, const Packet& packet, const std::string& topic) {
    // In a session that goes on, a message may come for the second time of which the first was lost in a
    // socket buffer, or the acknowledgement: only the client knows. Its place is behind the one before it.
    check(!packet.dup || at.resumed, at, "3.3.1-1", "3.3.1-1", "DUP on a message that was never sent");
    const std::uint64_t order = packet.dup ? at.latest_resend + 1 : order_ += room_between;
    session_of(at).emplace(packet.id, Delivery{.topic = topic,
                                               .payload = packet.payload,
                                               .qos = packet.qos,
                                               .retain = packet.retain,
                                               .order = order,
                                               .connection = current_});
    if (packet.dup) at.latest_resend = order;
}

void ClientRules::on_resend(Connection& at, const Packet& packet, const std::string& topic,
                            Delivery& delivery) {
    const std::string id = number_text("packet id", packet.id);
    check(packet.dup, at, "3.3.1-1", "3.3.1-1", "no DUP when sent again: " + id);
    // 3.1.1 lets a client send again at any time, 5 only after a new connection.
    check(delivery.connection != current_ || at.version == MqttVersion::v3_1_1, at, "", "4.4.0-1",
          "sent again on the same connection: " + id);
    const bool same = delivery.topic == topic && delivery.payload == packet.payload &&
                      delivery.qos == packet.qos && delivery.retain == packet.retain;
    check(same, at, "2.3.1-3", "4.4.0-1", "another message under an id that is not acknowledged: " + id);
    check(delivery.state == Delivery::State::unacknowledged, at, "4.3.3-1", "4.3.3-6",
          "PUBLISH after its PUBREC was answered: " + id);
    check(delivery.connection == current_ || delivery.order > at.latest_resend, at, "4.6.0-1", "4.6.0-1",
          "sent again out of the original order: " + id);
    at.latest_resend = delivery.order;
    delivery.connection = current_;
}

void ClientRules::on_pubrel(Connection& at, const Packet& packet) {
    const auto found = session_of(at).find(packet.id);
    const std::string id = number_text("packet id", packet.id);
    if (found == session_of(at).end())
        // It answers a PUBREC for an id it does not know, with a reason; or its PUBCOMP was lost.
        return check(packet.reason != 0 || at.resumed, at, "4.3.3-1", "4.3.3-4", "PUBREL for nothing: " + id);
    check(found->second.state != Delivery::State::unacknowledged, at, "4.3.3-1", "4.3.3-4",
          "PUBREL before PUBREC: " + id);
    found->second.state = Delivery::State::released;
    found->second.connection = current_;
    at.in_flight.insert(packet.id);
}

}  // namespace holdfast::test
