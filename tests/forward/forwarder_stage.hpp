// A forwarder with a clock, a log and a record of what it asked for: the stage of its tests.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "forward/forwarder.hpp"
#include "support/fake_clock.hpp"
#include "support/make_batch.hpp"
#include "support/recording_log.hpp"

namespace holdfast::test {
using Seqs = std::vector<std::uint64_t>;

inline BrokerConfig broker_config(int servers = 1) {
    BrokerConfig config;
    for (int i = 0; i < servers; ++i)
        config.servers.push_back({Scheme::mqtts, "b", 8883, "", "mqtts://b" + std::to_string(i)});
    config.client_id = "gw-17";
    config.status_topic = "holdfast/gw-17/status";
    config.max_in_flight = 4;
    return config;
}

inline BrokerConfig without_status(BrokerConfig config = broker_config()) {
    config.status_topic.clear();
    return config;
}

inline LinkFailure passing(std::string text = "connection refused") {
    return {LinkFailure::Class::passing, 0, std::move(text)};
}
inline LinkFailure person(std::string text = "not authorised (0x87)") {
    return {LinkFailure::Class::person, 0x87, std::move(text)};
}
inline LinkFailure version() {
    return {LinkFailure::Class::protocol_version, 0x84, "unsupported protocol version"};
}

// A forwarder with a clock, a log, and a record of what it asked for.
class ForwarderStage {
  public:
    explicit ForwarderStage(BrokerConfig config = without_status(), std::uint64_t seed = 1)
        : forwarder(config, {"gw-17", "1.0", 0xAB, 0, TimestampUnit::milliseconds}, log, seed) {
        forwarder.start(clock.now());
        step();
    }

    void step() {
        for (action::Any& action : forwarder.step(clock.now()))
            std::visit([&](auto& what) { record(what); }, action);
    }
    void tell(const transport::Event& event) {
        if (const auto* connected = std::get_if<transport::Connected>(&event)) fail_lost(*connected);
        if (const auto* delivered = std::get_if<transport::Delivered>(&event))
            unanswered_.erase(delivered->token);
        if (const auto* failed = std::get_if<transport::DeliveryFailed>(&event))
            unanswered_.erase(failed->token);
        forwarder.told(event, clock.now());
        step();
    }
    void offer(Seqs seqs) {
        std::vector<Batch> batches;
        for (const auto seq : seqs)
            batches.push_back(simple_batch(seq));
        forwarder.offered(std::move(batches));
        step();
    }
    // Lets time pass until `until` (at least to the next thing due) in the steps that the forwarder asks for.
    void pass(Micros time) {
        const MonoTime end = clock.now() + time;
        while (true) {
            const auto next = forwarder.next_step();
            if (!next || *next > end) break;
            clock.advance(std::max(Micros(1), std::chrono::duration_cast<Micros>(*next - clock.now())));
            step();
        }
        if (clock.now() < end) clock.advance(std::chrono::duration_cast<Micros>(end - clock.now()));
        step();
    }
    // Until it attempts to connect once more; returns how long that took.
    std::chrono::milliseconds until_attempt() {
        const MonoTime begin = clock.now();
        if (const auto next = forwarder.next_step(); next && connects.size() == attempts_seen_) {
            clock.advance(std::max(Micros(0), std::chrono::duration_cast<Micros>(*next - begin)));
            step();
        }
        EXPECT_EQ(connects.size(), ++attempts_seen_);
        return std::chrono::duration_cast<std::chrono::milliseconds>(clock.now() - begin);
    }
    void connect(transport::Connected answer = {}) {
        (void)until_attempt();
        tell(answer);
        ASSERT_EQ(forwarder.status().state, BrokerState::connected);
    }
    DeliveryToken token_of(std::uint64_t seq) const { return tokens.at(seq); }
    void deliver(std::uint64_t seq) { tell(transport::Delivered{token_of(seq)}); }
    void fail(std::uint64_t seq, int code) {
        tell(transport::DeliveryFailed{token_of(seq), code, "said no"});
    }
    Seqs take_published() { return std::exchange(published, {}); }

    FakeClock clock;
    RecordingLog log;
    Forwarder forwarder;
    std::vector<action::Connect> connects;
    Seqs published;  // seqs of batches in the order of sending
    std::vector<action::Publish> messages;
    std::map<std::uint64_t, DeliveryToken> tokens;
    std::vector<std::string> statuses;
    DeliveryToken status_token = 0;
    Seqs acknowledged, given_back, refused;
    std::vector<Refusal> refusals;
    std::vector<Oversize> splits;
    std::vector<bool> links;
    std::uint64_t demanded = 0;
    int drops = 0, disconnects = 0, probes = 0;

  private:
    std::size_t attempts_seen_ = 0;
    std::set<DeliveryToken> unanswered_;

    // What the transport does with messages of a session that the broker did not keep.
    void fail_lost(const transport::Connected& event) {
        if (event.session_present && !connects.back().clean_start) return;
        for (const DeliveryToken token : std::exchange(unanswered_, {}))
            forwarder.told(transport::DeliveryFailed{token, -1, "the session was lost"}, clock.now());
    }

    void record(action::Connect& what) { connects.push_back(what); }
    void record(action::Probe&) { ++probes; }
    void record(action::Publish& what) {
        messages.push_back(what);
        unanswered_.insert(what.token);
        const auto json = nlohmann::json::parse(what.message.payload);
        if (json.contains("state")) {
            statuses.push_back(json["state"]);
            status_token = what.token;
            return;
        }
        const std::string id = json["id"];
        const std::uint64_t seq = std::stoull(id.substr(id.find('-') + 1));
        published.push_back(seq);
        tokens[seq] = what.token;
    }
    void record(action::Disconnect&) { ++disconnects; }
    void record(action::Drop&) { ++drops; }
    void record(action::SetLink& what) { links.push_back(what.up); }
    void record(action::Demand& what) { demanded += what.count; }
    void record(action::Acknowledge& what) {
        acknowledged.insert(acknowledged.end(), what.seqs.begin(), what.seqs.end());
    }
    void record(action::SetAside& what) {
        refused.push_back(what.refusal.seq);
        refusals.push_back(what.refusal);
    }
    void record(action::Split& what) { splits.push_back(what.oversize); }
    void record(action::GiveBack& what) {
        given_back.insert(given_back.end(), what.seqs.begin(), what.seqs.end());
    }
};

}  // namespace holdfast::test
