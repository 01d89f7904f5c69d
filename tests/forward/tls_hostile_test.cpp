// Servers that must not be talked to: refused, each for a reason of its own, without a byte of MQTT. And good
// ones.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "forward/diagnose.hpp"
#include "forward/tls_handshake.hpp"
#include "forward/tls_stage.hpp"

namespace holdfast {
namespace {

using namespace std::chrono_literals;
using Class = LinkFailure::Class;
using test::CertificateAuthority;
using test::CertificateSpec;
using test::day;
using test::request_to;
using test::ScriptedServer;
using test::TlsServer;
using test::TlsServerOptions;
using test::TlsStage;
using test::try_to_connect;
using ::testing::HasSubstr;

struct Case {
    const char* name;
    std::function<TlsServerOptions(TlsStage&)> server;
    Class kind;
    const char* text;
};

TlsServerOptions with(TlsStage& stage, const CertificateSpec& spec) {
    return {.pair = stage.ca.issue("server", spec)};
}

TlsServerOptions below(const CertificateAuthority& between, const CertificateSpec& spec = {}) {
    return {.pair = between.issue("server", spec)};
}

TlsServerOptions with_ciphers(TlsStage& stage, const char* ciphers, unsigned rsa_bits = 0) {
    TlsServerOptions options = with(stage, {.rsa_bits = rsa_bits});
    options.latest_version = TLS1_2_VERSION;
    options.ciphers = ciphers;
    return options;
}

TlsServerOptions wanting_client_certificate(TlsStage& stage, int version) {
    TlsServerOptions options = with(stage, {});
    options.least_version = options.latest_version = version;
    options.client_ca = stage.ca.file();
    return options;
}

TlsServerOptions refusing_our_expired_certificate(TlsStage& stage, int version) {
    const auto pair = stage.ca.issue("client", {.begins = -3 * day, .ends = -day});
    stage.tls.cert_file = pair.certificate;
    stage.tls.key_file = pair.key;
    return wanting_client_certificate(stage, version);
}

TlsServerOptions refusing_our_certificate(TlsStage& stage, int version) {
    const auto pair = stage.other_ca.issue("client");
    stage.tls.cert_file = pair.certificate;
    stage.tls.key_file = pair.key;
    return wanting_client_certificate(stage, version);
}

const Case cases[] = {
    {"other_name",
     [](TlsStage& b) { return with(b, {.common_name = "x", .alternative_names = "DNS:other.example"}); },
     Class::person, "certificate is for other.example, not localhost"},
    {"other_name_as_common_name",
     [](TlsStage& b) { return with(b, {.common_name = "other.example", .alternative_names = ""}); },
     Class::person, "certificate of localhost has no subjectAltName, only the subject CN = other.example"},
    {"our_name_only_as_common_name",
     [](TlsStage& b) { return with(b, {.common_name = "localhost", .alternative_names = ""}); },
     Class::person,
     "certificate of localhost has no subjectAltName, only the subject CN = localhost, which does not count: "
     "have it issued with subjectAltName=DNS:localhost"},
    {"our_name_as_common_name_beside_another",
     [](TlsStage& b) {
         return with(b, {.common_name = "localhost", .alternative_names = "DNS:other.example"});
     },
     Class::person, "certificate is for other.example, not localhost"},
    {"our_name_as_common_name_beside_an_address",
     [](TlsStage& b) { return with(b, {.common_name = "localhost", .alternative_names = "IP:127.0.0.1"}); },
     Class::person, "certificate is for 127.0.0.1, not localhost"},
    {"expired", [](TlsStage& b) { return with(b, {.begins = -3 * day, .ends = -day}); }, Class::person,
     "has expired on 20"},
    {"not_yet_valid", [](TlsStage& b) { return with(b, {.begins = day, .ends = 3 * day}); }, Class::person,
     "is not valid before 20"},
    {"other_ca", [](TlsStage& b) { return TlsServerOptions{.pair = b.other_ca.issue("server")}; },
     Class::person, "signed by a CA that is not in ca_file"},
    {"self_signed", [](TlsStage& b) { return TlsServerOptions{.pair = b.ca.self_signed("server")}; },
     Class::person, "is self-signed"},
    {"weak_key", [](TlsStage& b) { return with(b, {.rsa_bits = 1024}); }, Class::person, "too weak"},
    {"sha1_signature", [](TlsStage& b) { return with(b, {.digest = EVP_sha1()}); }, Class::person,
     "too weak"},
    {"client_certificate_as_server", [](TlsStage& b) { return with(b, {.usage = "clientAuth"}); },
     Class::person, "not made for a server"},
    {"tls_1_0_only",
     [](TlsStage& b) {
         TlsServerOptions options = with(b, {});
         options.latest_version = TLS1_VERSION;
         return options;
     },
     Class::person, "does not offer TLS 1.2"},
    {"tls_1_1_only",
     [](TlsStage& b) {
         TlsServerOptions options = with(b, {});
         options.latest_version = TLS1_1_VERSION;
         return options;
     },
     Class::person, "does not offer TLS 1.2"},
    {"tls_1_2_only_when_1_3_is_the_least",
     [](TlsStage& b) {
         b.tls.min_version = TlsConfig::Version::v1_3;
         TlsServerOptions options = with(b, {});
         options.latest_version = TLS1_2_VERSION;
         return options;
     },
     Class::person, "does not offer TLS 1.3"},
    {"no_encryption", [](TlsStage& b) { return with_ciphers(b, "eNULL:@SECLEVEL=0"); }, Class::person,
     "no cipher that is strong enough"},
    {"no_authentication", [](TlsStage& b) { return with_ciphers(b, "aNULL:@SECLEVEL=0"); }, Class::person,
     "no cipher that is strong enough"},
    {"cipher_without_forward_secrecy", [](TlsStage& b) { return with_ciphers(b, "kRSA:@SECLEVEL=0", 2048); },
     Class::person, "no cipher that is strong enough"},
    {"cipher_without_authenticated_encryption",
     [](TlsStage& b) { return with_ciphers(b, "ECDHE-ECDSA-AES128-SHA:@SECLEVEL=0"); }, Class::person,
     "no cipher that is strong enough"},
    {"weak_diffie_hellman",
     [](TlsStage& b) {
         TlsServerOptions options = with_ciphers(b, "kDHE:@SECLEVEL=0", 2048);
         options.weak_diffie_hellman = true;
         return options;
     },
     Class::person, "no cipher that is strong enough"},
    {"incomplete_chain",
     [](TlsStage& b) { return below(CertificateAuthority(b.ca, "Between"), {.send_chain = false}); },
     Class::person, "does not send the whole chain"},
    {"expired_ca_in_the_chain",
     [](TlsStage& b) {
         return below(
             CertificateAuthority(b.ca, "Between", "critical,CA:TRUE", {.begins = -3 * day, .ends = -day}));
     },
     Class::person, "CA certificate CN = Between in the chain of localhost has expired"},
    {"ca_in_the_chain_that_is_none",
     [](TlsStage& b) { return below(CertificateAuthority(b.ca, "No CA", "critical,CA:FALSE")); },
     Class::person, "may not sign"},
    {"weak_key_of_a_ca_in_the_chain",
     [](TlsStage& b) {
         return below(CertificateAuthority(b.ca, "Between", "critical,CA:TRUE", {.rsa_bits = 1024}));
     },
     Class::person, "CA certificate CN = Between in the chain of localhost has a key that is too weak"},
    {"sha1_signature_of_a_ca_in_the_chain",
     [](TlsStage& b) {
         return below(CertificateAuthority(b.ca, "Between", "critical,CA:TRUE", {.digest = EVP_sha1()}));
     },
     Class::person, "CA certificate CN = Between in the chain of localhost has a signature that is too weak"},
    {"chain_longer_than_its_ca_allows",
     [](TlsStage& b) {
         const CertificateAuthority upper(b.ca, "Upper", "critical,CA:TRUE,pathlen:0");
         return below(CertificateAuthority(upper, "Lower"));
     },
     Class::person, "path length constraint exceeded"},
    {"name_that_its_ca_may_not_sign",
     [](TlsStage& b) {
         return below(
             CertificateAuthority(b.ca, "Between", "critical,CA:TRUE",
                                  {.extension = {"nameConstraints", "critical,permitted;DNS:example"}}));
     },
     Class::person, "permitted subtree violation"},
    {"critical_extension_that_nobody_knows",
     [](TlsStage& b) {
         return with(b, {.extension = {"1.2.3.4.5", "critical,ASN1:UTF8String:must be understood"}});
     },
     Class::person, "unhandled critical extension"},
    {"key_usage_of_a_ca", [](TlsStage& b) { return with(b, {.key_usage = "critical,keyCertSign"}); },
     Class::person, "not made for a server"},
    {"root_that_is_not_in_ca_file",
     [](TlsStage& b) {
         const CertificateAuthority between(b.ca, "Between");
         b.tls.ca_file = between.file();
         return below(between);
     },
     Class::person, "CA certificate CN = Between in the chain of localhost is signed by a CA"},
    {"certificate_of_a_megabyte",
     [](TlsStage& b) {
         std::string names = "DNS:localhost";
         for (int i = 0; i < 10'000; ++i)
             names += ",DNS:a-name-that-takes-its-room-" + std::to_string(i) + ".of-a-long-domain.example";
         return with(b, {.alternative_names = names});
     },
     Class::person, "certificate chain of the server is larger than"},
    {"wants_client_certificate_1_2",
     [](TlsStage& b) { return wanting_client_certificate(b, TLS1_2_VERSION); }, Class::person,
     "wants a client certificate"},
    {"wants_client_certificate_1_3",
     [](TlsStage& b) { return wanting_client_certificate(b, TLS1_3_VERSION); }, Class::person,
     "wants a client certificate"},
    {"refuses_client_certificate_1_2",
     [](TlsStage& b) { return refusing_our_certificate(b, TLS1_2_VERSION); }, Class::person,
     "refuses our client certificate"},
    {"refuses_client_certificate_1_3",
     [](TlsStage& b) { return refusing_our_certificate(b, TLS1_3_VERSION); }, Class::person,
     "refuses our client certificate"},
    {"finds_our_certificate_expired_1_2",
     [](TlsStage& b) { return refusing_our_expired_certificate(b, TLS1_2_VERSION); }, Class::person,
     "refuses our client certificate (CN = localhost): ssl"},
    {"finds_our_certificate_expired_1_3",
     [](TlsStage& b) { return refusing_our_expired_certificate(b, TLS1_3_VERSION); }, Class::person,
     "refuses our client certificate (CN = localhost): ssl"},
    {"other_application_protocol",
     [](TlsStage& b) {
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
    TlsStage stage;
    const TlsServer server(GetParam().server(stage));
    const LinkFailure failure = try_to_connect(request_to(server.port(), stage.tls));
    EXPECT_EQ(failure.kind, GetParam().kind) << failure.text;
    EXPECT_THAT(failure.text, HasSubstr(GetParam().text));
    EXPECT_EQ(server.connections(), 1);
    EXPECT_EQ(server.application_bytes(), 0u);
}

INSTANTIATE_TEST_SUITE_P(Tls, HostileServer, ::testing::ValuesIn(cases),
                         [](const auto& i) { return i.param.name; });

class NotTlsTest : public test::TlsTest {
  protected:
    // What a TCP server that is not TLS is told, and what the agent says of it.
    LinkFailure failure_with(ScriptedServer::Script script) {
        ScriptedServer server([&, script = std::move(script)](ScriptedServer::Peer& peer, int number) {
            script(peer, number);
            told_ += peer.read_to_end();
        });
        return try_to_connect(request_to(server.port(), stage_.tls));
    }

    std::string told_;
};

TEST_F(NotTlsTest, AnswerInPlainMqttIsNotTls) {
    const LinkFailure failure =
        failure_with([](auto& peer, int) { peer.send(std::string("\x20\x03\x00\x00\x00", 5)); });
    EXPECT_EQ(failure.kind, Class::person);
    EXPECT_THAT(failure.text, HasSubstr("does not speak TLS"));
    EXPECT_EQ(told_.find("MQTT"), std::string::npos);
}

TEST_F(NotTlsTest, AnswerInHttpIsNotTls) {
    const LinkFailure failure = failure_with(
        [](auto& peer, int) { peer.send("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"); });
    EXPECT_EQ(failure.kind, Class::person);
    EXPECT_THAT(failure.text, HasSubstr("does not speak TLS"));
}

TEST_F(NotTlsTest, BannerOfAnotherServiceIsNotTls) {
    const LinkFailure failure = failure_with([](auto& peer, int) { peer.send("SSH-2.0-OpenSSH_9.2\r\n"); });
    EXPECT_EQ(failure.kind, Class::person);
    EXPECT_THAT(failure.text, HasSubstr("does not speak TLS"));
}

TEST_F(NotTlsTest, EchoOfOurOwnHandshakeIsNotTls) {
    const LinkFailure failure = failure_with([](auto& peer, int) {
        const std::string head = peer.read(5);
        if (head.size() < 5) return;
        peer.send(head + peer.read(static_cast<unsigned char>(head[3]) * 256u +
                                   static_cast<unsigned char>(head[4])));
    });
    EXPECT_EQ(failure.kind, Class::person);
    EXPECT_THAT(failure.text, HasSubstr("does not speak TLS"));
    EXPECT_EQ(told_.find("MQTT"), std::string::npos);
}

TEST_F(NotTlsTest, RecordLargerThanTlsAllowsEndsTheAttempt) {
    const LinkFailure failure = failure_with([](auto& peer, int) {
        peer.send(std::string("\x16\x03\x03\xff\xff", 5) + std::string(65'535, '\0'));
    });
    EXPECT_EQ(failure.kind, Class::person);
    EXPECT_THAT(failure.text, HasSubstr("does not speak TLS"));
    EXPECT_EQ(told_.find("MQTT"), std::string::npos);
}

TEST_F(NotTlsTest, EmptyRecordsWithoutEndEndTheAttempt) {
    const LinkFailure failure = failure_with([](auto& peer, int) {
        for (int i = 0; i < 10'000; ++i)
            peer.send(std::string("\x16\x03\x03\x00\x00", 5));
    });
    EXPECT_THAT(failure.text, HasSubstr("TLS"));
    EXPECT_EQ(told_.find("MQTT"), std::string::npos);
}

TEST_F(NotTlsTest, AlertInsteadOfAnAnswerIsTold) {
    const LinkFailure failure =
        failure_with([](auto& peer, int) { peer.send(std::string("\x15\x03\x03\x00\x02\x02\x50", 7)); });
    EXPECT_EQ(failure.kind, Class::passing);
    EXPECT_THAT(failure.text, HasSubstr("internal error"));
}

TEST_F(NotTlsTest, HandshakeOfAFewBytesASecondTimesOut) {
    // The head of a record that would take hours.
    const LinkFailure failure = failure_with([](auto& peer, int) {
        peer.send(std::string("\x16\x03\x03\x40\x00", 5));
        for (pollfd closed{peer.fd(), POLLRDHUP, 0}; ::poll(&closed, 1, 200) == 0;)
            peer.send("\x02");
    });
    EXPECT_EQ(failure.kind, Class::passing);
    EXPECT_THAT(failure.text, HasSubstr("does not finish the TLS handshake"));
}

// A good certificate, and then the handshake begins again and again instead of an answer to CONNECT.
class HandshakeFlood : public test::TlsTest {
  protected:
    LinkFailure failure_with(int version, int (*again)(SSL*)) {
        TlsServerOptions options{.pair = stage_.ca.issue("server")};
        options.least_version = options.latest_version = version;
        const TlsServer server(options, [&](SSL* ssl) {
            const timeval short_patience{0, 200'000};
            ::setsockopt(SSL_get_fd(ssl), SOL_SOCKET, SO_SNDTIMEO, &short_patience, sizeof short_patience);
            // Until the agent, or what it is given to read, has enough.
            while (again(ssl) == 1 && SSL_do_handshake(ssl) == 1)
                ++rounds_;
        });
        return try_to_connect(request_to(server.port(), stage_.tls));
    }
    std::atomic<std::uint64_t> rounds_ = 0;
};

TEST_F(HandshakeFlood, OfNewKeysIsLeft) {
    const LinkFailure failure = failure_with(
        TLS1_3_VERSION, [](SSL* ssl) { return SSL_key_update(ssl, SSL_KEY_UPDATE_NOT_REQUESTED); });
    EXPECT_EQ(failure.kind, Class::passing) << failure.text;
    EXPECT_GT(rounds_, 10u);
}

TEST_F(HandshakeFlood, OfRenegotiationsIsLeft) {
    const LinkFailure failure = failure_with(TLS1_2_VERSION, [](SSL* ssl) { return SSL_renegotiate(ssl); });
    EXPECT_EQ(failure.kind, Class::passing) << failure.text;
}

TEST_F(NotTlsTest, SilenceTimesOut) {
    const LinkFailure failure = failure_with([](auto&, int) {});
    EXPECT_EQ(failure.kind, Class::passing);
    EXPECT_THAT(failure.text, HasSubstr("does not finish the TLS handshake"));
}

TEST_F(NotTlsTest, CloseDuringTheHandshakeIsPassing) {
    ScriptedServer server([](ScriptedServer::Peer& peer, int) { peer.read(50); });
    const LinkFailure failure = try_to_connect(request_to(server.port(), stage_.tls));
    EXPECT_EQ(failure.kind, Class::passing);
    EXPECT_THAT(failure.text, HasSubstr("handshake"));
}

TEST_F(NotTlsTest, BadFilesFailWithoutTouchingTheNetwork) {
    const TlsServer server({.pair = stage_.ca.issue("server")});
    stage_.tls.ca_file = stage_.directory / "absent";
    const LinkFailure failure = try_to_connect(request_to(server.port(), stage_.tls));
    EXPECT_EQ(failure.kind, Class::person);
    EXPECT_THAT(failure.text, HasSubstr("ca_file"));
    EXPECT_EQ(server.connections(), 0);
}

TEST_F(NotTlsTest, DiagnosisOfAGoodServerTellsWhatItFound) {
    const TlsServer server({.pair = stage_.ca.issue("server", {.ends = 30 * day + 3600s})});
    const ServerDiagnosis found =
        diagnose_server(request_to(server.port(), stage_.tls).server, stage_.tls, 5s);
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

TEST_F(NotTlsTest, DiagnosisStopsAtTheFirstStepThatFails) {
    const ServerDiagnosis found =
        diagnose_server(request_to(test::free_port(), stage_.tls).server, stage_.tls, 5s);
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
