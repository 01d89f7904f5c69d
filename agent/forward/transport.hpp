// The link to a broker as the forwarder sees it. PahoTransport is the real one; tests script their own.
//
// Every call only starts something and is answered by an event; events come on any thread and go to the sink
// given at construction, which must only post them on. Calls come from one thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "config/config.hpp"
#include "forward/tls_session.hpp"

namespace holdfast {

struct Will {
    std::string topic;
    std::string payload;
    int qos = 1;
    bool retain = true;
};

// A proxy and what lets us in.
struct ProxyAccess {
    ProxyConfig proxy;
    std::string password;
};

struct ConnectRequest {
    Server server;
    std::optional<ProxyAccess> proxy = {};  // on the way to the server
    std::string client_id;
    std::string username;  // empty: none
    std::string password;
    Protocol protocol = Protocol::v5;  // never automatic: the forwarder decides
    bool clean_start = true;           // 3.1.1: clean session
    std::chrono::seconds keep_alive{30};
    std::chrono::milliseconds timeout{10'000};  // for DNS, TCP, proxy, TLS and CONNACK together
    // By 3.1.1 over mqtts: what has no acknowledgement for so long is sent again; MQTT 5 forbids it. 0: it is
    // not.
    std::chrono::seconds retry_interval{0};
    TlsConfig tls;
    std::shared_ptr<const void> files;  // what the paths in tls lead to, where that is not on disk
    std::optional<Will> will;
};

// What the broker said in its CONNACK (MQTT 5; the defaults are what its absence means).
struct BrokerLimits {
    std::uint32_t receive_maximum = 65'535;
    int maximum_qos = 2;
    bool retain_available = true;
    std::uint32_t maximum_packet_size = 0;  // bytes; 0: no limit
    std::optional<std::uint16_t> server_keep_alive;
    std::string assigned_client_id;
    std::uint16_t topic_alias_maximum = 0;
};

struct Message {
    std::string topic;
    std::string payload;
    int qos = 1;
    bool retain = false;
    // MQTT 5 only; nothing of it is sent by 3.1.1.
    std::string content_type = {};                               // empty: not said
    std::optional<std::uint32_t> expiry_s = {};                  // none: it never expires
    std::vector<std::pair<std::string, std::string>> user = {};  // user properties
};

using DeliveryToken = std::uint64_t;  // the caller's name for a message, unique among those in flight

// Why a connection could not be made or was lost; the class is what the forwarder does about it.
struct LinkFailure {
    enum class Class {
        passing,  // try again with backoff
        person,   // credentials, authorisation, client id, certificate: slow backoff, state "refused"
        protocol_version,  // the broker does not speak the version: try the older one if allowed
    };
    Class kind = Class::passing;
    int code = 0;      // CONNACK or DISCONNECT reason code, or 0
    std::string text;  // "certificate of broker.example.com has expired", "not authorised (0x87)", ...
};

namespace transport {
struct Connected {
    bool session_present = false;
    BrokerLimits limits;
    std::optional<TlsSession> tls = {};
};
struct ConnectFailed {
    LinkFailure failure;
};
struct ConnectionLost {
    LinkFailure failure;
};
struct Delivered {  // QoS 0: written; 1: PUBACK; 2: PUBCOMP. Reason codes below 0x80 are success
    DeliveryToken token = 0;
};
struct DeliveryFailed {  // the broker said no (code >= 0x80), or the session was lost (code < 0)
    DeliveryToken token = 0;
    int code = 0;
    std::string text;
};
struct Subscribed {
    std::string error;  // empty: granted
};
struct Received {
    std::string topic;
    std::string payload;
    int qos = 0;
    bool retained = false;
};
struct Disconnected {};  // answer to disconnect()
struct Probed {          // answer to probe()
    bool reachable = false;
};
using Event = std::variant<Connected, ConnectFailed, ConnectionLost, Delivered, DeliveryFailed, Subscribed,
                           Received, Disconnected, Probed>;
}  // namespace transport

class Transport {
  public:
    using Sink = std::function<void(transport::Event)>;
    virtual ~Transport() = default;

    // Answered by Connected or ConnectFailed. Also reconnects: unacknowledged messages of the same server and
    // client id are sent again by the transport when the broker kept the session, and fail with
    // DeliveryFailed (code < 0), before Connected, when it did not. What was never sent goes with the new
    // connection in either case.
    virtual void connect(const ConnectRequest& request) = 0;
    // Answered by Delivered or DeliveryFailed, perhaps before it returns. False: not taken, no event will
    // come.
    virtual bool publish(DeliveryToken token, Message message) = 0;
    // Answered by Subscribed.
    virtual void subscribe(const std::vector<std::string>& filters, int qos) = 0;
    // Sends DISCONNECT. Answered by Disconnected; give up waiting after a while.
    virtual void disconnect() = 0;
    // Whether another server than the connected one takes TCP connections, by the way of the connected one:
    // its proxy, if it has one. Answered by Probed.
    virtual void probe(const Server& server, std::chrono::milliseconds timeout) = 0;
    // Drops the connection (or the attempt) at once, without DISCONNECT, so that the broker sends the will.
    // Unanswered deliveries will fail or be resent as after a lost connection. No ConnectionLost event
    // follows.
    virtual void drop() = 0;
};

}  // namespace holdfast
