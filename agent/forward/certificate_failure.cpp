// The words for a certificate that was refused, apart from the handshake that refused it.
#include <openssl/x509_vfy.h>

#include "forward/tls_handshake.hpp"
#include "forward/wall_dates.hpp"

namespace holdfast {
LinkFailure certificate_failure(const RefusedCertificate& certificate, const std::string& host,
                                std::int64_t wall_us) {
    const bool is_leaf = certificate.depth == 0;
    const std::string whose = is_leaf ? "certificate of " + host
                                      : "CA certificate " + certificate.subject + " in the chain of " + host;
    const auto person = [](std::string text) {
        return LinkFailure{LinkFailure::Class::person, 0, std::move(text)};
    };
    switch (certificate.verify_error) {
        case X509_V_ERR_HOSTNAME_MISMATCH:
        case X509_V_ERR_IP_ADDRESS_MISMATCH:
            if (!certificate.names.empty())
                return person("certificate is for " + certificate.names + ", not " + host);
            return person(whose + " has no subjectAltName, only the subject " + certificate.subject +
                          ", which does not count: have it issued with subjectAltName=" +
                          (certificate.verify_error == X509_V_ERR_IP_ADDRESS_MISMATCH ? "IP:" : "DNS:") +
                          host);
        case X509_V_ERR_CERT_HAS_EXPIRED:
            return person(whose + " has expired on " + certificate.not_after);
        case X509_V_ERR_CERT_NOT_YET_VALID: {
            LinkFailure failure = person(whose + " is not valid before " + certificate.not_before);
            if (!clock_is_plausible(wall_us)) {
                failure.kind = LinkFailure::Class::passing;
                failure.text += ", and the clock of this machine is not set";
            }
            return failure;
        }
        case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
            return person(whose + " is self-signed and not in ca_file");
        case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
            return person("certificate of " + host +
                          " is signed by a CA that is not in ca_file: " + certificate.subject);
        case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
        case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
        case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
        case X509_V_ERR_CERT_SIGNATURE_FAILURE:
            return person(
                whose +
                " is signed by a CA that is not in ca_file, or the server does not send the whole chain");
        case X509_V_ERR_INVALID_CA:
            return person(whose + " may not sign other certificates");
        case X509_V_ERR_INVALID_PURPOSE:
            return person(whose + " is not made for a server");
        case X509_V_ERR_EE_KEY_TOO_SMALL:
        case X509_V_ERR_CA_KEY_TOO_SMALL:
            return person(whose + " has a key that is too weak (RSA needs 2048 bits)");
        case X509_V_ERR_CA_MD_TOO_WEAK:
            return person(whose + " has a signature that is too weak (SHA-1 or MD5)");
        default:
            return person(whose + " is refused: " + X509_verify_cert_error_string(certificate.verify_error));
    }
}

}  // namespace holdfast
