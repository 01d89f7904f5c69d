// Servers that must not be talked to: refused, each for a reason of its own, without a byte of MQTT. And good
// ones.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include "forward/diagnose.hpp"
#include "forward/paho_transport.hpp"
#include "forward/tls_handshake.hpp"
#include "support/event_box.hpp"
#include "support/recording_log.hpp"
#include "support/tls_server.hpp"

namespace holdfast {
namespace {

using namespace std::chrono_literals;
using Class = LinkFailure::Class;
using test::CertificateAuthority;
using test::CertificateSpec;
using test::EventBox;
using test::ScriptedServer;
using test::TempDir;
using test::TlsServer;
using test::TlsServerOptions;
using ::testing::HasSubstr;

constexpr auto day = std::chrono::seconds(24 * 3600);

// What a case is made from: the CA that the agent trusts, another one, and what the agent is told.
struct Bench {
    TempDir directory;
    CertificateAuthority ca{directory, "Trusted CA"};
    CertificateAuthority other_ca{directory, "Other CA"};
    TlsConfig tls;

    Bench() { tls.ca_file = ca.file(); }
};

ConnectRequest request_to(std::uint16_t port, const TlsConfig& tls, const std::string& host = "localhost") {
    ConnectRequest request;
    request.server = Server{.scheme = Scheme::mqtts, .host = host, .port = port, .path = "", .url = ""};
    request.client_id = "tls-test";
    request.timeout = 2s;
    request.tls = tls;
    return request;
}

LinkFailure try_to_connect(const ConnectRequest& request) {
    test::RecordingLog log;
    EventBox events;
    const auto transport = make_paho_transport(events.sink(), log);
    transport->connect(request);
    const auto failed = events.next<transport::ConnectFailed>();
    return failed ? failed->failure : LinkFailure{.text = "it did not fail"};
}

struct Case {
    const char* name;
    std::function<TlsServerOptions(Bench&)> server;
    Class kind;
    const char* text;
};

TlsServerOptions with(Bench& bench, const CertificateSpec& spec) {
    return {.pair = bench.ca.issue("server", spec)};
}

TlsServerOptions wanting_client_certificate(Bench& bench, int version) {
    TlsServerOptions options = with(bench, {});
    options.least_version = options.latest_version = version;
    options.client_ca = bench.ca.file();
    return options;
}

TlsServerOptions refusing_our_certificate(Bench& bench, int version) {
    const auto pair = bench.other_ca.issue("client");
    bench.tls.cert_file = pair.certificate;
    bench.tls.key_file = pair.key;
    return wanting_client_certificate(bench, version);
}

const Case cases[] = {
    {"other_name",
     [](Bench& b) { return with(b, {.common_name = "x", .alternative_names = "DNS:other.example"}); },
     Class::person, "certificate is for other.example, not localhost"},
    {"other_name_without_alternative_names",
     [](Bench& b) { return with(b, {.common_name = "other.example", .alternative_names = ""}); },
     Class::person, "other.example, not localhost"},
    {"expired", [](Bench& b) { return with(b, {.begins = -3 * day, .ends = -day}); }, Class::person,
     "has expired on 20"},
    {"not_yet_valid", [](Bench& b) { return with(b, {.begins = day, .ends = 3 * day}); }, Class::person,
     "is not valid before 20"},
    {"other_ca", [](Bench& b) { return TlsServerOptions{.pair = b.other_ca.issue("server")}; }, Class::person,
     "signed by a CA that is not in ca_file"},
    {"self_signed", [](Bench& b) { return TlsServerOptions{.pair = b.ca.self_signed("server")}; },
     Class::person, "is self-signed"},
    {"weak_key", [](Bench& b) { return with(b, {.rsa_bits = 1024}); }, Class::person, "too weak"},
    {"sha1_signature", [](Bench& b) { return with(b, {.digest = EVP_sha1()}); }, Class::person, "too weak"},
    {"client_certificate_as_server", [](Bench& b) { return with(b, {.usage = "clientAuth"}); }, Class::person,
     "not made for a server"},
    {"tls_1_0_only",
     [](Bench& b) {
         TlsServerOptions options = with(b, {});
         options.latest_version = TLS1_VERSION;
         return options;
     },
     Class::person, "does not offer TLS 1.2"},
    {"tls_1_1_only",
     [](Bench& b) {
         TlsServerOptions options = with(b, {});
         options.latest_version = TLS1_1_VERSION;
         return options;
     },
     Class::person, "does not offer TLS 1.2"},
    {"tls_1_2_only_when_1_3_is_the_least",
     [](Bench& b) {
         b.tls.min_version = TlsConfig::Version::v1_3;
         TlsServerOptions options = with(b, {});
         options.latest_version = TLS1_2_VERSION;
         return options;
     },
     Class::person, "does not offer TLS 1.3"},
    {"no_encryption",
     [](Bench& b) {
         TlsServerOptions options = with(b, {});
         options.latest_version = TLS1_2_VERSION;
         options.ciphers = "eNULL:@SECLEVEL=0";
         return options;
     },
     Class::person, "no cipher that is strong enough"},
    {"no_authentication",
     [](Bench& b) {
         TlsServerOptions options = with(b, {});
         options.latest_version = TLS1_2_VERSION;
         options.ciphers = "aNULL:@SECLEVEL=0";
         return options;
     },
     Class::person, "no cipher that is strong enough"},
    {"cipher_without_forward_secrecy",
     [](Bench& b) {
         TlsServerOptions options = with(b, {.rsa_bits = 2048});
         options.latest_version = TLS1_2_VERSION;
         options.ciphers = "kRSA:@SECLEVEL=0";
         return options;
     },
     Class::person, "no cipher that is strong enough"},
    {"wants_client_certificate_1_2", [](Bench& b) { return wanting_client_certificate(b, TLS1_2_VERSION); },
     Class::person, "wants a client certificate"},
    {"wants_client_certificate_1_3", [](Bench& b) { return wanting_client_certificate(b, TLS1_3_VERSION); },
     Class::person, "wants a client certificate"},
    {"refuses_client_certificate_1_2", [](Bench& b) { return refusing_our_certificate(b, TLS1_2_VERSION); },
     Class::person, "refuses our client certificate"},
    {"refuses_client_certificate_1_3", [](Bench& b) { return refusing_our_certificate(b, TLS1_3_VERSION); },
     Class::person, "refuses our client certificate"},
    {"other_application_protocol",
     [](Bench& b) {
         b.tls.alpn = {"mqtt", "x-amzn-mqtt-ca"};
         TlsServerOptions options = with(b, {});
         options.alpn = "h2";
         return options;
     },
     Class::person, "none of the protocols in alpn"},
};

class HostileServer : public ::testing::TestWithParam<Case> {
  protected:
    void SetUp() override { ::signal(SIGPIPE, SIG_IGN); }
};

TEST_P(HostileServer, IsRefusedForItsOwnReasonWithoutAByteOfMqtt) {
    Bench bench;
    const TlsServer server(GetParam().server(bench));
    const LinkFailure failure = try_to_connect(request_to(server.port(), bench.tls));
    EXPECT_EQ(failure.kind, GetParam().kind) << failure.text;
    EXPECT_THAT(failure.text, HasSubstr(GetParam().text));
    EXPECT_EQ(server.connections(), 1);
    EXPECT_EQ(server.application_bytes(), 0u);
}

INSTANTIATE_TEST_SUITE_P(Tls, HostileServer, ::testing::ValuesIn(cases),
                         [](const auto& i) { return i.param.name; });

class TlsTest : public ::testing::Test {
  protected:
    void SetUp() override { ::signal(SIGPIPE, SIG_IGN); }

    // What a TCP server that is not TLS is told, and what the agent says of it.
    LinkFailure failure_with(ScriptedServer::Script script) {
        ScriptedServer server([&, script = std::move(script)](ScriptedServer::Peer& peer, int number) {
            script(peer, number);
            told_ += peer.read_to_end();
        });
        return try_to_connect(request_to(server.port(), bench_.tls));
    }

    Bench bench_;
    std::string told_;
};

TEST_F(TlsTest, AnswerInPlainMqttIsNotTls) {
    const LinkFailure failure =
        failure_with([](auto& peer, int) { peer.send(std::string("\x20\x03\x00\x00\x00", 5)); });
    EXPECT_EQ(failure.kind, Class::person);
    EXPECT_THAT(failure.text, HasSubstr("does not speak TLS"));
    EXPECT_EQ(told_.find("MQTT"), std::string::npos);
}

TEST_F(TlsTest, AnswerInHttpIsNotTls) {
    const LinkFailure failure = failure_with(
        [](auto& peer, int) { peer.send("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"); });
    EXPECT_EQ(failure.kind, Class::person);
    EXPECT_THAT(failure.text, HasSubstr("does not speak TLS"));
}

TEST_F(TlsTest, SilenceTimesOut) {
    const LinkFailure failure = failure_with([](auto&, int) {});
    EXPECT_EQ(failure.kind, Class::passing);
    EXPECT_THAT(failure.text, HasSubstr("does not finish the TLS handshake"));
}

TEST_F(TlsTest, CloseDuringTheHandshakeIsPassing) {
    ScriptedServer server([](ScriptedServer::Peer& peer, int) { peer.read(50); });
    const LinkFailure failure = try_to_connect(request_to(server.port(), bench_.tls));
    EXPECT_EQ(failure.kind, Class::passing);
    EXPECT_THAT(failure.text, HasSubstr("handshake"));
}

TEST_F(TlsTest, SubordinateThatIsNoCaIsRefused) {
    // A chain whose middle may not sign: the certificate of a server used as a CA.
    const test::CertificatePair pair = bench_.ca.issue_by_leaf("server");
    const TlsServer server({.pair = pair});
    const LinkFailure failure = try_to_connect(request_to(server.port(), bench_.tls));
    EXPECT_EQ(failure.kind, Class::person);
    EXPECT_THAT(failure.text, HasSubstr("may not sign"));
    EXPECT_EQ(server.application_bytes(), 0u);
}

TEST_F(TlsTest, BadFilesFailWithoutTouchingTheNetwork) {
    const TlsServer server({.pair = bench_.ca.issue("server")});
    bench_.tls.ca_file = bench_.directory / "absent";
    const LinkFailure failure = try_to_connect(request_to(server.port(), bench_.tls));
    EXPECT_EQ(failure.kind, Class::person);
    EXPECT_THAT(failure.text, HasSubstr("ca_file"));
    EXPECT_EQ(server.connections(), 0);
}

// Answers CONNECT, so that the agent is through.
void answer_connect(SSL* ssl) {
    std::array<char, 256> connect{};
    if (SSL_read(ssl, connect.data(), connect.size()) > 0) SSL_write(ssl, "\x20\x03\x00\x00\x00", 5);
}

testing::AssertionResult connects(const ConnectRequest& request) {
    test::RecordingLog log;
    EventBox events;
    const auto transport = make_paho_transport(events.sink(), log);
    transport->connect(request);
    if (events.next<transport::Connected>()) return testing::AssertionSuccess();
    const auto failed = events.next<transport::ConnectFailed>(0ms);
    return testing::AssertionFailure() << (failed ? failed->failure.text : "no answer");
}

TEST_F(TlsTest, GoodServersAreTaken) {
    for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
        TlsServerOptions options{.pair = bench_.ca.issue("server")};
        options.least_version = options.latest_version = version;
        const TlsServer server(options, &answer_connect);
        EXPECT_TRUE(connects(request_to(server.port(), bench_.tls))) << version;
        EXPECT_EQ(server.connections(), 1);
    }
}

TEST_F(TlsTest, AddressInTheCertificateIsTaken) {
    const TlsServer server({.pair = bench_.ca.issue("server", {.alternative_names = "IP:127.0.0.1"})},
                           &answer_connect);
    EXPECT_TRUE(connects(request_to(server.port(), bench_.tls, "127.0.0.1")));
}

TEST_F(TlsTest, LargeCertificateIsTaken) {
    std::string names = "DNS:localhost";
    for (int i = 0; i < 1000; ++i)
        names += ",DNS:gateway-" + std::to_string(i) + ".example";
    const TlsServer server({.pair = bench_.ca.issue("server", {.alternative_names = names})},
                           &answer_connect);
    EXPECT_TRUE(connects(request_to(server.port(), bench_.tls)));
}

TEST_F(TlsTest, ApplicationProtocolIsOffered) {
    bench_.tls.alpn = {"mqtt", "x-amzn-mqtt-ca"};
    const TlsServer server({.pair = bench_.ca.issue("server"), .alpn = "x-amzn-mqtt-ca"}, &answer_connect);
    EXPECT_TRUE(connects(request_to(server.port(), bench_.tls)));
}

TEST_F(TlsTest, WithoutVerificationAnyCertificateIsTaken) {
    bench_.tls.verify = false;
    const TlsServer server(
        {.pair = bench_.other_ca.issue("server", {.alternative_names = "DNS:other.example", .ends = -60s})},
        &answer_connect);
    EXPECT_TRUE(connects(request_to(server.port(), bench_.tls)));
}

TEST_F(TlsTest, LeastVersionFollowsTheConfiguration) {
    TlsServerOptions options{.pair = bench_.ca.issue("server")};
    options.latest_version = TLS1_2_VERSION;
    const TlsServer server(options, &answer_connect);
    test::RecordingLog log;
    EventBox events;
    const auto transport = make_paho_transport(events.sink(), log);
    ConnectRequest strict = request_to(server.port(), bench_.tls);
    strict.tls.min_version = TlsConfig::Version::v1_3;
    transport->connect(strict);
    ASSERT_TRUE(events.next<transport::ConnectFailed>());
    transport->connect(request_to(server.port(), bench_.tls));
    EXPECT_TRUE(events.next<transport::Connected>());
}

TEST_F(TlsTest, DiagnosisOfAGoodServerTellsWhatItFound) {
    const TlsServer server({.pair = bench_.ca.issue("server", {.ends = 30 * day + 3600s})});
    const ServerDiagnosis found =
        diagnose_server(request_to(server.port(), bench_.tls).server, bench_.tls, 5s);
    EXPECT_FALSE(found.failure) << found.failure->text;
    ASSERT_EQ(found.steps.size(), 3u);
    for (const auto& step : found.steps)
        EXPECT_TRUE(step.ok) << step.name;
    EXPECT_EQ(found.tls_version, "TLSv1.3");
    EXPECT_THAT(found.cipher, HasSubstr("TLS_"));
    EXPECT_THAT(found.certificate_name, HasSubstr("localhost"));
    EXPECT_EQ(found.days_to_expiry, 30);
    EXPECT_EQ(server.application_bytes(), 0u);
}

TEST_F(TlsTest, DiagnosisStopsAtTheFirstStepThatFails) {
    const ServerDiagnosis found =
        diagnose_server(request_to(test::free_port(), bench_.tls).server, bench_.tls, 5s);
    ASSERT_EQ(found.steps.size(), 2u);
    EXPECT_TRUE(found.steps[0].ok);
    EXPECT_FALSE(found.steps[1].ok);
    ASSERT_TRUE(found.failure);
    EXPECT_THAT(found.failure->text, HasSubstr("Connection refused"));
}

TEST(CertificateFailure, ClockThatWasNeverSetIsNotBlamedOnTheCertificate) {
    const RefusedCertificate certificate{.verify_error = X509_V_ERR_CERT_NOT_YET_VALID,
                                         .depth = 0,
                                         .subject = "CN = broker.example",
                                         .names = "broker.example",
                                         .not_before = "2026-01-31 00:00:00Z",
                                         .not_after = "2027-01-31 00:00:00Z"};
    const LinkFailure in_1970 = certificate_failure(certificate, "broker.example", 60'000'000);
    EXPECT_EQ(in_1970.kind, Class::passing);
    EXPECT_THAT(in_1970.text, HasSubstr("clock of this machine is not set"));
    const LinkFailure in_2026 = certificate_failure(certificate, "broker.example", 1'767'225'600'000'000);
    EXPECT_EQ(in_2026.kind, Class::person);
    EXPECT_THAT(in_2026.text, HasSubstr("2026-01-31"));
}

}  // namespace
}  // namespace holdfast
