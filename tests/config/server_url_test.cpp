#include "config/server_url.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace holdfast::config {
namespace {

struct Good {
    const char* url;
    Scheme scheme;
    const char* host;
    std::uint16_t port;
    const char* path;
};

TEST(ServerUrl, IsTakenApart) {
    const Good good[] = {
        {"mqtt://localhost", Scheme::mqtt, "localhost", 1883, ""},
        {"mqtts://broker.example.com", Scheme::mqtts, "broker.example.com", 8883, ""},
        {"mqtts://broker.example.com:443", Scheme::mqtts, "broker.example.com", 443, ""},
        {"mqtts://broker.example.com:8883/", Scheme::mqtts, "broker.example.com", 8883, ""},
        {"ws://h", Scheme::ws, "h", 80, "/mqtt"},
        {"wss://h:9001/a/b?x=1", Scheme::wss, "h", 9001, "/a/b?x=1"},
        {"wss://h/", Scheme::wss, "h", 443, "/"},
        {"mqtt://192.0.2.7:1", Scheme::mqtt, "192.0.2.7", 1, ""},
        {"mqtts://[2001:db8::1]", Scheme::mqtts, "2001:db8::1", 8883, ""},
        {"mqtts://[::1]:65535", Scheme::mqtts, "::1", 65535, ""},
        {"ws://[fe80::1%eth0]:80/x", Scheme::ws, "fe80::1%eth0", 80, "/x"},
    };
    for (const Good& expected : good) {
        const auto server = parse_server(expected.url);
        ASSERT_TRUE(server) << expected.url << ": " << server.error().text;
        EXPECT_EQ(*server,
                  (Server{expected.scheme, expected.host, expected.port, expected.path, expected.url}));
    }
}

TEST(ProxyUrl, IsTakenApart) {
    for (const auto& [url, host, port] :
         {std::tuple{"http://proxy.example.com:3128", "proxy.example.com", 3128},
          std::tuple{"http://192.0.2.7:1/", "192.0.2.7", 1},
          std::tuple{"http://[::1]:65535", "::1", 65535}}) {
        const auto proxy = parse_proxy(url);
        ASSERT_TRUE(proxy) << url << ": " << proxy.error().text;
        EXPECT_EQ(proxy->host, host);
        EXPECT_EQ(proxy->port, port);
        EXPECT_EQ(proxy->url, url);
    }
}

struct Bad {
    const char* url;
    const char* text;
};

TEST(ServerUrl, SaysWhatIsWrongWithIt) {
    const Bad bad[] = {
        {"", "mqtts://HOST"},
        {"broker.example.com", "mqtts://HOST"},
        {"broker.example.com:8883", "mqtts://HOST"},
        {"tcp://h", "scheme"},
        {"MQTTS://h", "scheme"},
        {"://h", "scheme"},
        {"mqtt://", "no host"},
        {"mqtt://:1883", "no host"},
        {"mqtt://a b", "letters"},
        {"mqtt://b\xc3\xbc"
         "cher.example",
         "letters"},
        {"mqtt://h:", "port"},
        {"mqtt://h:0", "port"},
        {"mqtt://h:65536", "port"},
        {"mqtt://h:-1", "port"},
        {"mqtt://h:18x", "port"},
        {"mqtt://[::1]x", "port"},
        {"mqtt://[::1", "IPv6"},
        {"mqtt://[]", "IPv6"},
        {"mqtt://[1.2.3.4]", "IPv6"},
        {"mqtt://[::1%]", "IPv6"},
        {"mqtt://[::1%a/b]", "IPv6"},
        {"mqtt://::1", "no host"},
        {"mqtt://2001:db8::1", "brackets"},
        {"mqtts://h/path", "ws and wss only"},
        {"mqtts://h?x", "ws and wss only"},
        {"ws://h?x", "begins with /"},
        {"ws://h/a b", "no space"},
        {"ws://h/a#b", "no space"},
        {"mqtts://user:secret@h", "password_file"},
        {"wss://user@h/x", "password_file"},
    };
    for (const Bad& expected : bad) {
        const auto server = parse_server(expected.url);
        ASSERT_FALSE(server) << expected.url;
        EXPECT_EQ(server.error().kind, Error::Kind::config);
        EXPECT_THAT(server.error().text, testing::HasSubstr(expected.text)) << expected.url;
        EXPECT_THAT(server.error().text, testing::Not(testing::HasSubstr("secret")));
    }
}

TEST(ServerUrl, LimitsTheHostToWhatDnsTakes) {
    EXPECT_TRUE(parse_server("mqtt://" + std::string(253, 'a')));
    EXPECT_FALSE(parse_server("mqtt://" + std::string(254, 'a')));
}

TEST(ProxyUrl, SaysWhatIsWrongWithIt) {
    const Bad bad[] = {
        {"", "http://HOST:PORT"},
        {"proxy.example.com:3128", "http://HOST:PORT"},
        {"https://h:3128", "http://HOST:PORT"},
        {"socks5://h:1080", "http://HOST:PORT"},
        {"http://h", "needs its port"},
        {"http://h/", "needs its port"},
        {"http://:3128", "no host"},
        {"http://h:0", "port"},
        {"http://h:3128/path", "no path"},
        {"http://h:3128?x", "no path"},
        {"http://a b:3128", "letters"},
        {"http://h\r\nX:3128", "letters"},
        {"http://user:secret@h:3128", "proxy_password_file"},
    };
    for (const Bad& expected : bad) {
        const auto proxy = parse_proxy(expected.url);
        ASSERT_FALSE(proxy) << expected.url;
        EXPECT_EQ(proxy.error().kind, Error::Kind::config);
        EXPECT_THAT(proxy.error().text, testing::HasSubstr(expected.text)) << expected.url;
        EXPECT_THAT(proxy.error().text, testing::Not(testing::HasSubstr("secret")));
    }
}

}  // namespace
}  // namespace holdfast::config
