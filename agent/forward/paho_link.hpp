// One client object of the Paho library: one server, client id and version, over any number of connections,
// so that a session the broker kept goes on after a reconnect. Its source file is the only one that includes
// <mqtt/...>.
//
// Paho is used as a plain session: no automatic reconnect, no buffering, no persistence; callbacks are set
// before the first connect and never changed (paho.mqtt.cpp #356); each connect has a listener and no
// connected handler (#322). No call throws. publish() is called by the forwarder thread, all else by the
// transport's own thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "forward/transport.hpp"

namespace holdfast {

class PahoLink {
  public:
    // Where an attempt ended that got no CONNACK.
    enum class Stage { network, after_connect };

    // What happens on Paho's threads; implementations only post it.
    class Events {
      public:
        virtual ~Events() = default;
        virtual void connected(std::uint64_t attempt, transport::Connected event) = 0;
        virtual void refused(std::uint64_t attempt, LinkFailure failure) = 0;  // by a CONNACK
        // `tls`: what the handshake, or the server right after it, said; none: that was not the reason.
        virtual void unreachable(std::uint64_t attempt, Stage stage, std::optional<LinkFailure> tls) = 0;
        virtual void lost(std::uint64_t attempt, LinkFailure failure) = 0;
        virtual void answered(transport::Event event) = 0;  // Delivered, DeliveryFailed, Subscribed, Received
    };

    static Result<std::unique_ptr<PahoLink>> make(const ConnectRequest& request, Events& events);
    virtual ~PahoLink() = default;  // closes the connection if there is one; may wait for a name server

    // Whether a connection for this request may go on with the session of this object.
    virtual bool fits(const ConnectRequest& request) const = 0;
    // Over `socket`, which is connected to the request's server. Answered by connected(), refused() or
    // unreachable() unless it fails here.
    virtual Result<void> connect(std::uint64_t attempt, const ConnectRequest& request, UniqueFd socket) = 0;
    // Whether the connection under way has got beyond its TLS handshake, if it has one.
    virtual bool is_secured() const = 0;
    // How long nothing has come from the server, as the kernel counts; none: there is no connection.
    virtual std::optional<std::chrono::milliseconds> silence() const = 0;
    virtual bool publish(DeliveryToken token, Message message) = 0;
    virtual Result<void> subscribe(const std::vector<std::string>& filters, int qos) = 0;
    // Sends DISCONNECT, ends the session at the broker and waits until it is on its way, at most `longest`.
    virtual void disconnect(std::chrono::milliseconds longest) = 0;
    // Ends the attempt or connection without DISCONNECT. False: Paho did not notice within `longest`; destroy
    // the object.
    virtual bool cut(std::chrono::milliseconds longest) = 0;
    // Fails every message that has no answer yet, and ignores answers that come later.
    virtual void give_up() = 0;
};

}  // namespace holdfast
