#include "forward/diagnose.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <poll.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "forward/http_proxy.hpp"
#include "forward/openssl_ptr.hpp"
#include "forward/resolver.hpp"
#include "forward/tcp_connect.hpp"
#include "forward/tls_handshake.hpp"
#include "forward/tls_policy.hpp"
#include "forward/wall_dates.hpp"

namespace holdfast {
namespace {

using Class = LinkFailure::Class;
using Clock_ = std::chrono::steady_clock;

// A server that wants a client certificate says so after a TLS 1.3 handshake is over for us; so much it has
// for that.
constexpr std::chrono::milliseconds alert_wait{1'000};

std::string alpn_wire(const std::vector<std::string>& protocols) {
    std::string wire;
    for (const std::string& protocol : protocols) {
        wire += static_cast<char>(protocol.size());
        wire += protocol;
    }
    return wire;
}

SslCtxPtr make_context(const TlsConfig& tls) {
    SslCtxPtr context(SSL_CTX_new(TLS_client_method()));
    if (!context) return nullptr;
    if (tls.verify && SSL_CTX_load_verify_file(context.get(), tls.ca_file.c_str()) != 1) return nullptr;
    const std::string alpn = alpn_wire(tls.alpn);
    const auto* alpn_bytes = static_cast<const unsigned char*>(static_cast<const void*>(alpn.data()));
    if (!alpn.empty()) SSL_CTX_set_alpn_protos(context.get(), alpn_bytes, static_cast<unsigned>(alpn.size()));
    if (tls.cert_file.empty()) return context;
    auto password = read_key_password(tls);
    if (!password) return nullptr;
    SSL_CTX_set_default_passwd_cb(context.get(), &give_key_password);
    SSL_CTX_set_default_passwd_cb_userdata(context.get(), &*password);
    const bool loaded =
        SSL_CTX_use_certificate_chain_file(context.get(), tls.cert_file.c_str()) == 1 &&
        SSL_CTX_use_PrivateKey_file(context.get(), tls.key_file.c_str(), SSL_FILETYPE_PEM) == 1;
    SSL_CTX_set_default_passwd_cb_userdata(context.get(), nullptr);
    return loaded ? std::move(context) : nullptr;
}

enum class Progress { done, failed, timed_out };

// Repeats a non-blocking call of OpenSSL until it succeeds, fails or the deadline is over.
template <typename Call>
Progress drive(SSL* ssl, MonoTime deadline, Call call) {
    while (true) {
        ERR_clear_error();
        errno = 0;
        const int rc = call();
        if (rc > 0) return Progress::done;
        const int error = SSL_get_error(ssl, rc);
        if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE) return Progress::failed;
        if (!wait_until_ready(SSL_get_fd(ssl), error == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT, deadline))
            return Progress::timed_out;
    }
}

class Diagnosis {
  public:
    Diagnosis(const Server& server, const std::optional<ProxyAccess>& proxy, const TlsConfig& tls,
              MonoTime deadline)
        : server_(server),
          proxy_(proxy),
          host_(proxy ? proxy->proxy.host : server.host),
          port_(proxy ? proxy->proxy.port : server.port),
          tls_(tls),
          deadline_(deadline) {}

    ServerDiagnosis run() {
        const auto addresses = resolve();
        const UniqueFd fd = addresses.empty() ? UniqueFd() : connect(addresses);
        if (fd && passes_proxy(fd.get()) && uses_tls(server_.scheme)) shake_hands(fd.get());
        ERR_clear_error();
        return std::move(result_);
    }

  private:
    void succeeded(std::string step, std::string text) {
        result_.steps.push_back({std::move(step), true, std::move(text)});
    }
    void failed(std::string step, LinkFailure failure) {
        result_.steps.push_back({std::move(step), false, failure.text});
        result_.failure = std::move(failure);
    }

    std::vector<Address> resolve() {
        auto addresses = Resolver().resolve(host_, port_, deadline_);
        if (!addresses) {
            failed("resolve", {Class::passing, 0, of_proxy(addresses.error().text)});
            return {};
        }
        std::string text;
        for (const Address& address : *addresses)
            text += (text.empty() ? "" : ", ") + address.text();
        succeeded("resolve", (proxy_ ? "the proxy " : "") + host_ + " is " + text);
        return std::move(*addresses);
    }

    UniqueFd connect(const std::vector<Address>& addresses) {
        auto connected = connect_tcp(addresses, port_, deadline_);
        if (!connected) {
            failed("tcp", {Class::passing, 0, of_proxy(connected.error().text)});
            return {};
        }
        succeeded("tcp", "connected to " + connected->peer);
        return std::move(connected->socket);
    }

    bool passes_proxy(int fd) {
        if (!proxy_) return true;
        if (auto failure = open_tunnel(fd, *proxy_, server_, deadline_)) {
            failed("proxy", std::move(*failure));
            return false;
        }
        succeeded("proxy", proxy_->proxy.url + " passes on to " + host_and_port(server_.host, server_.port));
        return true;
    }

    std::string of_proxy(std::string text) const {
        return proxy_ ? proxy_text(proxy_->proxy, ": " + text) : text;
    }

    void shake_hands(int fd) {
        const SslCtxPtr context = make_context(tls_);
        TlsWitness witness;
        const SslPtr ssl(context ? SSL_new(context.get()) : nullptr);
        if (!ssl || SSL_set_fd(ssl.get(), fd) != 1 ||
            !prepare_handshake(ssl.get(), tls_, server_.host, witness))
            return failed("tls",
                          check_tls_files(tls_).value_or(LinkFailure{Class::passing, 0, "OpenSSL failed"}));
        const Progress progress = drive(ssl.get(), deadline_, [&] { return SSL_connect(ssl.get()); });
        if (progress == Progress::timed_out)
            return failed("tls", {Class::passing, 0, "the server does not finish the TLS handshake"});
        if (progress == Progress::failed) return failed("tls", refusal(witness));
        note_certificate(ssl.get());
        if (witness.certificate_wanted && alert_follows(ssl.get())) return failed("tls", refusal(witness));
        succeeded("tls", result_.tls_version + ", " + result_.cipher);
    }

    LinkFailure refusal(const TlsWitness& witness) const {
        return handshake_failure(tls_, server_.host, witness);
    }

    // TLS 1.3: the server judges our certificate when we are through already.
    bool alert_follows(SSL* ssl) const {
        char byte = 0;
        const MonoTime until = std::min(deadline_, Clock_::now() + alert_wait);
        return drive(ssl, until, [&] { return SSL_peek(ssl, &byte, 1); }) == Progress::failed &&
               ERR_peek_error() != 0;
    }

    void note_certificate(SSL* ssl) {
        const TlsSession session = describe_session(ssl);
        result_.tls_version = session.version;
        result_.cipher = session.cipher;
        result_.certificate_name = session.peer_names;
        if (session.not_after_wall_us)
            result_.days_to_expiry =
                static_cast<int>(days_until(*session.not_after_wall_us, SystemClock().wall_us()));
    }

    const Server& server_;
    const std::optional<ProxyAccess>& proxy_;
    const std::string& host_;  // whom to connect to: the proxy, or the server
    const std::uint16_t port_;
    const TlsConfig& tls_;
    const MonoTime deadline_;
    ServerDiagnosis result_;
};

}  // namespace

ServerDiagnosis diagnose_server(const Server& server, const TlsConfig& tls, std::chrono::milliseconds timeout,
                                const std::optional<ProxyAccess>& proxy) {
    return Diagnosis(server, proxy, tls, Clock_::now() + timeout).run();
}

}  // namespace holdfast
