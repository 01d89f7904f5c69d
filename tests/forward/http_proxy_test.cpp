// Proxies, good and bad ones, on the way to a TLS server; through the real transport.
#include "forward/http_proxy.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <mutex>
#include <vector>

#include "forward/diagnose.hpp"
#include "forward/tcp_connect.hpp"
#include "forward/tls_stage.hpp"

namespace holdfast {
namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;
using Class = LinkFailure::Class;
using test::ScriptedServer;
using test::TlsServer;
using Peer = ScriptedServer::Peer;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

std::string read_head(const Peer& peer) {
    std::string head;
    while (!head.ends_with("\r\n\r\n")) {
        const std::string byte = peer.read(1);
        if (byte.empty()) break;
        head += byte;
    }
    return head;
}

// Passes on what has come; false: the other end closed.
bool pass_on(int from, int to) {
    std::array<char, 4096> bytes{};
    const ssize_t got = ::recv(from, bytes.data(), bytes.size(), 0);
    return got > 0 && ::send(to, bytes.data(), static_cast<std::size_t>(got), MSG_NOSIGNAL) == got;
}

constexpr const char* established = "HTTP/1.1 200 Connection established\r\n\r\n";

ProxyConfig proxy_at(std::uint16_t port, const std::string& username = "") {
    return {.host = "localhost",
            .port = port,
            .url = "http://localhost:" + std::to_string(port),
            .username = username,
            .password_file = ""};
}

// A proxy that leads all connections to one port of this machine, by whatever name they ask for, while its
// answer is a good one. It serves any number at once.
class Proxy {
  public:
    using Answer = std::function<std::string(const std::string& request)>;

    explicit Proxy(
        std::uint16_t target, Answer answer = [](const auto&) { return established; })
        : target_(target),
          answer_(std::move(answer)),
          server_(std::in_place, [this](Peer& peer, int) { serve(peer); }) {}
    Proxy(const Proxy&) = delete;
    Proxy& operator=(const Proxy&) = delete;
    ~Proxy() {
        server_.reset();  // first: it begins tunnels
        for (std::thread& tunnel : tunnels_)
            tunnel.join();
    }

    ProxyAccess access() const { return {proxy_at(server_->port()), ""}; }
    int connections() const { return server_->connections(); }
    std::string request() const {
        const std::lock_guard lock(mutex_);
        return request_;
    }

  private:
    void serve(const Peer& peer) {
        const std::string request = read_head(peer);
        {
            const std::lock_guard lock(mutex_);
            request_ = request;
        }
        const std::string answer = answer_(request);
        if (answer != established) return peer.send(answer);
        tunnels_.emplace_back([this, near = UniqueFd(::dup(peer.fd()))] { tunnel(near.get()); });
    }

    void tunnel(int near) const {
        const UniqueFd far(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
        const sockaddr_in address = test::loopback_address(target_);
        if (::connect(far.get(), test::as_sockaddr(address), sizeof address) != 0) return;
        ::send(near, established, std::strlen(established), MSG_NOSIGNAL);
        for (std::array<pollfd, 2> ends{{{near, POLLIN, 0}, {far.get(), POLLIN, 0}}};
             ::poll(ends.data(), ends.size(), 5000) > 0;) {
            if (ends[0].revents != 0 && !pass_on(near, far.get())) return;
            if (ends[1].revents != 0 && !pass_on(far.get(), near)) return;
        }
    }

    const std::uint16_t target_;
    const Answer answer_;
    mutable std::mutex mutex_;
    std::string request_;
    std::vector<std::thread> tunnels_;
    std::optional<ScriptedServer> server_;  // last: its thread uses the rest
};

class HttpProxyTest : public test::TlsTest {
  protected:
    // To a server whose name nobody but the proxy can look up.
    ConnectRequest request_through(const ProxyAccess& access, const std::string& host = "broker.invalid") {
        ConnectRequest request = test::request_to(8883, stage_.tls, host);
        request.proxy = access;
        return request;
    }
    test::CertificatePair pair_for(const std::string& names) {
        return stage_.ca.issue("server", {.alternative_names = names});
    }
    // What is said of a proxy that does this; it has a password to betray.
    LinkFailure failure_with(ScriptedServer::Script script, const std::string& username = "") {
        ScriptedServer server(std::move(script));
        const ProxyAccess access{proxy_at(server.port(), username), "s3cret"};
        LinkFailure failure = test::try_to_connect(request_through(access));
        EXPECT_THAT(failure.text, StartsWith("the proxy " + access.proxy.url + " "));
        EXPECT_THAT(failure.text, Not(HasSubstr("s3cret")));
        return failure;
    }
    LinkFailure failure_of_answer(const std::string& answer, const std::string& username = "") {
        return failure_with(
            [&](const Peer& peer, int) {
                read_head(peer);
                peer.send(answer);
                peer.read_to_end();
            },
            username);
    }
};

TEST_F(HttpProxyTest, PassesTheConnectionOnToANameThatOnlyItKnows) {
    const TlsServer server({.pair = pair_for("DNS:broker.invalid")}, &test::answer_connect);
    const Proxy proxy(server.port());
    EXPECT_TRUE(test::connects(request_through(proxy.access())));
    EXPECT_EQ(proxy.request(), "CONNECT broker.invalid:8883 HTTP/1.1\r\nHost: broker.invalid:8883\r\n\r\n");
    EXPECT_EQ(proxy.connections(), 1);
}

TEST_F(HttpProxyTest, WildcardInTheCertificateStandsForOneLevel) {
    const TlsServer server({.pair = pair_for("DNS:*.site.invalid")}, &test::answer_connect);
    const Proxy proxy(server.port());
    EXPECT_TRUE(test::connects(request_through(proxy.access(), "broker.site.invalid")));
}

TEST_F(HttpProxyTest, WildcardInTheCertificateStandsForNeitherTwoLevelsNorNone) {
    const TlsServer server({.pair = pair_for("DNS:*.site.invalid")});
    const Proxy proxy(server.port());
    for (const char* name : {"a.broker.site.invalid", "site.invalid"}) {
        const LinkFailure failure = test::try_to_connect(request_through(proxy.access(), name));
        EXPECT_EQ(failure.kind, Class::person);
        EXPECT_THAT(failure.text, HasSubstr("is for *.site.invalid, not "s + name));
    }
    EXPECT_EQ(server.application_bytes(), 0u);
}

TEST_F(HttpProxyTest, WildcardForAWholeTopLevelIsRefused) {
    const TlsServer server({.pair = pair_for("DNS:*.invalid")});
    const Proxy proxy(server.port());
    EXPECT_THAT(test::try_to_connect(request_through(proxy.access())).text,
                HasSubstr("is for *.invalid, not broker.invalid"));
}

TEST_F(HttpProxyTest, IsToldAnIpv6AddressInBracketsAndTheCredentials) {
    const TlsServer server({.pair = pair_for("IP:2001:db8::1")}, &test::answer_connect);
    const Proxy proxy(server.port());
    ProxyAccess access = proxy.access();
    access.proxy.username = "Aladdin";
    access.password = "open sesame";
    EXPECT_TRUE(test::connects(request_through(access, "2001:db8::1")));
    EXPECT_EQ(proxy.request(),
              "CONNECT [2001:db8::1]:8883 HTTP/1.1\r\nHost: [2001:db8::1]:8883\r\n"
              "Proxy-Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n\r\n");
}

TEST_F(HttpProxyTest, CannotPassForTheBrokerByItsOwnName) {
    const TlsServer server({.pair = pair_for("DNS:localhost")}, &test::answer_connect);
    const Proxy proxy(server.port());
    const LinkFailure failure = test::try_to_connect(request_through(proxy.access()));
    EXPECT_EQ(failure.kind, Class::person);
    EXPECT_THAT(failure.text, HasSubstr("certificate is for localhost, not broker.invalid"));
    EXPECT_EQ(server.application_bytes(), 0u);
}

TEST_F(HttpProxyTest, PassesOnWhatTheServerSaysFirst) {
    // Answer and first bytes of the server in one segment: none is taken for the proxy's.
    ScriptedServer proxy([](Peer& peer, int) {
        read_head(peer);
        peer.send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfirst\r\n\r\n");
        peer.read_to_end();
    });
    const auto addresses = Resolver().resolve("127.0.0.1", proxy.port(), MonoTime::max());
    ASSERT_TRUE(addresses);
    const MonoTime deadline = std::chrono::steady_clock::now() + 20s;
    const auto connection = connect_tcp(*addresses, proxy.port(), deadline);
    ASSERT_TRUE(connection);
    const ConnectRequest request = request_through({proxy_at(proxy.port()), ""});
    EXPECT_FALSE(open_tunnel(connection->socket.get(), *request.proxy, request.server, deadline));
    std::string rest;
    for (char byte = 0; rest.size() < 9 && wait_until_ready(connection->socket.get(), POLLIN, deadline) &&
                        ::recv(connection->socket.get(), &byte, 1, 0) == 1;)
        rest += byte;
    EXPECT_EQ(rest, "first\r\n\r\n");
}

TEST_F(HttpProxyTest, IsDiagnosedAsAStepOfItsOwn) {
    const TlsServer server({.pair = pair_for("DNS:broker.invalid")});
    const Proxy proxy(server.port());
    const auto diagnosis = diagnose_server(request_through({}).server, stage_.tls, 20s, proxy.access());
    ASSERT_FALSE(diagnosis.failure) << diagnosis.failure->text;
    ASSERT_EQ(diagnosis.steps.size(), 4u);
    EXPECT_EQ(diagnosis.steps[2].name, "proxy");
    EXPECT_THAT(diagnosis.steps[2].text, HasSubstr("passes on to broker.invalid:8883"));

    const Proxy refusing(server.port(), [](const auto&) { return "HTTP/1.1 403 Forbidden\r\n\r\n"; });
    const auto refused = diagnose_server(request_through({}).server, stage_.tls, 20s, refusing.access());
    ASSERT_TRUE(refused.failure);
    EXPECT_EQ(refused.steps.back().name, "proxy");
}

TEST_F(HttpProxyTest, IsAskedWhetherTheFirstServerIsThere) {
    const TlsServer server({.pair = pair_for("DNS:broker.invalid")}, &test::answer_connect);
    const Proxy proxy(server.port(), [](const std::string& request) {
        return request.starts_with("CONNECT away.invalid:") ? "HTTP/1.1 503 no\r\n\r\n" : established;
    });
    test::RecordingLog log;
    test::EventBox events;
    const auto transport = make_paho_transport(events.sink(), log);
    transport->connect(request_through(proxy.access()));
    ASSERT_TRUE(events.next<transport::Connected>());
    for (const auto& [host, reachable] : {std::pair{"away.invalid", false}, {"there.invalid", true}}) {
        transport->probe(request_through({}, host).server, 20s);
        const auto probed = events.next<transport::Probed>();
        ASSERT_TRUE(probed);
        EXPECT_EQ(probed->reachable, reachable) << host;
        EXPECT_THAT(proxy.request(), StartsWith(std::string("CONNECT ") + host + ":8883 "));
    }
}

struct BadAnswer {
    const char* name;
    std::string answer;
    Class kind;
    const char* text;
};

TEST_F(HttpProxyTest, SaysOfEachRefusalWhoRefusesAndWhat) {
    const BadAnswer cases[] = {
        {"407", "HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=\"x\"\r\n\r\n",
         Class::person, "asks for a user: set proxy_username and proxy_password_file (407 Proxy Auth"},
        {"407 of a scheme that is not ours",
         "HTTP/1.1 407 x\r\nProxy-Authenticate: Negotiate\r\nProxy-Authenticate: NTLM\r\n\r\n", Class::person,
         "asks for Negotiate, NTLM, and the agent has only Basic"},
        {"403", "HTTP/1.1 403 Forbidden\r\nContent-Length: 3\r\n\r\nno\n", Class::person,
         "does not allow connections to broker.invalid:8883 (403 Forbidden)"},
        {"405", "HTTP/1.1 405 Method Not Allowed\r\n\r\n", Class::person, "does not do CONNECT"},
        {"502", "HTTP/1.0 502 Bad Gateway\r\n\r\n", Class::passing,
         "cannot reach broker.invalid:8883 (502 Bad Gateway)"},
        {"503", "HTTP/1.1 503\r\n\r\n", Class::passing, "cannot reach broker.invalid:8883 (503)"},
        {"302", "HTTP/1.1 302 Found\r\nLocation: http://login.example\r\n\r\n", Class::passing,
         "did not connect to broker.invalid:8883 (302 Found)"},
        {"SSH", "SSH-2.0-OpenSSH_9.2\r\n", Class::person, "does not answer in HTTP"},
        {"TLS", std::string("\x15\x03\x03\x00\x02\x02\x46", 7), Class::person, "does not answer in HTTP"},
        {"zeros", std::string(100, '\0'), Class::person, "does not answer in HTTP"},
        {"endless head", "HTTP/1.1 200 OK\r\n" + std::string(100'000, 'x'), Class::person,
         "answers with a head of more than 16 KiB"},
        {"silence", "", Class::passing, "does not answer: it may not reach broker.invalid:8883"},
        {"half a head", "HTTP/1.1 200 OK\r\nVia: ", Class::passing, "does not answer"},
    };
    for (const BadAnswer& c : cases) {
        const LinkFailure failure = failure_of_answer(c.answer);
        EXPECT_EQ(failure.kind, c.kind) << c.name << ": " << failure.text;
        EXPECT_THAT(failure.text, HasSubstr(c.text)) << c.name;
    }
    EXPECT_THAT(failure_of_answer("HTTP/1.1 407 x\r\nProxy-Authenticate: Basic\r\n\r\n", "me").text,
                HasSubstr("refuses proxy_username \"me\" or its password (407 x)"));
}

TEST_F(HttpProxyTest, ThatClosesInsteadOfAnsweringIsNamed) {
    const auto close = [](const Peer& peer, int) { read_head(peer); };
    EXPECT_THAT(failure_with(close).text, HasSubstr("closed the connection without an answer"));
    const auto reset = [](const Peer& peer, int) {
        read_head(peer);
        const linger at_once{1, 0};
        ::setsockopt(peer.fd(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    };
    EXPECT_THAT(failure_with(reset).text, HasSubstr("broke the connection: Connection reset"));
}

TEST_F(HttpProxyTest, ThatDripsItsAnswerHasNoMoreTimeThanAnyone) {
    const LinkFailure failure = failure_with([](const Peer& peer, int) {
        read_head(peer);
        peer.send("HTTP/1.1 200 OK\r\n");
        for (pollfd closed{peer.fd(), POLLRDHUP, 0}; ::poll(&closed, 1, 100) == 0;)
            peer.send("X");
    });
    EXPECT_EQ(failure.kind, Class::passing);
    EXPECT_THAT(failure.text, HasSubstr("does not answer"));
}

TEST_F(HttpProxyTest, ThatIsNotThereIsNamed) {
    const ProxyAccess away{proxy_at(test::free_port()), ""};
    const LinkFailure failure = test::try_to_connect(request_through(away));
    EXPECT_EQ(failure.kind, Class::passing);
    EXPECT_THAT(failure.text, StartsWith("the proxy " + away.proxy.url + ": cannot connect to "));

    ProxyAccess unknown = away;
    unknown.proxy.host = "no-such-proxy.invalid";
    EXPECT_THAT(test::try_to_connect(request_through(unknown)).text,
                HasSubstr(": cannot resolve no-such-proxy.invalid"));
}

}  // namespace
}  // namespace holdfast
