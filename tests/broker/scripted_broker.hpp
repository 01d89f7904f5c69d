// A broker whose every connection plays a script of the test, over TCP or TLS on the loopback interface.
//
// It keeps a log of all that happens with monotonic times, and has every packet of the clients checked by
// ClientRules. Each connection runs on a thread of its own, so that an agent which looks at the server beside
// its attempt disturbs no script. Scripts are numbered by the CONNECTs that came, not by the TCP connections.
#pragma once

#include <openssl/ssl.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/unique_fd.hpp"
#include "broker/client_rules.hpp"
#include "broker/packet.hpp"
#include "support/certificates.hpp"

namespace holdfast::test {

struct BrokerEvent {
    enum class Kind { accepted, handshake, handshake_failed, received, sent, malformed, closed };
    std::chrono::steady_clock::time_point time;
    int connection = 0;  // by TCP, from 0
    Kind kind = Kind::accepted;
    std::optional<Packet> packet = {};
    std::string text = {};   // of a failed handshake or a malformed packet
    std::string bytes = {};  // of a received packet, as they came; if the options say so
};

class ScriptedBroker {
  public:
    class Connection;
    // Called when the CONNECT has come; the connection is closed when it returns.
    using Script = std::function<void(Connection&)>;
    struct Options {
        std::optional<CertificatePair> tls = {};
        std::uint16_t port = 0;                 // 0: a free one
        std::size_t payload_bytes_kept = 1024;  // in the log
        bool greet = true;                      // false: the script runs before TLS and CONNECT
        bool keep_bytes = false;                // of received packets, in the log
        bool keep_events = true;                // false: no log, for very many packets; the rules hold
        int receive_buffer = 0;                 // of each connection, in bytes; 0: as the kernel has it
    };

    explicit ScriptedBroker(Script script) : ScriptedBroker(std::move(script), Options()) {}
    ScriptedBroker(Script script, Options options);
    ScriptedBroker(const ScriptedBroker&) = delete;
    ScriptedBroker& operator=(const ScriptedBroker&) = delete;
    ~ScriptedBroker();

    std::uint16_t port() const { return port_; }
    int connects() const { return connects_; }  // CONNECT packets so far
    std::vector<BrokerEvent> log() const;
    std::vector<Packet> received(PacketType type) const;
    // Whether `holds` became true for the log; asked at each event. False after the limit.
    bool wait(const std::function<bool(const std::vector<BrokerEvent>&)>& holds,
              std::chrono::seconds limit = std::chrono::seconds(30)) const;
    bool wait_connects(int count, std::chrono::seconds limit = std::chrono::seconds(30)) const;
    std::string violations() const;  // a line each; empty: none
    std::vector<Violation> violation_list() const;

  private:
    struct Free {
        void operator()(SSL_CTX* p) const { SSL_CTX_free(p); }
        void operator()(SSL* p) const { SSL_free(p); }
    };
    struct Served {
        std::thread thread;
        std::atomic<bool> over = false;
    };

    void accept_all();
    void serve(UniqueFd fd, int number);
    void note(BrokerEvent event);
    void note_received(Connection& connection, const Packet& packet, std::string_view bytes);
    void note_sent(Connection& connection, const Packet& packet);
    void note_defect(Connection& connection, const Defect& defect);

    const Script script_;
    const Options options_;
    std::unique_ptr<SSL_CTX, Free> context_;
    UniqueFd listener_;
    std::uint16_t port_ = 0;
    std::atomic<bool> stopping_ = false;
    std::atomic<int> connects_ = 0;
    mutable std::mutex mutex_;
    mutable std::condition_variable changed_;
    std::vector<BrokerEvent> log_;
    ClientRules rules_;
    std::list<Served> served_;  // the accepting thread's own
    std::thread thread_;
};

// One connection of a client, as its script sees it. Reads end when the client closes, the broker stops, or
// nothing came for the limit.
class ScriptedBroker::Connection {
  public:
    using Limit = std::chrono::milliseconds;
    static constexpr Limit patience{30'000};

    // How many CONNECTs came before this one: 0 for the first.
    int number() const { return number_; }
    // Whether the client has closed; or the script gave the connection up.
    bool ended() const { return over_; }
    const Packet& connect() const { return connect_; }
    MqttVersion version() const { return version_; }

    std::optional<Packet> read(Limit limit = patience);
    // The next packet of the type; others are taken in on the way, PINGREQ is answered.
    std::optional<Packet> read(PacketType type, Limit limit = patience);
    void send(const Packet& packet);
    void send_raw(std::string_view bytes);                        // not told to the rules
    void send_as(const Packet& meaning, std::string_view bytes);  // the rules are told the meaning
    void accept(Properties properties = {}) { send_connack(0, false, std::move(properties)); }
    void resume(Properties properties = {}) { send_connack(0, true, std::move(properties)); }
    void send_connack(std::uint8_t reason, bool session_present = false, Properties properties = {});
    void acknowledge(const Packet& publish, std::uint8_t reason = 0);  // QoS 1: PUBACK, 2: PUBREC
    // Answers what a good broker would, until the client closes.
    void serve();
    void answer(const Packet& packet);
    void read_to_end();  // without an answer
    // Reads nothing until no more comes in, for all buffers on the way are full; returns how many bytes did.
    std::size_t wait_until_full() const;
    void reset();  // the client gets a TCP reset

  private:
    friend class ScriptedBroker;
    Connection(ScriptedBroker& broker, UniqueFd fd, int tcp_number)
        : broker_(broker), fd_(std::move(fd)), tcp_number_(tcp_number) {}

    bool handshake();
    bool greet();
    bool wait_for(short events, std::chrono::steady_clock::time_point deadline) const;
    bool fill(std::chrono::steady_clock::time_point deadline);

    ScriptedBroker& broker_;
    UniqueFd fd_;
    std::unique_ptr<SSL, Free> ssl_;
    const int tcp_number_;
    int number_ = -1;
    MqttVersion version_ = MqttVersion::v5;
    Packet connect_;
    std::string buffer_;
    bool over_ = false;
};

}  // namespace holdfast::test
