// What Paho C 1.3.12 leaves to its surroundings, done right: the system calls and OpenSSL calls that it makes
// for a connection are answered here. docs/decisions/0009-seams-around-paho.md lists the faults that this
// mends and says why at these places.
//
// A Dial stands for one connection that Paho is to make. The transport resolves the name and connects the
// socket itself, gives it to a Dial, and then asks Paho to connect: Paho gets that socket. The dial also
// keeps what the TLS handshake saw, which Paho does not tell.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "base/unique_fd.hpp"
#include "config/config.hpp"
#include "forward/packet_check.hpp"
#include "forward/transport.hpp"

namespace holdfast {

struct Handshake;

class Dial {
  public:
    // How far a connection got, as far as it can be seen from outside.
    enum class Stage { given, taken, shaking_hands, secured };

    // `socket`: connected to the server, or to a proxy that passes everything on; not blocking. From here on
    // the next connection that Paho makes to this server gets it. `tls`: none for a plain connection.
    // `protocol` is what the broker's packets are held to, but for those over WebSocket.
    Dial(const Server& server, UniqueFd socket, std::optional<TlsConfig> tls, Protocol protocol);
    Dial(const Dial&) = delete;
    Dial& operator=(const Dial&) = delete;
    // Paho may still have the socket; it stays open for it.
    ~Dial();

    // Shuts the connection down at both ends, so that Paho finds it closed.
    void cut() const;
    Stage stage() const { return stage_; }
    // How long nothing has come from the server.
    std::optional<std::chrono::milliseconds> silence() const;
    // Why the handshake failed, or what the server said right after it; none: nothing is known.
    std::optional<LinkFailure> tls_failure() const;
    // From now on the topics of MQTT 5 messages are replaced by aliases, over mqtts.
    void use_aliases(std::uint16_t maximum, std::uint32_t packet_limit) const;
    // What the broker sent that breaks MQTT; Paho saw the connection end before it. None: nothing.
    std::optional<LinkFailure> broken_rule() const;
    // Of a handshake that was done.
    std::optional<TlsSession> tls_session() const;

    struct Seams;  // the functions that Paho reaches; they alone touch what is private

  private:
    const Server server_;
    const UniqueFd socket_;
    std::shared_ptr<Handshake> handshake_;  // null: plain
    std::atomic<int> taken_as_ = -1;        // Paho's descriptor
    std::atomic<Stage> stage_ = Stage::given;

    mutable std::mutex mutex_;  // of what follows
    std::optional<LinkFailure> tls_failure_;
    std::optional<TlsSession> tls_session_;
    std::optional<PacketCheck> check_;  // none over WebSocket
};

// While one of these lives, Paho's receiving thread looks at its sockets every few milliseconds: it does not
// notice by itself that a new one was added.
class PahoHurry {
  public:
    PahoHurry();
    PahoHurry(const PahoHurry&) = delete;
    PahoHurry& operator=(const PahoHurry&) = delete;
    ~PahoHurry();
};

// Wakes Paho's sending thread for what was handed to it; it misses a signal that comes while it looks through
// its queue, and would sleep for a second. To be called after every one or more calls that queue something.
void wake_paho_sender();

}  // namespace holdfast
