// Servers that are in order, some of them unusual: taken at the first attempt.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>

#include "forward/tls_stage.hpp"

namespace holdfast {
namespace {

using namespace std::chrono_literals;
using test::answer_connect;
using test::CertificateAuthority;
using test::connects;
using test::day;
using test::EventBox;
using test::request_to;
using test::TlsServer;
using test::TlsServerOptions;
using test::TlsTest;

TEST_F(TlsTest, GoodServersAreTaken) {
    for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
        TlsServerOptions options{.pair = stage_.ca.issue("server")};
        options.least_version = options.latest_version = version;
        const TlsServer server(options, &answer_connect);
        EXPECT_TRUE(connects(request_to(server.port(), stage_.tls))) << version;
        EXPECT_EQ(server.connections(), 1);  // a good connection needs no diagnosis
    }
}

TEST_F(TlsTest, AddressInTheCertificateIsTaken) {
    const TlsServer server({.pair = stage_.ca.issue("server", {.alternative_names = "IP:127.0.0.1"})},
                           &answer_connect);
    EXPECT_TRUE(connects(request_to(server.port(), stage_.tls, "127.0.0.1")));
}

TEST_F(TlsTest, LargeCertificateIsTaken) {
    std::string names = "DNS:localhost";
    for (int i = 0; i < 1000; ++i)
        names += ",DNS:gateway-" + std::to_string(i) + ".example";
    const TlsServer server({.pair = stage_.ca.issue("server", {.alternative_names = names})},
                           &answer_connect);
    EXPECT_TRUE(connects(request_to(server.port(), stage_.tls)));
}

TEST_F(TlsTest, ApplicationProtocolIsOffered) {
    stage_.tls.alpn = {"mqtt", "x-amzn-mqtt-ca"};
    const TlsServer server({.pair = stage_.ca.issue("server"), .alpn = "x-amzn-mqtt-ca"}, &answer_connect);
    EXPECT_TRUE(connects(request_to(server.port(), stage_.tls)));
}

TEST_F(TlsTest, WithoutVerificationAnyCertificateIsTaken) {
    stage_.tls.verify = false;
    const TlsServer server(
        {.pair = stage_.other_ca.issue("server", {.alternative_names = "DNS:other.example", .ends = -60s})},
        &answer_connect);
    EXPECT_TRUE(connects(request_to(server.port(), stage_.tls)));
}

TEST_F(TlsTest, LeastVersionFollowsTheConfiguration) {
    TlsServerOptions options{.pair = stage_.ca.issue("server")};
    options.latest_version = TLS1_2_VERSION;
    const TlsServer server(options, &answer_connect);
    test::RecordingLog log;
    EventBox events;
    const auto transport = make_paho_transport(events.sink(), log);
    ConnectRequest strict = request_to(server.port(), stage_.tls);
    strict.tls.min_version = TlsConfig::Version::v1_3;
    transport->connect(strict);
    ASSERT_TRUE(events.next<transport::ConnectFailed>());
    transport->connect(request_to(server.port(), stage_.tls));
    EXPECT_TRUE(events.next<transport::Connected>());
}

TEST_F(TlsTest, TenThousandNamesAreTaken) {
    std::string names = "DNS:localhost";
    for (int i = 0; i < 10'000; ++i)
        names += ",DNS:a" + std::to_string(i);
    const TlsServer server({.pair = stage_.ca.issue("server", {.alternative_names = names})},
                           &answer_connect);
    EXPECT_TRUE(connects(request_to(server.port(), stage_.tls)));
}

TEST_F(TlsTest, LongChainIsTaken) {
    std::deque<CertificateAuthority> chain;
    for (int i = 0; i < 16; ++i)
        chain.emplace_back(chain.empty() ? stage_.ca : chain.back(), "CA " + std::to_string(i));
    const test::CertificatePair pair = chain.back().issue("server");
    EXPECT_GT(std::filesystem::file_size(pair.certificate), 8'000u);
    const TlsServer server({.pair = pair}, &answer_connect);
    EXPECT_TRUE(connects(request_to(server.port(), stage_.tls)));
}

TEST_F(TlsTest, VeryLargeKeyIsTaken) {
    const TlsServer server({.pair = stage_.ca.issue("server", {.rsa_bits = 8192})}, &answer_connect);
    EXPECT_TRUE(connects(request_to(server.port(), stage_.tls)));
}

TEST_F(TlsTest, ServerThatIgnoresTheOfferedProtocolsIsTaken) {
    stage_.tls.alpn = {"mqtt"};
    const TlsServer server({.pair = stage_.ca.issue("server")}, &answer_connect);
    EXPECT_TRUE(connects(request_to(server.port(), stage_.tls)));
}

TEST_F(TlsTest, ClientCertificateOfTheRightCaIsTaken) {
    const auto ours = stage_.ca.issue("client");
    stage_.tls.cert_file = ours.certificate;
    stage_.tls.key_file = ours.key;
    for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
        TlsServerOptions options{.pair = stage_.ca.issue("server")};
        options.least_version = options.latest_version = version;
        options.client_ca = stage_.ca.file();
        const TlsServer server(options, &answer_connect);
        EXPECT_TRUE(connects(request_to(server.port(), stage_.tls))) << version;
    }
}

}  // namespace
}  // namespace holdfast
