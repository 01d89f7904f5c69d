#include "mqtt/mqtt_test.hpp"

#include <signal.h>

#include <algorithm>
#include <cstdlib>
#include <map>

namespace holdfast::test {

namespace {

auto count_of(const std::vector<BrokerEvent>& log, Kind kind, std::optional<PacketType> type = std::nullopt) {
    return std::count_if(log.begin(), log.end(), [&](const BrokerEvent& event) {
        return event.kind == kind && (!type || event.packet->type == *type);
    });
}

// What went over the wire, a line each, for whoever looks into a failure.
std::string written_out(const std::vector<BrokerEvent>& log) {
    std::string text;
    for (const BrokerEvent& event : log) {
        text += std::to_string(event.connection) + ' ' + std::to_string(static_cast<int>(event.kind)) + ' ';
        if (event.packet) {
            text += std::string(name_of(event.packet->type)) + " id " + std::to_string(event.packet->id);
            text += event.packet->dup ? " DUP" : "";
            text += " reason " + std::to_string(event.packet->reason);
            if (const auto number = reading_number(*event.packet))
                text += " reading " + std::to_string(*number);
        }
        text += event.text + '\n';
    }
    return text;
}

}  // namespace

void MqttTest::SetUp() {
    ::signal(SIGPIPE, SIG_IGN);  // the broker writes to connections that the agent has closed
}

void MqttTest::TearDown() {
    for (const Violation& violation : broker_ ? broker_->violation_list() : std::vector<Violation>())
        EXPECT_EQ(violation.statement, may_break_)
            << violation.text << ", connection " << violation.connection;
    if (agent_ && HasFailure()) {
        const std::string wire = broker_ ? written_out(broker_->log()) : "";
        std::fputs((wire + "log of the agent:\n" + agent_->log()).c_str(), stderr);
    }
    agent_.reset();
}

ScriptedBroker& MqttTest::serve(ScriptedBroker::Script script, ScriptedBroker::Options options) {
    if (!options.tls) options.tls = server_;
    broker_ = std::make_unique<ScriptedBroker>(std::move(script), std::move(options));
    return *broker_;
}

AgentProcess& MqttTest::prepare(const AgentSettings& settings) {
    if (!agent_) agent_ = std::make_unique<AgentProcess>(directory_, broker_->port(), ca_.file());
    agent_->configure(settings);
    return *agent_;
}

AgentProcess& MqttTest::start(const AgentSettings& settings) {
    prepare(settings).start();
    return *agent_;
}

void MqttTest::stop() {
    agent_->terminate();
    EXPECT_EQ(agent_->wait_end(), 0);
}

bool MqttTest::all_arrive(int count) const {
    std::set<int> there;
    std::size_t seen = 0;
    return broker_->wait([&](const std::vector<BrokerEvent>& log) {
        for (; seen < log.size(); ++seen) {
            if (log[seen].kind != Kind::received) continue;
            const int number = reading_number(*log[seen].packet).value_or(count);
            if (number < count) there.insert(number);
        }
        return there.size() == static_cast<std::size_t>(count);
    });
}

bool MqttTest::wait_received(PacketType type, int count) const {
    return broker_->wait([&](const auto& log) { return count_of(log, Kind::received, type) >= count; });
}

bool MqttTest::wait_closed(int count) const {
    return broker_->wait([&](const auto& log) { return count_of(log, Kind::closed) >= count; });
}

std::vector<BrokerEvent> MqttTest::events(Kind kind, std::optional<PacketType> type) const {
    std::vector<BrokerEvent> found;
    for (BrokerEvent& event : broker_->log())
        if (event.kind == kind && (!type || event.packet->type == *type)) found.push_back(std::move(event));
    return found;
}

std::vector<Packet> MqttTest::readings(int connect_number) const {
    std::map<int, int> numbers;  // of CONNECTs, by TCP connection
    std::vector<Packet> found;
    for (const BrokerEvent& event : broker_->log()) {
        if (event.kind != Kind::received) continue;
        if (event.packet->type == PacketType::connect)
            numbers.emplace(event.connection, static_cast<int>(numbers.size()));
        const bool wanted = connect_number < 0 || numbers[event.connection] == connect_number;
        if (wanted && reading_number(*event.packet)) found.push_back(*event.packet);
    }
    return found;
}

std::optional<int> reading_number(const Packet& publish) {
    const auto at = publish.payload.find("\"n\":");
    if (publish.type != PacketType::publish || at == std::string::npos) return std::nullopt;
    return std::atoi(publish.payload.c_str() + at + 4);
}

std::set<int> reading_numbers(const std::vector<Packet>& publishes) {
    std::set<int> numbers;
    for (const Packet& publish : publishes)
        if (const auto number = reading_number(publish)) numbers.insert(*number);
    return numbers;
}

std::set<int> numbers_up_to(int count) {
    std::set<int> numbers;
    for (int number = 0; number < count; ++number)
        numbers.insert(numbers.end(), number);
    return numbers;
}

std::optional<Packet> read_reading(Peer& peer) {
    while (auto packet = peer.read()) {
        if (reading_number(*packet)) return packet;
        peer.answer(*packet);
    }
    return std::nullopt;
}

std::vector<Packet> read_readings(Peer& peer, int count) {
    std::vector<Packet> packets;
    while (static_cast<int>(packets.size()) < count) {
        auto packet = read_reading(peer);
        if (!packet) break;
        packets.push_back(std::move(*packet));
    }
    return packets;
}

}  // namespace holdfast::test
