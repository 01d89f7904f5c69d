// Connecting to a TLS server of the test's own through the real transport, as the agent would.
#pragma once

#include <gtest/gtest.h>
#include <signal.h>

#include "forward/paho_transport.hpp"
#include "support/event_box.hpp"
#include "support/recording_log.hpp"
#include "support/tls_server.hpp"

namespace holdfast::test {

inline constexpr auto day = std::chrono::seconds(24 * 3600);

// What a case is made from: the CA that the agent trusts, another one, and what the agent is told.
struct TlsStage {
    TempDir directory;
    CertificateAuthority ca{directory, "Trusted CA"};
    CertificateAuthority other_ca{directory, "Other CA"};
    TlsConfig tls;

    TlsStage() { tls.ca_file = ca.file(); }
};

inline ConnectRequest request_to(std::uint16_t port, const TlsConfig& tls,
                                 const std::string& host = "localhost") {
    ConnectRequest request;
    request.server = Server{.scheme = Scheme::mqtts, .host = host, .port = port, .path = "", .url = ""};
    request.client_id = "tls-test";
    request.timeout = std::chrono::seconds(2);
    request.tls = tls;
    return request;
}

inline LinkFailure try_to_connect(const ConnectRequest& request) {
    RecordingLog log;
    EventBox events;
    const auto transport = make_paho_transport(events.sink(), log);
    transport->connect(request);
    const auto failed = events.next<transport::ConnectFailed>();
    return failed ? failed->failure : LinkFailure{LinkFailure::Class::protocol_version, 0, "it did not fail"};
}

// Answers CONNECT, so that the agent is through.
inline void answer_connect(SSL* ssl) {
    std::array<char, 256> connect{};
    if (SSL_read(ssl, connect.data(), connect.size()) > 0) SSL_write(ssl, "\x20\x03\x00\x00\x00", 5);
}

inline testing::AssertionResult connects(const ConnectRequest& request) {
    RecordingLog log;
    EventBox events;
    const auto transport = make_paho_transport(events.sink(), log);
    transport->connect(request);
    if (events.next<transport::Connected>()) return testing::AssertionSuccess();
    const auto failed = events.next<transport::ConnectFailed>(std::chrono::milliseconds(0));
    return testing::AssertionFailure() << (failed ? failed->failure.text : "no answer");
}

// A test of connections that has a stage; Paho may write to a connection that is gone.
class TlsTest : public ::testing::Test {
  protected:
    void SetUp() override { ::signal(SIGPIPE, SIG_IGN); }

    TlsStage stage_;
};

}  // namespace holdfast::test
