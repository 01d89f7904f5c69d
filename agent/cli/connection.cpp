#include "cli/connection.hpp"

#include <cstdio>
#include <random>
#include <utility>

#include "forward/connect_request.hpp"
#include "forward/paho_transport.hpp"

namespace holdfast::cli {
namespace {

std::string random_digits() {
    char text[9];
    std::snprintf(text, sizeof text, "%08x", std::random_device{}());
    return text;
}

}  // namespace

std::string client_id_beside(const BrokerConfig& config, std::string_view suffix) {
    return config.client_id + std::string(suffix) + random_digits();
}

Connection::Connection(const BrokerConfig& config, std::string client_id, Log& log)
    : config_(config),
      client_id_(std::move(client_id)),
      transport_(
          make_paho_transport([this](transport::Event event) { events_.post(std::move(event)); }, log)) {}

std::optional<transport::Event> Connection::next(std::optional<MonoTime> deadline) {
    if (given_ == taken_.size()) {
        given_ = 0;
        events_.take(taken_, deadline);
        if (taken_.empty()) return std::nullopt;
    }
    return std::move(taken_[given_++]);
}

std::optional<LinkFailure> Connection::open(const Server& server, Session session) {
    if (config_.protocol != Protocol::automatic) return attempt(server, config_.protocol, session);
    if (connected_) return attempt(server, protocol_, session);
    const auto failure = attempt(server, Protocol::v5, session);
    const bool older = failure && failure->kind == LinkFailure::Class::protocol_version;
    return older ? attempt(server, Protocol::v3_1_1, session) : failure;
}

std::optional<LinkFailure> Connection::attempt(const Server& server, Protocol protocol, Session session) {
    auto request = make_connect_request(config_, server);
    if (!request) return LinkFailure{LinkFailure::Class::person, 0, request.error().text};
    request->protocol = protocol;
    request->client_id = client_id_;
    request->clean_start = session == Session::clean;
    transport_->connect(*request);
    const MonoTime deadline = std::chrono::steady_clock::now() + 2 * request->timeout;
    while (const auto event = next(deadline)) {
        if (const auto* connected = std::get_if<transport::Connected>(&*event)) {
            answer_ = *connected;
            protocol_ = protocol;
            connected_ = true;
            return std::nullopt;
        }
        if (const auto* failed = std::get_if<transport::ConnectFailed>(&*event)) return failed->failure;
    }
    return LinkFailure{LinkFailure::Class::passing, 0, "no answer in time"};
}

std::optional<std::string> Connection::publish(Message message) {
    if (!transport_->publish(1, std::move(message))) return "the connection is gone";
    const MonoTime deadline = std::chrono::steady_clock::now() + config_.connect_timeout;
    while (const auto event = next(deadline)) {
        if (std::holds_alternative<transport::Delivered>(*event)) return std::nullopt;
        if (const auto* refused = std::get_if<transport::DeliveryFailed>(&*event)) return refused->text;
        if (const auto* lost = std::get_if<transport::ConnectionLost>(&*event)) return lost->failure.text;
    }
    return "the broker does not acknowledge it";
}

void Connection::close() {
    transport_->disconnect();
    const MonoTime deadline = std::chrono::steady_clock::now() + std::chrono::seconds(2);
    while (const auto event = next(deadline))
        if (std::holds_alternative<transport::Disconnected>(*event)) return;
}

}  // namespace holdfast::cli
