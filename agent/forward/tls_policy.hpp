// What every TLS connection of the agent keeps to, and whether the configured files can keep it.
//
// Nothing in here touches the network. Called by the thread that is about to connect.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "config/config.hpp"
#include "forward/transport.hpp"

namespace holdfast {

// TLS 1.2 suites with forward secrecy and authenticated encryption. It ends in SECLEVEL=2 because Paho
// C 1.3.12 lowers the level to 1 (SSLSocket_createContext), where RSA-1024 passes, and the cipher string is
// what it sets afterwards.
inline constexpr const char* tls_cipher_list = "ECDHE+AESGCM:ECDHE+CHACHA20:!aNULL:!eNULL:@SECLEVEL=2";

// What the CA, certificate and key files hold; what is not configured is empty.
struct TlsContents {
    std::string ca;
    std::string certificate;  // with those between it and its CA
    std::string key;
    std::string key_password;
    bool operator==(const TlsContents&) const = default;
};

// Fails (kind config) with the first thing that is wrong with them, as check_tls_files() does: every
// certificate in them parses, the key opens, is its owner's alone and belongs to the certificate. Dates are
// not looked at. The error's code is 0 when the files are there and wrong, and an errno when this process
// can't tell, as it may not read one, or lacks what opens a key.
Result<TlsContents> load_tls_files(const TlsConfig& tls);

// The first thing that is wrong with the CA, certificate and key files, each with its own words; none: they
// are fine.
std::optional<LinkFailure> check_tls_files(const TlsConfig& tls);

struct CertificateDates {
    std::int64_t begins_wall_us = 0;
    std::int64_t ends_wall_us = 0;
};
// Of each certificate in the text, in its order.
std::vector<CertificateDates> certificate_dates(const std::string& pem);

// The password of the key, without one trailing newline; empty when none is configured.
Result<std::string> read_key_password(const TlsConfig& tls);

// OpenSSL's callback for a password; the last argument is a std::string. Without one OpenSSL would ask on the
// terminal.
int give_key_password(char* buffer, int size, int for_writing, void* password);

// That of the library in use: "OpenSSL 3.0.22 ...".
std::string openssl_version();

}  // namespace holdfast
