#include "cli/connection.hpp"

#include <cstdio>
#include <random>

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

Connection::Connection(const BrokerConfig& config, std::string_view suffix, Log& log)
    : config_(config),
      client_id_(config.client_id + std::string(suffix) + random_digits()),
      transport_(
          make_paho_transport([this](transport::Event event) { events_.post(std::move(event)); }, log)) {}

const std::vector<transport::Event>& Connection::wait(std::optional<MonoTime> deadline) {
    events_.take(taken_, deadline);
    return taken_;
}

std::optional<LinkFailure> Connection::open(const Server& server) {
    if (config_.protocol != Protocol::automatic) return attempt(server, config_.protocol);
    const auto failure = attempt(server, Protocol::v5);
    const bool older = failure && failure->kind == LinkFailure::Class::protocol_version;
    return older ? attempt(server, Protocol::v3_1_1) : failure;
}

std::optional<LinkFailure> Connection::attempt(const Server& server, Protocol protocol) {
    auto request = make_connect_request(config_, server);
    if (!request) return LinkFailure{LinkFailure::Class::person, 0, request.error().text};
    request->protocol = protocol;
    request->client_id = client_id_;
    transport_->connect(*request);
    const MonoTime deadline = std::chrono::steady_clock::now() + 2 * request->timeout;
    for (;;) {
        const auto& events = wait(deadline);
        if (events.empty()) return LinkFailure{LinkFailure::Class::passing, 0, "no answer in time"};
        for (const transport::Event& event : events) {
            if (const auto* connected = std::get_if<transport::Connected>(&event)) {
                answer_ = *connected;
                protocol_ = protocol;
                return std::nullopt;
            }
            if (const auto* failed = std::get_if<transport::ConnectFailed>(&event)) return failed->failure;
        }
    }
}

std::optional<std::string> Connection::publish(Message message) {
    if (!transport_->publish(1, std::move(message))) return "the connection is gone";
    const MonoTime deadline = std::chrono::steady_clock::now() + config_.connect_timeout;
    for (;;) {
        const auto& events = wait(deadline);
        if (events.empty()) return "the broker does not acknowledge it";
        for (const transport::Event& event : events) {
            if (std::holds_alternative<transport::Delivered>(event)) return std::nullopt;
            if (const auto* refused = std::get_if<transport::DeliveryFailed>(&event)) return refused->text;
            if (const auto* lost = std::get_if<transport::ConnectionLost>(&event)) return lost->failure.text;
        }
    }
}

void Connection::close() {
    transport_->disconnect();
    const MonoTime deadline = std::chrono::steady_clock::now() + std::chrono::seconds(2);
    for (;;) {
        const auto& events = wait(deadline);
        if (events.empty()) return;
        for (const transport::Event& event : events)
            if (std::holds_alternative<transport::Disconnected>(event)) return;
    }
}

}  // namespace holdfast::cli
