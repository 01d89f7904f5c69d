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
#include "forward/openssl_ptr.hpp"
#include "forward/resolver.hpp"
#include "forward/tls_policy.hpp"

namespace holdfast {
namespace {

using Class = LinkFailure::Class;
using Clock_ = std::chrono::steady_clock;

// A server that wants a client certificate says so after a TLS 1.3 handshake is over for us; so much it has
// for that.
constexpr std::chrono::milliseconds alert_wait{1'000};

std::string address_and_port(const Address& address, std::uint16_t port) {
    const std::string text = address.text();
    return (address.family() == AF_INET6 ? "[" + text + "]" : text) + ":" + std::to_string(port);
}

bool wait_for(int fd, short events, MonoTime deadline) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock_::now()).count();
    pollfd item{fd, events, 0};
    return left > 0 && ::poll(&item, 1, static_cast<int>(left)) > 0;
}

Result<UniqueFd> open_tcp(const Address& address, std::uint16_t port, MonoTime deadline) {
    const auto failed = [&](int code) {
        return system_error(Error::Kind::retry, "cannot connect to " + address_and_port(address, port), code);
    };
    UniqueFd fd(::socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!fd) return failed(errno);
    if (::connect(fd.get(), address.get(), address.length) != 0) {
        if (errno != EINPROGRESS) return failed(errno);
        if (!wait_for(fd.get(), POLLOUT, deadline)) return failed(ETIMEDOUT);
    }
    int error = 0;
    socklen_t length = sizeof error;
    ::getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &error, &length);
    if (error != 0) return failed(error);
    return fd;
}

std::string take_string(BIO* bio) {
    char* text = nullptr;
    const long length = BIO_get_mem_data(bio, &text);
    return {text, static_cast<std::size_t>(length)};
}

std::string name_text(const X509_NAME* name) {
    const BioPtr bio(BIO_new(BIO_s_mem()));
    X509_NAME_print_ex(bio.get(), name, 0,
                       XN_FLAG_ONELINE & ~static_cast<unsigned long>(ASN1_STRFLGS_ESC_MSB));
    return take_string(bio.get());
}

std::string time_text(const ASN1_TIME* time) {
    tm parts{};
    if (ASN1_TIME_to_tm(time, &parts) != 1) return "an unreadable date";
    std::array<char, 32> text{};
    std::strftime(text.data(), text.size(), "%Y-%m-%d %H:%M:%SZ", &parts);
    return text.data();
}

std::string bytes_of(const ASN1_STRING* string) {
    const unsigned char* data = ASN1_STRING_get0_data(string);
    return {data, data + ASN1_STRING_length(string)};
}

std::string alternative_name(const GENERAL_NAME* name) {
    if (name->type == GEN_DNS) return bytes_of(name->d.dNSName);
    if (name->type != GEN_IPADD) return {};
    const std::string bytes = bytes_of(name->d.iPAddress);
    std::array<char, INET6_ADDRSTRLEN> text{};
    const int family = bytes.size() == 4 ? AF_INET : AF_INET6;
    if (bytes.size() != 4 && bytes.size() != 16) return {};
    return ::inet_ntop(family, bytes.data(), text.data(), text.size()) ? text.data() : "";
}

// The first few names that the certificate is for: the alternative ones, or the subject where there are none.
std::string names_of(X509* certificate) {
    constexpr int shown = 3;
    const GeneralNamesPtr names(
        static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
    std::string text;
    const int count = names ? sk_GENERAL_NAME_num(names.get()) : 0;
    for (int i = 0; i < std::min(count, shown); ++i) {
        const std::string name = alternative_name(sk_GENERAL_NAME_value(names.get(), i));
        if (!name.empty()) text += (text.empty() ? "" : ", ") + name;
    }
    if (count > shown) text += " and " + std::to_string(count - shown) + " more";
    return text.empty() ? name_text(X509_get_subject_name(certificate)) : text;
}

RefusedCertificate describe(X509_STORE_CTX* store) {
    RefusedCertificate refused;
    refused.verify_error = X509_STORE_CTX_get_error(store);
    refused.depth = X509_STORE_CTX_get_error_depth(store);
    if (X509* certificate = X509_STORE_CTX_get_current_cert(store)) {
        refused.subject = name_text(X509_get_subject_name(certificate));
        refused.names = names_of(certificate);
        refused.not_before = time_text(X509_get0_notBefore(certificate));
        refused.not_after = time_text(X509_get0_notAfter(certificate));
    }
    return refused;
}

// What the callbacks of a handshake have seen.
struct Witness {
    std::optional<RefusedCertificate> refused;
    bool certificate_wanted = false;
};

Witness& witness_of(const SSL* ssl) {
    return *static_cast<Witness*>(SSL_get_app_data(ssl));
}

int on_verify(int ok, X509_STORE_CTX* store) {
    const auto* ssl =
        static_cast<const SSL*>(X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
    if (ok == 0) witness_of(ssl).refused = describe(store);
    return ok;
}

int on_certificate_wanted(SSL* ssl, void*) {
    witness_of(ssl).certificate_wanted = true;
    return 1;
}

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
    const int floor = tls.min_version == TlsConfig::Version::v1_3 ? TLS1_3_VERSION : TLS1_2_VERSION;
    SSL_CTX_set_min_proto_version(context.get(), floor);
    SSL_CTX_set_cipher_list(context.get(), tls_cipher_list);
    SSL_CTX_set_verify(context.get(), tls.verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, &on_verify);
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

bool is_ip_address(const std::string& host) {
    std::array<unsigned char, sizeof(in6_addr)> bytes{};
    return ::inet_pton(AF_INET, host.c_str(), bytes.data()) == 1 ||
           ::inet_pton(AF_INET6, host.c_str(), bytes.data()) == 1;
}

SslPtr make_session(SSL_CTX* context, const std::string& host, int fd, Witness& witness) {
    SslPtr ssl(SSL_new(context));
    if (!ssl) return nullptr;
    SSL_set_app_data(ssl.get(), &witness);
    SSL_set_cert_cb(ssl.get(), &on_certificate_wanted, nullptr);
    SSL_set_fd(ssl.get(), fd);
    if (is_ip_address(host)) {
        X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl.get()), host.c_str());
    } else {
        SSL_set1_host(ssl.get(), host.c_str());
        // The macro casts to void*.
        SSL_ctrl(ssl.get(), SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
                 const_cast<char*>(host.c_str()));
    }
    return ssl;
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
        if (!wait_for(SSL_get_fd(ssl), error == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT, deadline))
            return Progress::timed_out;
    }
}

LinkFailure client_certificate_failure(const TlsConfig& tls, const std::string& alert) {
    if (tls.cert_file.empty())
        return {Class::person, 0,
                "the server wants a client certificate: set cert_file and key_file in [broker.tls]"};
    return {Class::person, 0,
            "the server refuses our client certificate " + tls.cert_file.string() + ": " + alert};
}

// The reason of a handshake that failed without a certificate being refused by us.
LinkFailure handshake_failure(const TlsConfig& tls, const Witness& witness) {
    const int saved_errno = errno;
    const unsigned long error = ERR_peek_error();
    const char* reason = ERR_reason_error_string(error);
    const std::string words = reason ? reason : "";
    switch (error == 0 || ERR_GET_LIB(error) != ERR_LIB_SSL ? 0 : ERR_GET_REASON(error)) {
        case SSL_R_WRONG_VERSION_NUMBER:
        case SSL_R_HTTP_REQUEST:
        case SSL_R_PACKET_LENGTH_TOO_LONG:
        case SSL_R_UNEXPECTED_MESSAGE:  // a type of record that there is none: MQTT
            return {Class::person, 0,
                    "the server does not speak TLS on this port: check scheme and port in servers"};
        case SSL_R_UNSUPPORTED_PROTOCOL:
        case SSL_R_TLSV1_ALERT_PROTOCOL_VERSION:
        case SSL_R_VERSION_TOO_LOW:
            return {Class::person, 0,
                    std::string("the server does not offer TLS ") +
                        (tls.min_version == TlsConfig::Version::v1_3 ? "1.3" : "1.2") +
                        " or later, which min_version asks for"};
        case SSL_R_DH_KEY_TOO_SMALL:
        case SSL_R_EE_KEY_TOO_SMALL:
            return {Class::person, 0, "the server's key is too weak"};
        case SSL_R_TLSV1_ALERT_NO_APPLICATION_PROTOCOL:
            return {Class::person, 0, "the server knows none of the protocols in alpn"};
        case SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE:
        case SSL_R_NO_CIPHERS_AVAILABLE:
            if (witness.certificate_wanted) return client_certificate_failure(tls, words);
            return {Class::person, 0,
                    "the server offers no cipher that is strong enough, or wants a client certificate"};
        case SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED:
        case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE:
        case SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED:
        case SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED:
        case SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN:
        case SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE:
        case SSL_R_TLSV1_ALERT_UNKNOWN_CA:
        case SSL_R_TLSV1_ALERT_ACCESS_DENIED:
        case SSL_R_TLSV1_ALERT_DECRYPT_ERROR:
            return client_certificate_failure(tls, words);
        default:
            break;
    }
    if (!words.empty()) return {Class::passing, 0, "TLS handshake failed: " + words};
    if (saved_errno != 0)
        return {Class::passing, 0,
                system_error(Error::Kind::retry, "TLS handshake failed", saved_errno).text};
    return {Class::passing, 0, "the server closed the connection during the TLS handshake"};
}

class Diagnosis {
  public:
    Diagnosis(const Server& server, const TlsConfig& tls, MonoTime deadline)
        : server_(server), tls_(tls), deadline_(deadline) {}

    ServerDiagnosis run() {
        const auto address = resolve();
        if (!address) return std::move(result_);
        const UniqueFd fd = connect(*address);
        if (fd && uses_tls(server_.scheme)) shake_hands(fd.get());
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

    std::optional<Address> resolve() {
        const auto addresses = Resolver().resolve(server_.host, server_.port, deadline_);
        if (!addresses) {
            failed("resolve", {Class::passing, 0, addresses.error().text});
            return std::nullopt;
        }
        // As Paho chooses: the first IPv4 address, else the last one of all.
        const auto chosen = std::find_if(addresses->begin(), addresses->end(),
                                         [](const Address& address) { return address.family() == AF_INET; });
        const Address address = chosen == addresses->end() ? addresses->back() : *chosen;
        succeeded("resolve", server_.host + " is " + address.text());
        return address;
    }

    UniqueFd connect(const Address& address) {
        auto fd = open_tcp(address, server_.port, deadline_);
        if (!fd) {
            failed("tcp", {Class::passing, 0, fd.error().text});
            return {};
        }
        succeeded("tcp", "connected to " + address_and_port(address, server_.port));
        return std::move(*fd);
    }

    void shake_hands(int fd) {
        const SslCtxPtr context = make_context(tls_);
        Witness witness;
        const SslPtr ssl = context ? make_session(context.get(), server_.host, fd, witness) : nullptr;
        if (!ssl)
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

    LinkFailure refusal(const Witness& witness) const {
        if (!witness.refused) return handshake_failure(tls_, witness);
        return certificate_failure(*witness.refused, server_.host, SystemClock().wall_us());
    }

    // TLS 1.3: the server judges our certificate when we are through already.
    bool alert_follows(SSL* ssl) const {
        char byte = 0;
        const MonoTime until = std::min(deadline_, Clock_::now() + alert_wait);
        return drive(ssl, until, [&] { return SSL_peek(ssl, &byte, 1); }) == Progress::failed &&
               ERR_peek_error() != 0;
    }

    void note_certificate(SSL* ssl) {
        result_.tls_version = SSL_get_version(ssl);
        result_.cipher = SSL_get_cipher_name(ssl);
        const X509Ptr certificate(SSL_get1_peer_certificate(ssl));
        if (!certificate) return;
        result_.certificate_name = names_of(certificate.get());
        int days = 0;
        int seconds = 0;
        if (ASN1_TIME_diff(&days, &seconds, nullptr, X509_get0_notAfter(certificate.get())) == 1)
            result_.days_to_expiry = days;
    }

    const Server& server_;
    const TlsConfig& tls_;
    const MonoTime deadline_;
    ServerDiagnosis result_;
};

}  // namespace

ServerDiagnosis diagnose_server(const Server& server, const TlsConfig& tls,
                                std::chrono::milliseconds timeout) {
    return Diagnosis(server, tls, Clock_::now() + timeout).run();
}

}  // namespace holdfast
