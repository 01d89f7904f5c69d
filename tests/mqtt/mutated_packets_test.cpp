// A broker whose packets are broken in every way, against the real transport with the real Paho: whatever
// comes, nothing is read or written out of bounds, the next connection is a good one, and what is not broken
// is answered.
//
// HOLDFAST_PACKETS says how many packets (6000 under the sanitizers, 2000 without), HOLDFAST_SEED which.
#include <gtest/gtest.h>
#include <signal.h>

#include <array>
#include <atomic>
#include <condition_variable>
#include <cstdlib>
#include <functional>
#include <mutex>
#include <random>
#include <thread>

#include "base/sanitized.hpp"
#include "broker/scripted_broker.hpp"
#include "forward/paho_transport.hpp"
#include "support/recording_log.hpp"

namespace holdfast::test {
namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;
using Random = std::mt19937_64;
using Peer = ScriptedBroker::Connection;

constexpr long default_packets = sanitized ? 6'000 : 2'000;
constexpr int clients = 8;
constexpr int packets_per_connection = 24;

long number_from(const char* variable, long otherwise) {
    const char* text = ::getenv(variable);
    return text != nullptr ? std::atol(text) : otherwise;
}

std::size_t below(Random& random, std::size_t end) {
    return std::uniform_int_distribution<std::size_t>(0, end - 1)(random);
}

Properties all_properties_of_connack() {
    return {{property::receive_maximum, 20U},
            {property::maximum_qos, 1U},
            {property::retain_available, 1U},
            {property::maximum_packet_size, 100'000U},
            {property::assigned_client_id, "assigned"s},
            {property::topic_alias_maximum, 5U},
            {property::reason_string, "well"s},
            {property::user_property, Property::Pair{"a", "b"}},
            {property::wildcard_available, 1U},
            {property::subscription_ids_available, 1U},
            {property::shared_available, 1U},
            {property::server_keep_alive, 60U},
            {property::response_information, "there"s},
            {property::server_reference, "elsewhere"s}};
}

// A good packet to begin with; ids are such as the client has in flight.
Packet good_packet(Random& random) {
    const auto id = static_cast<std::uint16_t>(1 + below(random, 4));
    const Properties explained{{property::reason_string, "because"s},
                               {property::user_property, Property::Pair{"key", "value"}}};
    switch (below(random, 11)) {
        case 0:
            return {.type = PacketType::publish, .topic = "a/b", .payload = "payload"};
        case 1:
        case 2:
            return {.type = PacketType::publish,
                    .qos = static_cast<int>(1 + below(random, 2)),
                    .topic = "a/b",
                    .payload = std::string(below(random, 300), 'p'),
                    .id = id,
                    .properties = {{property::payload_format, 1U},
                                   {property::message_expiry, 60U},
                                   {property::content_type, "text"s},
                                   {property::response_topic, "c"s},
                                   {property::correlation_data, "d"s},
                                   {property::subscription_id, 300U},
                                   {property::user_property, Property::Pair{"e", "f"}}}};
        case 3:
            return {.type = PacketType::puback, .id = id, .reason = 0x10, .properties = explained};
        case 4:
            return {.type = PacketType::pubrec, .id = id, .reason = 0, .properties = explained};
        case 5:
            return {.type = PacketType::pubrel, .id = id, .reason = 0, .properties = explained};
        case 6:
            return {.type = PacketType::pubcomp, .id = id, .reason = 0, .properties = explained};
        case 7:
            return {.type = PacketType::suback, .id = id, .codes = {0, 1, 0x80}, .properties = explained};
        case 8:
            return {.type = PacketType::unsuback, .id = id, .codes = {0, 0x11}, .properties = explained};
        case 9:
            return {.type = PacketType::disconnect, .reason = 0x8B, .properties = explained};
        default:
            return {.type = PacketType::connack, .properties = all_properties_of_connack()};
    }
}

// Well-formed still, but of another message, at another time, for another reason.
Packet scramble(Packet packet, Random& random) {
    packet.id = static_cast<std::uint16_t>(below(random, 8));
    if (below(random, 2) == 0) packet.reason = static_cast<std::uint8_t>(random());
    packet.dup = below(random, 2) == 0;
    packet.retain = below(random, 2) == 0;
    if (below(random, 4) == 0) packet.qos = static_cast<int>(below(random, 3));
    if (below(random, 4) == 0) packet.topic = std::string(below(random, 70), '\xC3') + "\xA9";
    if (below(random, 4) == 0) packet.codes.resize(below(random, 5));
    const Properties once = packet.properties;
    if (below(random, 4) == 0) packet.properties.insert(packet.properties.end(), once.begin(), once.end());
    return packet;
}

std::string variable_byte_integer(std::size_t value) {
    std::string bytes;
    do {
        bytes += static_cast<char>((value & 0x7F) | (value > 0x7F ? 0x80 : 0));
        value >>= 7;
    } while (value > 0);
    return bytes;
}

// Type and flags; then the body, for a new length before it.
std::string mutate_body(std::string body, Random& random) {
    constexpr std::array<char, 6> telling{'\x00', '\x01', '\x7F', '\x80', '\xFE', '\xFF'};
    for (auto turns = 1 + below(random, 3); turns > 0; --turns) {
        if (body.empty()) body += telling[below(random, telling.size())];
        const std::size_t at = below(random, body.size());
        switch (below(random, 6)) {
            case 0:
                body[at] = static_cast<char>(body[at] ^ (1 << below(random, 8)));
                break;
            case 1:
                body[at] = telling[below(random, telling.size())];
                break;
            case 2:
                body.resize(at);
                break;
            case 3:
                body.erase(at, 1 + below(random, 4));
                break;
            case 4:
                body.insert(at, 1 + below(random, 40), static_cast<char>(random()));
                break;
            default:
                body += body.substr(at);
        }
    }
    return body;
}

struct Mutant {
    std::string bytes;
    bool whole = true;  // false: the client may wait for more
};

Mutant mutate(const std::string& good, Random& random) {
    const std::size_t header = 1 + variable_byte_integer(good.size() - 2).size();
    std::string body = good.size() > header ? good.substr(header) : "";
    char first = good[0];
    switch (below(random, 12)) {
        case 0:
            return {good + good};
        case 1:
            first = static_cast<char>(first ^ (1 << below(random, 4)));
            break;
        case 2:
            first = static_cast<char>((first & 0x0F) | static_cast<int>(below(random, 16) << 4));
            break;
        case 3:
            return {good.substr(0, below(random, good.size())), false};
        case 4:
            return {first + "\xFF\xFF\xFF\x7F"s + body, false};
        case 5:
            return {first + "\xFF\xFF\xFF\xFF\x01"s + body, false};
        case 6:
            return {first + variable_byte_integer(body.size() + 1 + below(random, 3)) + body, false};
        case 7:
            return {first + variable_byte_integer(below(random, body.size() + 1)) + body, false};
        default:
            body = mutate_body(std::move(body), random);
    }
    return {first + variable_byte_integer(body.size()) + body};
}

Mutant next_mutant(MqttVersion version, Random& random) {
    Packet packet = good_packet(random);
    const auto way = below(random, 4);
    if (way < 3) packet = scramble(std::move(packet), random);
    const std::string bytes = encode_packet(packet, version);
    return way < 2 ? Mutant{bytes} : mutate(bytes, random);
}

class MutatedPackets : public ::testing::TestWithParam<MqttVersion> {
  protected:
    // One broker for all clients; its n-th connection has the n-th seed.
    void play(Peer& peer) {
        Random random(seed_ + static_cast<std::uint64_t>(peer.number()));
        if (peer.number() % 4 == 3) {
            const std::string connack = encode_packet(
                {.type = PacketType::connack, .properties = all_properties_of_connack()}, peer.version());
            peer.send_raw(mutate(connack, random).bytes);
            ++sent_;
            (void)peer.read(50ms);
            return;
        }
        peer.accept();
        (void)peer.read(PacketType::publish, 2s);
        for (int turn = 0; turn < packets_per_connection && !peer.ended(); ++turn) {
            const Mutant mutant = next_mutant(peer.version(), random);
            peer.send_raw(mutant.bytes);
            ++sent_;
            if (!mutant.whole) break;
            if (!lives_on(peer)) break;
            ++alive_;
        }
        (void)peer.read(5ms);
    }
    // Whether the client acknowledges a good one.
    static bool lives_on(Peer& peer) {
        constexpr std::uint16_t id = 60'000;
        peer.send({.type = PacketType::publish, .qos = 1, .topic = "alive", .id = id});
        while (const auto answer = peer.read(PacketType::puback, 200ms))
            if (answer->id == id) return true;
        return false;
    }

    const std::uint64_t seed_ = static_cast<std::uint64_t>(number_from("HOLDFAST_SEED", 1));
    std::atomic<long> sent_ = 0;
    std::atomic<long> alive_ = 0;      // good packets that were answered after a mutant
    std::atomic<long> connected_ = 0;  // as the clients see it
};

// Connects while it `goes_on`, publishes a little, and waits for the end of each connection.
class Client {
  public:
    Client(std::uint16_t port, MqttVersion version, int number) {
        request_.server =
            Server{.scheme = Scheme::mqtt, .host = "127.0.0.1", .port = port, .path = "", .url = ""};
        request_.client_id = "mutants-" + std::to_string(number);
        request_.protocol = version == MqttVersion::v5 ? Protocol::v5 : Protocol::v3_1_1;
        request_.timeout = 1s;
    }

    void run(const std::function<bool()>& goes_on, std::atomic<long>& connected) {
        DeliveryToken token = 0;
        while (goes_on()) {
            request_.clean_start = token % 2 == 0;
            transport_->connect(request_);
            if (wait_for_news(3s) == News::connected) {
                ++connected;
                for (int qos : {0, 1, 2, 1})
                    transport_->publish(++token, {"t", "reading", qos, false});
                (void)wait_for_news(3s);
            }
            transport_->drop();
        }
    }

  private:
    enum class News { nothing, connected, ended };

    News wait_for_news(std::chrono::seconds limit) {
        std::unique_lock lock(mutex_);
        changed_.wait_for(lock, limit, [this] { return news_ != News::nothing; });
        return std::exchange(news_, News::nothing);
    }
    void hear(const transport::Event& event) {
        const std::lock_guard lock(mutex_);
        if (std::holds_alternative<transport::Connected>(event)) news_ = News::connected;
        if (std::holds_alternative<transport::ConnectFailed>(event) ||
            std::holds_alternative<transport::ConnectionLost>(event))
            news_ = News::ended;
        changed_.notify_all();
    }

    ConnectRequest request_;
    RecordingLog log_;
    std::mutex mutex_;
    std::condition_variable changed_;
    News news_ = News::nothing;
    std::unique_ptr<Transport> transport_ =
        make_paho_transport([this](transport::Event event) { hear(event); }, log_);
};

TEST_P(MutatedPackets, HarmNothing) {
    ::signal(SIGPIPE, SIG_IGN);
    const long wanted = number_from("HOLDFAST_PACKETS", default_packets) / 2;
    std::printf("seed %llu, %ld packets\n", static_cast<unsigned long long>(seed_), wanted);
    ScriptedBroker::Options options;
    options.keep_events = false;
    ScriptedBroker broker([&](Peer& peer) { play(peer); }, std::move(options));
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(100) * wanted + 60s;
    const auto goes_on = [&] { return sent_ < wanted && std::chrono::steady_clock::now() < deadline; };
    std::vector<std::thread> threads;
    for (int number = 0; number < clients; ++number)
        threads.emplace_back(
            [&, number] { Client(broker.port(), GetParam(), number).run(goes_on, connected_); });
    for (std::thread& thread : threads)
        thread.join();
    std::printf("%ld packets over %d connections, %ld of them good, %ld packets survived\n", sent_.load(),
                broker.connects(), connected_.load(), alive_.load());
    EXPECT_GE(sent_, wanted);
    EXPECT_GT(connected_, broker.connects() / 3);
    EXPECT_GT(alive_, broker.connects() / 8);
}
INSTANTIATE_TEST_SUITE_P(By, MutatedPackets, ::testing::Values(MqttVersion::v5, MqttVersion::v3_1_1),
                         [](const auto& i) { return i.param == MqttVersion::v5 ? "Mqtt5" : "Mqtt3_1_1"; });

}  // namespace
}  // namespace holdfast::test
