// The base of the conformance tests: the real agent against a scripted TLS broker that checks each packet.
//
// A test serves a script, starts the agent, waits for what it is about, and says how often. At its end no
// MUST of the client may have been broken, by whatever test.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "broker/scripted_broker.hpp"
#include "mqtt/agent_process.hpp"
#include "support/certificates.hpp"
#include "support/temp_dir.hpp"

namespace holdfast::test {

using namespace std::chrono_literals;
using namespace std::string_literals;
using Peer = ScriptedBroker::Connection;
using Kind = BrokerEvent::Kind;

class MqttTest : public ::testing::Test {
  protected:
    void SetUp() override;
    void TearDown() override;

    // The broker that the agent will find; with our certificate unless the options name another.
    ScriptedBroker& serve(ScriptedBroker::Script script, ScriptedBroker::Options options = {});
    AgentProcess& start(const AgentSettings& settings);
    AgentProcess& prepare(const AgentSettings& settings);  // without a start
    // Ends the agent in the orderly way.
    void stop();

    // Whether the broker got readings 0 to count - 1.
    bool all_arrive(int count) const;
    // Whether so many packets of the type came, or connections were closed.
    bool wait_received(PacketType type, int count = 1) const;
    bool wait_closed(int count = 1) const;
    std::vector<BrokerEvent> events(Kind kind, std::optional<PacketType> type = std::nullopt) const;
    // PUBLISH packets with readings, of one connection or all.
    std::vector<Packet> readings(int connect_number = -1) const;

    TempDir directory_;
    CertificateAuthority ca_{directory_, "CA"};
    CertificatePair server_ = ca_.issue("server");
    std::unique_ptr<ScriptedBroker> broker_;
    std::unique_ptr<AgentProcess> agent_;
    std::string may_break_;  // a statement that can't be judged here, for the broker breaks one itself
};

// Which reading a PUBLISH of one carries; none: it is the status.
std::optional<int> reading_number(const Packet& publish);
std::set<int> reading_numbers(const std::vector<Packet>& publishes);
std::set<int> numbers_up_to(int count);
// A broker that takes everything.
inline void take_all(Peer& peer) {
    peer.accept();
    peer.serve();
}
// Reads until the next PUBLISH that carries a reading, acknowledging status messages on the way.
std::optional<Packet> read_reading(Peer& peer);
std::vector<Packet> read_readings(Peer& peer, int count);

}  // namespace holdfast::test
