#include "forward/paho_link.hpp"

#include <mqtt/async_client.h>

#include <atomic>
#include <condition_variable>
#include <mutex>

#include "forward/delivery_table.hpp"
#include "forward/paho_seams.hpp"
#include "forward/paho_transport.hpp"
#include "forward/reason_codes.hpp"
#include "forward/tcp_connect.hpp"
#include "forward/tls_policy.hpp"

namespace holdfast {
namespace {

using namespace std::chrono_literals;

constexpr int session_lost =
    MQTTASYNC_OPERATION_INCOMPLETE;  // what Paho says when the broker did not keep the session
constexpr std::int32_t session_expiry_s = 24 * 3600;  // long enough to resume after any usual outage
constexpr int no_limit_of_paho = 65'535;              // the forwarder keeps the window

int paho_version(Protocol protocol) {
    return protocol == Protocol::v5 ? MQTTVERSION_5 : MQTTVERSION_3_1_1;
}

std::string paho_uri(const Server& server) {
    const char* scheme = server.scheme == Scheme::mqtt    ? "tcp://"
                         : server.scheme == Scheme::mqtts ? "ssl://"
                         : server.scheme == Scheme::ws    ? "ws://"
                                                          : "wss://";
    return scheme + host_and_port(server.host, server.port) + server.path;
}

mqtt::create_options create_options_for(Protocol protocol) {
    mqtt::create_options options(paho_version(protocol));
    // Nothing is buffered while disconnected; this bounds what waits for Paho's thread while connected.
    options.set_max_buffered_messages(no_limit_of_paho);
    return options;
}

Result<mqtt::ssl_options> ssl_options_for(const TlsConfig& tls, const std::string& host) {
    auto password = read_key_password(tls);
    if (!password) return password.error();
    mqtt::ssl_options options;
    if (tls.verify) options.set_trust_store(tls.ca_file.string());
    if (!tls.cert_file.empty()) {
        options.set_key_store(tls.cert_file.string());
        options.set_private_key(tls.key_file.string());
        options.set_private_key_password(*password);
    }
    options.set_enabled_cipher_suites(tls_cipher_list);
    options.set_enable_server_cert_auth(tls.verify);
    // The host name is verified in the handshake (prepare_handshake); this is a second look at it, which can
    // not read an IPv6 address (SSLSocket_connect compares its brackets too).
    options.set_verify(tls.verify && host.find(':') == std::string::npos);
    if (!tls.alpn.empty()) options.set_alpn_protos(tls.alpn);
    return options;
}

// The C library's options within those of the C++ library, which lacks setters for some of them. That they
// are private does not count where a template is instantiated explicitly ([temp.spec.general]); no way to
// them is public in 1.2 and 1.5 alike.
MQTTAsync_connectOptions& c_options(mqtt::connect_options& options);
MQTTAsync_disconnectOptions& c_options(mqtt::disconnect_options& options);
template <class Options, class COptions, COptions Options::*member>
struct Opened {
    friend COptions& c_options(Options& options) { return options.*member; }
};
template struct Opened<mqtt::connect_options, MQTTAsync_connectOptions, &mqtt::connect_options::opts_>;
template struct Opened<mqtt::disconnect_options, MQTTAsync_disconnectOptions,
                       &mqtt::disconnect_options::opts_>;

void set_retry_interval(mqtt::connect_options& options, std::chrono::seconds interval) {
    c_options(options).retryInterval = static_cast<int>(interval.count());
}

// Else the C library, told of a version without them, leaves the properties out (MQTTAsync.h:
// MQTTAsync_disconnectOptions_initializer5).
void let_properties_out(mqtt::disconnect_options& options) {
    c_options(options).struct_version = 1;
}

// Filled in place: C++ 1.2.0 leaves a pointer to the old object's properties in one that was copied or moved.
Result<void> fill(mqtt::connect_options& options, const ConnectRequest& request) {
    options.set_mqtt_version(paho_version(request.protocol));
    if (request.protocol == Protocol::v5) {
        options.set_clean_start(request.clean_start);
        mqtt::properties properties;
        properties.add(mqtt::property(mqtt::property::SESSION_EXPIRY_INTERVAL, session_expiry_s));
        options.set_properties(std::move(properties));
    } else {
        options.set_clean_session(request.clean_start);
    }
    options.set_keep_alive_interval(request.keep_alive);
    options.set_connect_timeout(std::chrono::ceil<std::chrono::seconds>(request.timeout));
    options.set_max_inflight(no_limit_of_paho);
    if (request.protocol == Protocol::v3_1_1 && request.server.scheme == Scheme::mqtts)
        set_retry_interval(options, request.retry_interval);
    if (!request.username.empty()) options.set_user_name(request.username);
    if (!request.password.empty()) options.set_password(request.password);
    if (request.will) {
        const Will& will = *request.will;
        options.set_will(mqtt::will_options(will.topic, will.payload, will.qos, will.retain));
    }
    if (uses_tls(request.server.scheme)) {
        auto ssl = ssl_options_for(request.tls, request.server.host);
        if (!ssl) return ssl.error();
        options.set_ssl(*ssl);
    }
    return {};
}

mqtt::properties properties_of(const Message& message) {
    using Code = mqtt::property;
    mqtt::properties properties;
    if (!message.content_type.empty()) properties.add({Code::CONTENT_TYPE, message.content_type});
    if (message.expiry_s)
        properties.add({Code::MESSAGE_EXPIRY_INTERVAL, static_cast<std::int32_t>(*message.expiry_s)});
    for (const auto& [name, value] : message.user)
        properties.add({Code::USER_PROPERTY, name, value});
    return properties;
}

// The name of its enumerator is spelled in two ways (C++ 1.2 and 1.5); the number is MQTT's (2.2.2.2).
constexpr auto assigned_client_identifier = static_cast<mqtt::property::code>(18);

BrokerLimits limits_from(const mqtt::properties& properties) {
    using Code = mqtt::property;
    BrokerLimits limits;
    if (properties.contains(Code::RECEIVE_MAXIMUM))
        limits.receive_maximum = mqtt::get<std::uint16_t>(properties, Code::RECEIVE_MAXIMUM);
    if (properties.contains(Code::MAXIMUM_QOS))
        limits.maximum_qos = mqtt::get<std::uint8_t>(properties, Code::MAXIMUM_QOS);
    if (properties.contains(Code::RETAIN_AVAILABLE))
        limits.retain_available = mqtt::get<std::uint8_t>(properties, Code::RETAIN_AVAILABLE) != 0;
    if (properties.contains(Code::MAXIMUM_PACKET_SIZE))
        limits.maximum_packet_size = mqtt::get<std::uint32_t>(properties, Code::MAXIMUM_PACKET_SIZE);
    if (properties.contains(Code::SERVER_KEEP_ALIVE))
        limits.server_keep_alive = mqtt::get<std::uint16_t>(properties, Code::SERVER_KEEP_ALIVE);
    if (properties.contains(assigned_client_identifier))
        limits.assigned_client_id = mqtt::get<std::string>(properties, assigned_client_identifier);
    if (properties.contains(Code::TOPIC_ALIAS_MAXIMUM))
        limits.topic_alias_maximum = mqtt::get<std::uint16_t>(properties, Code::TOPIC_ALIAS_MAXIMUM);
    return limits;
}

// The attempt or connection that is going on, as far as Paho has told. Thread-safe.
class Activity {
  public:
    void begin(std::shared_ptr<Dial> dial) {
        const std::lock_guard lock(mutex_);
        dial_ = std::move(dial);
        hurry_.emplace();
    }
    // Paho needs no hurry any more.
    void connected() {
        const std::lock_guard lock(mutex_);
        hurry_.reset();
    }
    void end() {
        const std::lock_guard lock(mutex_);
        dial_.reset();
        hurry_.reset();
        ended_.notify_all();
    }
    bool ended_within(std::chrono::milliseconds longest) {
        std::unique_lock lock(mutex_);
        return ended_.wait_for(lock, longest, [this] { return !dial_; });
    }
    std::shared_ptr<Dial> dial() const {
        const std::lock_guard lock(mutex_);
        return dial_;
    }

  private:
    mutable std::mutex mutex_;
    std::condition_variable ended_;
    std::shared_ptr<Dial> dial_;  // null: nothing goes on
    std::optional<PahoHurry> hurry_;
};

Error paho_error(const std::exception& error) {
    return {Error::Kind::retry, std::string("the MQTT library refused: ") + error.what()};
}

class AsyncLink final : public PahoLink {
  public:
    AsyncLink(const ConnectRequest& request, Events& events)
        : server_(request.server),
          client_id_(request.client_id),
          protocol_(request.protocol),
          events_(events),
          client_(paho_uri(request.server), request.client_id, create_options_for(request.protocol)) {
        client_.set_connection_lost_handler(
            [this](const std::string&) { on_lost(0, "the connection was lost"); });
        client_.set_disconnected_handler(
            [this](const mqtt::properties&, mqtt::ReasonCode code) { on_lost(code, {}); });
        client_.set_message_callback([this](mqtt::const_message_ptr message) { on_message(*message); });
    }

    bool fits(const ConnectRequest& request) const override {
        return request.server == server_ && request.client_id == client_id_ && request.protocol == protocol_;
    }

    Result<void> connect(std::uint64_t attempt, const ConnectRequest& request, UniqueFd socket) override;
    bool is_secured() const override {
        const auto dial = activity_.dial();
        return dial && dial->stage() == Dial::Stage::secured;
    }
    std::optional<std::chrono::milliseconds> silence() const override {
        const auto dial = activity_.dial();
        return dial ? dial->silence() : std::nullopt;
    }
    bool publish(DeliveryToken token, Message message) override;
    Result<void> subscribe(const std::vector<std::string>& filters, int qos) override;
    void disconnect(std::chrono::milliseconds longest) override;
    bool cut(std::chrono::milliseconds longest) override;
    void give_up() override;

  private:
    // One per kind of call, for all calls of the kind.
    class Listener : public mqtt::iaction_listener {
      public:
        explicit Listener(AsyncLink& link) : link_(link) {}

      protected:
        AsyncLink& link_;
    };
    struct ConnectListener final : Listener {
        using Listener::Listener;
        void on_success(const mqtt::token& token) override { link_.on_connected(token); }
        void on_failure(const mqtt::token& token) override { link_.on_not_connected(token); }
    };
    struct PublishListener final : Listener {
        using Listener::Listener;
        void on_success(const mqtt::token& token) override { link_.on_delivered(token); }
        void on_failure(const mqtt::token& token) override { link_.on_not_delivered(token); }
    };
    struct SubscribeListener final : Listener {
        using Listener::Listener;
        void on_success(const mqtt::token& token) override { link_.on_subscribed(token); }
        void on_failure(const mqtt::token& token) override { link_.on_not_subscribed(token); }
    };

    void on_connected(const mqtt::token& token);
    void on_not_connected(const mqtt::token& token);
    void on_lost(int reason_code, std::string text);
    void on_delivered(const mqtt::token& token);
    void on_not_delivered(const mqtt::token& token);
    void on_subscribed(const mqtt::token& token);
    void on_not_subscribed(const mqtt::token& token);
    void on_message(const mqtt::message& message);

    std::optional<DeliveryToken> answer(const mqtt::token& token) {
        return deliveries_.remove(static_cast<DeliveryTable::Slot*>(token.get_user_context()));
    }

    const Server server_;
    const std::string client_id_;
    const Protocol protocol_;
    Events& events_;
    std::atomic<std::uint64_t> attempt_ = 0;
    Activity activity_;
    DeliveryTable deliveries_;
    ConnectListener connect_listener_{*this};
    PublishListener publish_listener_{*this};
    SubscribeListener subscribe_listener_{*this};
    mqtt::async_client client_;  // last: its destructor ends all callbacks
};

Result<void> AsyncLink::connect(std::uint64_t attempt, const ConnectRequest& request, UniqueFd socket) {
    try {
        mqtt::connect_options options;
        if (auto filled = fill(options, request); !filled) return filled;
        // Takes the lock that Paho holds during its callbacks and until it has put the old connection away.
        if (client_.is_connected()) return Error{Error::Kind::bug, "the MQTT library is connected already"};
        attempt_ = attempt;
        std::optional<TlsConfig> tls;
        if (uses_tls(request.server.scheme)) tls = request.tls;
        activity_.begin(std::make_shared<Dial>(request.server, std::move(socket), std::move(tls), protocol_));
        client_.connect(options, nullptr, connect_listener_);
        wake_paho_sender();
        return {};
    } catch (const std::exception& error) {
        activity_.end();
        return paho_error(error);
    }
}

bool AsyncLink::publish(DeliveryToken token, Message message) {
    DeliveryTable::Slot* slot = deliveries_.add(token);
    try {
        mqtt::properties properties = properties_of(message);
        client_.publish(mqtt::message::create(std::move(message.topic), std::move(message.payload),
                                              message.qos, message.retain, properties),
                        slot, publish_listener_);
        wake_paho_sender();
        return true;
    } catch (const std::exception&) {
        return !deliveries_.remove(slot);  // an answer may have come before the call failed
    }
}

Result<void> AsyncLink::subscribe(const std::vector<std::string>& filters, int qos) {
    try {
        // Without subscribe_options: C++ 1.2.0 loses them in a copy, keeps their count, and C reads from a
        // null pointer.
        client_.subscribe(std::make_shared<mqtt::string_collection>(filters),
                          mqtt::iasync_client::qos_collection(filters.size(), qos), nullptr,
                          subscribe_listener_);
        wake_paho_sender();
        return {};
    } catch (const std::exception& error) {
        return paho_error(error);
    }
}

void AsyncLink::disconnect(std::chrono::milliseconds longest) {
    try {
        mqtt::disconnect_options options(0ms);
        if (protocol_ == Protocol::v5) {
            mqtt::properties properties;
            properties.add(mqtt::property(mqtt::property::SESSION_EXPIRY_INTERVAL, std::int32_t{0}));
            options.set_properties(std::move(properties));
            let_properties_out(options);
        }
        const mqtt::token_ptr leaving = client_.disconnect(options);
        wake_paho_sender();
        if (leaving->wait_for(longest)) activity_.end();
    } catch (const std::exception&) {
        // It was not connected any more: then there is nothing to say goodbye to.
        return;
    }
}

bool AsyncLink::cut(std::chrono::milliseconds longest) {
    if (const auto dial = activity_.dial()) dial->cut();
    return activity_.ended_within(longest);
}

void AsyncLink::give_up() {
    for (const DeliveryToken token : deliveries_.remove_all())
        events_.answered(transport::DeliveryFailed{token, session_lost, delivery_failure_text(session_lost)});
}

void AsyncLink::on_connected(const mqtt::token& token) {
    const mqtt::connect_response response = token.get_connect_response();
    transport::Connected event{response.is_session_present(), limits_from(response.get_properties()), {}};
    if (const auto dial = activity_.dial()) {
        event.tls = dial->tls_session();
        dial->use_aliases(event.limits.topic_alias_maximum, event.limits.maximum_packet_size);
    }
    activity_.connected();
    events_.connected(attempt_, std::move(event));
}

// The only way Paho tells how far an attempt got is its message, and the token gives that away by throwing
// it.
std::string failure_message(const mqtt::token& token) {
    try {
        static_cast<void>(token.get_connect_response());
        return {};
    } catch (const mqtt::exception& error) {
        return error.get_message();
    }
}

// What only the dial knows of a connection that ended.
std::optional<LinkFailure> what_it_saw(const Dial& dial) {
    auto failure = dial.broken_rule();
    return failure ? failure : dial.tls_failure();
}

void AsyncLink::on_not_connected(const mqtt::token& token) {
    const auto dial = activity_.dial();
    const std::string message = failure_message(token);
    if (message == "CONNACK return code")
        events_.refused(attempt_, connack_failure(protocol_, token.get_return_code()));
    else
        events_.unreachable(
            attempt_, message == "TCP connect completion failure" ? Stage::after_connect : Stage::network,
            dial ? what_it_saw(*dial) : std::nullopt);
    activity_.end();
}

void AsyncLink::on_lost(int reason_code, std::string text) {
    LinkFailure failure = text.empty() ? disconnect_failure(reason_code) : LinkFailure{};
    if (!text.empty()) failure.text = std::move(text);
    if (const auto dial = activity_.dial())
        if (auto seen = dial->broken_rule()) failure = std::move(*seen);
    events_.lost(attempt_, std::move(failure));
    activity_.end();
}

void AsyncLink::on_delivered(const mqtt::token& token) {
    if (const auto delivered = answer(token)) events_.answered(transport::Delivered{*delivered});
}

void AsyncLink::on_not_delivered(const mqtt::token& token) {
    const auto failed = answer(token);
    if (!failed) return;
    const int reason = protocol_ == Protocol::v5 ? static_cast<int>(token.get_reason_code()) : 0;
    const int code = reason >= 0x80 ? reason : session_lost;
    events_.answered(transport::DeliveryFailed{*failed, code, delivery_failure_text(code)});
}

void AsyncLink::on_subscribed(const mqtt::token& token) {
    transport::Subscribed event;
    const mqtt::subscribe_response response = token.get_subscribe_response();
    for (const mqtt::ReasonCode code : response.get_reason_codes())
        if (static_cast<int>(code) >= 0x80) event.error = delivery_failure_text(static_cast<int>(code));
    events_.answered(std::move(event));
}

void AsyncLink::on_not_subscribed(const mqtt::token& token) {
    const int reason =
        protocol_ == Protocol::v5 ? static_cast<int>(token.get_reason_code()) : token.get_return_code();
    events_.answered(transport::Subscribed{delivery_failure_text(reason)});
}

void AsyncLink::on_message(const mqtt::message& message) {
    events_.answered(transport::Received{message.get_topic(), message.get_payload_str(), message.get_qos(),
                                         message.is_retained()});
}

}  // namespace

Result<std::unique_ptr<PahoLink>> PahoLink::make(const ConnectRequest& request, Events& events) {
    try {
        return std::unique_ptr<PahoLink>(std::make_unique<AsyncLink>(request, events));
    } catch (const std::exception& error) {
        return paho_error(error);
    }
}

std::string paho_version() {
    for (const MQTTAsync_nameValue* info = MQTTAsync_getVersionInfo(); info->name != nullptr; ++info)
        if (std::string_view(info->name) == "Version") return std::string("Paho C ") + info->value;
    return "Paho C, unknown version";
}

}  // namespace holdfast
