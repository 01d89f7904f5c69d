#include "forward/tls_handshake.hpp"

#include <arpa/inet.h>
#include <openssl/err.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "forward/asn1_time.hpp"
#include "forward/openssl_ptr.hpp"
#include "forward/tls_policy.hpp"
#include "forward/wall_dates.hpp"

namespace holdfast {
namespace {

using Class = LinkFailure::Class;

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
    const auto wall_us = wall_us_of(time);
    return wall_us ? date_text(*wall_us) : "an unreadable date";
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

// The first few of the alternative names, the only ones that the certificate is for.
std::string alternative_names_of(X509* certificate) {
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
    return text;
}

// For people: the subject where there are none.
std::string names_of(X509* certificate) {
    std::string text = alternative_names_of(certificate);
    return text.empty() ? name_text(X509_get_subject_name(certificate)) : text;
}

RefusedCertificate describe(X509_STORE_CTX* store) {
    RefusedCertificate refused;
    refused.verify_error = X509_STORE_CTX_get_error(store);
    refused.depth = X509_STORE_CTX_get_error_depth(store);
    if (X509* certificate = X509_STORE_CTX_get_current_cert(store)) {
        refused.subject = name_text(X509_get_subject_name(certificate));
        refused.names = alternative_names_of(certificate);
        refused.not_before = time_text(X509_get0_notBefore(certificate));
        refused.not_after = time_text(X509_get0_notAfter(certificate));
    }
    return refused;
}

TlsWitness& witness_of(const SSL* ssl) {
    return *static_cast<TlsWitness*>(SSL_get_app_data(ssl));
}

int on_verify(int ok, X509_STORE_CTX* store) {
    const auto* ssl =
        static_cast<const SSL*>(X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
    if (ok == 0) witness_of(ssl).refused = describe(store);
    return ok;
}

int on_certificate_wanted(SSL* ssl, void*) {
    TlsWitness& witness = witness_of(ssl);
    witness.certificate_wanted = true;
    if (const X509* ours = SSL_get_certificate(ssl))
        witness.our_name = name_text(X509_get_subject_name(ours));
    return 1;
}

bool is_ip_address(const std::string& host) {
    std::array<unsigned char, sizeof(in6_addr)> bytes{};
    return ::inet_pton(AF_INET, host.c_str(), bytes.data()) == 1 ||
           ::inet_pton(AF_INET6, host.c_str(), bytes.data()) == 1;
}

LinkFailure client_certificate_failure(const TlsConfig& tls, const TlsWitness& witness,
                                       const std::string& alert) {
    if (tls.cert_file.empty())
        return {Class::person, 0,
                "the server wants a client certificate: set cert_file and key_file in [broker.tls]"};
    return {Class::person, 0,
            "the server refuses our client certificate (" + witness.our_name + "): " + alert};
}

// The reason of a handshake that failed without a certificate being refused by us.
LinkFailure failure_of_handshake(const TlsConfig& tls, const TlsWitness& witness) {
    const int saved_errno = errno;
    const unsigned long error = ERR_peek_error();
    const char* reason = ERR_reason_error_string(error);
    const std::string words = reason ? reason : "";
    switch (error == 0 || ERR_GET_LIB(error) != ERR_LIB_SSL ? 0 : ERR_GET_REASON(error)) {
        case SSL_R_WRONG_VERSION_NUMBER:
        case SSL_R_HTTP_REQUEST:
        case SSL_R_PACKET_LENGTH_TOO_LONG:
        case SSL_R_DATA_LENGTH_TOO_LONG:  // the same in OpenSSL 3.2 and later
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
        case SSL_R_EXCESSIVE_MESSAGE_SIZE:
            return {Class::person, 0,
                    "the certificate chain of the server is larger than OpenSSL takes (100 KiB)"};
        case SSL_R_DH_KEY_TOO_SMALL:
        case SSL_R_EE_KEY_TOO_SMALL:
            return {Class::person, 0, "the server's key is too weak"};
        case SSL_R_TLSV1_ALERT_NO_APPLICATION_PROTOCOL:
            return {Class::person, 0, "the server knows none of the protocols in alpn"};
        case SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE:
        case SSL_R_NO_CIPHERS_AVAILABLE:
            if (witness.certificate_wanted) return client_certificate_failure(tls, witness, words);
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
            return client_certificate_failure(tls, witness, words);
        default:
            break;
    }
    if (!words.empty()) return {Class::passing, 0, "TLS handshake failed: " + words};
    if (saved_errno != 0)
        return {Class::passing, 0,
                system_error(Error::Kind::retry, "TLS handshake failed", saved_errno).text};
    return {Class::passing, 0, "the server closed the connection during the TLS handshake"};
}

}  // namespace

bool prepare_handshake(SSL* ssl, const TlsConfig& tls, const std::string& host, TlsWitness& witness) {
    SSL_set_app_data(ssl, &witness);
    SSL_set_cert_cb(ssl, &on_certificate_wanted, nullptr);
    SSL_set_verify(ssl, tls.verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, &on_verify);
    const int floor = tls.min_version == TlsConfig::Version::v1_3 ? TLS1_3_VERSION : TLS1_2_VERSION;
    bool ready = SSL_set_min_proto_version(ssl, floor) == 1 && SSL_set_cipher_list(ssl, tls_cipher_list) == 1;
    // The macro for the server's name casts to void*; an address is not sent as one (RFC 6066, 3).
    const auto announce = [ssl](const char* name) {
        return SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
                        const_cast<char*>(name)) == 1;
    };
    if (is_ip_address(host)) {
        announce(nullptr);
        ready = ready && X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host.c_str()) == 1;
    } else {
        ready = ready && announce(host.c_str()) && SSL_set1_host(ssl, host.c_str()) == 1;
        // OpenSSL would take the common name for want of others (RFC 9525, 2: nobody does any more).
        X509_VERIFY_PARAM_set_hostflags(SSL_get0_param(ssl), X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
    }
    return ready;
}

LinkFailure handshake_failure(const TlsConfig& tls, const std::string& host, const TlsWitness& witness) {
    if (witness.refused) return certificate_failure(*witness.refused, host, SystemClock().wall_us());
    return failure_of_handshake(tls, witness);
}

TlsSession describe_session(SSL* ssl) {
    TlsSession session{.version = SSL_get_version(ssl),
                       .cipher = SSL_get_cipher_name(ssl),
                       .peer_names = {},
                       .not_after_wall_us = {}};
    const X509Ptr certificate(SSL_get1_peer_certificate(ssl));
    if (!certificate) return session;
    session.peer_names = names_of(certificate.get());
    session.not_after_wall_us = wall_us_of(X509_get0_notAfter(certificate.get()));
    return session;
}

}  // namespace holdfast
