// A TLS handshake as every connection of the agent makes it, and what can be said of one that failed.
//
// For an SSL object that is somebody else's (Paho's) or our own (diagnose.cpp); nothing in here reads or
// writes a socket.
#pragma once

#include <openssl/ssl.h>

#include <cstdint>
#include <optional>
#include <string>

#include "config/config.hpp"
#include "forward/transport.hpp"

namespace holdfast {

// What is wrong with a certificate that OpenSSL refused with `verify_error` (X509_V_ERR_...).
struct RefusedCertificate {
    long verify_error = 0;
    int depth = 0;  // 0: the server's own
    std::string subject;
    std::string names;       // the alternative ones, for only these count: "a.example, b.example"; or empty
    std::string not_before;  // "2026-01-31 00:00:00Z"
    std::string not_after;
};
LinkFailure certificate_failure(const RefusedCertificate& certificate, const std::string& host,
                                std::int64_t wall_us);

// What the callbacks of a handshake have seen. Lives as long as the SSL object, at one address.
struct TlsWitness {
    std::optional<RefusedCertificate> refused;
    bool certificate_wanted = false;
    std::string our_name;  // the subject of our certificate, if there is one
};

// Before the handshake: version, ciphers and security level; the server's certificate is verified inside the
// handshake, name included, so that a server that must not be talked to gets an alert and nothing else. A
// certificate without alternative names is for nobody (RFC 6125, 6.4.4).
bool prepare_handshake(SSL* ssl, const TlsConfig& tls, const std::string& host, TlsWitness& witness);

// After a call that failed, with OpenSSL's error queue and errno as it left them.
LinkFailure handshake_failure(const TlsConfig& tls, const std::string& host, const TlsWitness& witness);

// After a handshake that was done.
TlsSession describe_session(SSL* ssl);

}  // namespace holdfast
