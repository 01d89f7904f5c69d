#include "cli/namesake.hpp"

#include <algorithm>
#include <chrono>
#include <optional>

#include "cli/connection.hpp"
#include "control/client_id.hpp"
#include "control/control_socket.hpp"
#include "forward/reason_codes.hpp"

namespace holdfast::cli {
namespace {

using namespace std::chrono_literals;
using Kind = NamesakeFinding::Kind;

// Many clients come back within a second when they were thrown off. An agent waits longer: it is only seen by
// its session.
constexpr auto hold_time = 3s;
// So often it may be lost without a word before somebody is suspected: by MQTT 3.1.1 a broker just closes.
constexpr int silent_losses = 3;

// None: no agent runs with this id.
std::optional<NamesakeFinding> ask_running_agent(const std::filesystem::path& socket,
                                                 const std::string& client_id) {
    const auto answer = ask_agent(socket, std::string(client_id_request) + client_id);
    if (!answer) {
        if (answer.error().kind == Error::Kind::gone) return std::nullopt;
        return NamesakeFinding{Kind::perhaps, "not tried, for an agent may run: " + answer.error().text};
    }
    if (*answer == not_our_client_id) return std::nullopt;
    const std::string verdict = answer->substr(0, answer->find(' '));
    std::string text = answer->substr(std::min(answer->size(), verdict.size() + 1));
    if (verdict == "ok") return NamesakeFinding{Kind::none, std::move(text)};
    return NamesakeFinding{verdict == "FAILED" ? Kind::found : Kind::perhaps, std::move(text)};
}

// The loss of the connection within the time; none: it held.
std::optional<LinkFailure> hold(Connection& connection) {
    const MonoTime deadline = std::chrono::steady_clock::now() + hold_time;
    while (const auto event = connection.next(deadline))
        if (const auto* lost = std::get_if<transport::ConnectionLost>(&*event)) return lost->failure;
    return std::nullopt;
}

// Leaves the broker as it was: a session that was there goes on, one that we began does not. Says why that
// failed.
std::optional<LinkFailure> leave(Connection& connection, const Server& server) {
    if (connection.answer().session_present) {
        connection.drop();
        return std::nullopt;
    }
    connection.close();
    if (connection.protocol() == Protocol::v5) return std::nullopt;
    // In MQTT 3.1.1 DISCONNECT ends no session; one that begins clean does.
    auto failure = connection.open(server);
    if (!failure) connection.close();
    return failure;
}

// Nobody else took the id while we had it.
NamesakeFinding undisturbed(Connection& connection, const Server& server, const std::string& id) {
    const std::string held = "nobody else took " + id + " within " +
                             std::to_string(std::chrono::seconds(hold_time).count()) + " s";
    const bool resumed = connection.answer().session_present;
    if (const auto failure = leave(connection, server))
        return {Kind::perhaps,
                held + ", but the session that this began could not be ended: " + failure->text};
    if (!resumed) return {Kind::none, held};
    return {Kind::perhaps, held +
                               ", but the broker had a session of it: that of another client, or of an agent "
                               "that did not end in order"};
}

NamesakeFinding use_it(const BrokerConfig& config, const Server& server, Log& log) {
    const std::string id = "\"" + config.client_id + "\"";
    Connection connection(config, config.client_id, log);
    for (int losses = 0; losses < silent_losses; ++losses) {
        if (const auto failure = connection.open(server, Connection::Session::kept)) {
            if (failure->kind == LinkFailure::Class::passing)
                return {Kind::perhaps, "could not be tried: " + failure->text};
            return {Kind::found, "the broker does not accept " + id + ": " + failure->text};
        }
        const auto lost = hold(connection);
        if (!lost) return undisturbed(connection, server, id);
        if (lost->code == session_taken_over)
            return {Kind::found, "another client is connected as " + id +
                                     " and took it back: give each its own client_id"};
        if (lost->code != 0)
            return {Kind::perhaps, "the broker closed the connection as " + id + ": " + lost->text};
    }
    return {Kind::found,
            "the broker closed the connection as " + id + " " + std::to_string(silent_losses) +
                " times: perhaps another client is connected under it; give each its own client_id"};
}

}  // namespace

NamesakeFinding look_for_namesake(const std::filesystem::path& control_socket, const BrokerConfig& config,
                                  const Server& server, Log& log) {
    if (config.client_id.empty()) return {Kind::none, "the broker gives one"};
    if (auto told = ask_running_agent(control_socket, config.client_id)) return std::move(*told);
    return use_it(config, server, log);
}

}  // namespace holdfast::cli
