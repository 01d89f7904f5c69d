// A TLS server that may be as weak or wrong as a test wants it, and counts what it is told after the
// handshake.
#pragma once

#include <openssl/dh.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include <functional>
#include <memory>
#include <string>

#include "support/certificates.hpp"
#include "support/scripted_server.hpp"

namespace holdfast::test {

struct TlsServerOptions {
    CertificatePair pair;
    int least_version = 0;  // TLS1_2_VERSION, ...; 0: any
    int latest_version = 0;
    std::string ciphers = "ALL:@SECLEVEL=0";  // of TLS 1.2 and older
    std::filesystem::path client_ca = {};     // not empty: a client certificate of this CA is demanded
    std::string alpn = {};                    // not empty: the one protocol it speaks
    bool weak_diffie_hellman = false;         // 1024 bits
};

class TlsServer {
  public:
    using Session = std::function<void(SSL*)>;  // after a good handshake; what it reads is not counted

    explicit TlsServer(TlsServerOptions options, Session session = {})
        : options_(std::move(options)),
          session_(std::move(session)),
          context_(make_context()),
          server_([this](ScriptedServer::Peer& peer, int) { serve(peer); }) {}

    std::uint16_t port() const { return server_.port(); }
    int connections() const { return server_.connections(); }
    int handshakes() const { return handshakes_; }
    std::size_t application_bytes() const { return application_bytes_; }

  private:
    struct Free {
        void operator()(SSL_CTX* p) const { SSL_CTX_free(p); }
        void operator()(EVP_PKEY_CTX* p) const { EVP_PKEY_CTX_free(p); }
        void operator()(SSL* p) const { SSL_free(p); }
    };
    using Context = std::unique_ptr<SSL_CTX, Free>;

    static int choose_alpn(SSL*, const unsigned char** out, unsigned char* length, const unsigned char* in,
                           unsigned in_length, void* wanted) {
        const auto& protocol = *static_cast<const std::string*>(wanted);
        for (unsigned at = 0; at < in_length; at += in[at] + 1u) {
            if (std::string(in + at + 1, in + at + 1 + in[at]) != protocol) continue;
            *out = in + at + 1;
            *length = in[at];
            return SSL_TLSEXT_ERR_OK;
        }
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    }

    Context make_context() {
        Context context(SSL_CTX_new(TLS_server_method()));
        SSL_CTX* c = context.get();
        SSL_CTX_set_security_level(c, 0);
        SSL_CTX_set_min_proto_version(c, options_.least_version == 0 ? TLS1_VERSION : options_.least_version);
        SSL_CTX_set_max_proto_version(c, options_.latest_version);
        SSL_CTX_set_cipher_list(c, options_.ciphers.c_str());
        SSL_CTX_use_certificate_chain_file(c, options_.pair.certificate.c_str());
        SSL_CTX_use_PrivateKey_file(c, options_.pair.key.c_str(), SSL_FILETYPE_PEM);
        if (options_.weak_diffie_hellman) {
            EVP_PKEY* group = nullptr;
            const std::unique_ptr<EVP_PKEY_CTX, Free> parameters(
                EVP_PKEY_CTX_new_from_name(nullptr, "DH", nullptr));
            EVP_PKEY_paramgen_init(parameters.get());
            // RFC 5114, 2.1: 1024 bits; a prime of our own would take long.
            EVP_PKEY_CTX_set_dh_rfc5114(parameters.get(), 1);
            EVP_PKEY_paramgen(parameters.get(), &group);
            SSL_CTX_set0_tmp_dh_pkey(c, group);
        }
        if (!options_.client_ca.empty()) {
            SSL_CTX_load_verify_file(c, options_.client_ca.c_str());
            SSL_CTX_set_verify(c, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
        }
        if (!options_.alpn.empty()) SSL_CTX_set_alpn_select_cb(c, &choose_alpn, &options_.alpn);
        return context;
    }

    void serve(ScriptedServer::Peer& peer) {
        const timeval patience{5, 0};
        ::setsockopt(peer.fd(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
        ::setsockopt(peer.fd(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
        const std::unique_ptr<SSL, Free> ssl(SSL_new(context_.get()));
        SSL_set_fd(ssl.get(), peer.fd());
        if (SSL_accept(ssl.get()) == 1) {
            ++handshakes_;
            if (session_) session_(ssl.get());
            char byte = 0;
            while (SSL_read(ssl.get(), &byte, 1) == 1)
                ++application_bytes_;
        }
        ERR_clear_error();
    }

    TlsServerOptions options_;
    const Session session_;
    const Context context_;
    std::atomic<int> handshakes_ = 0;
    std::atomic<std::size_t> application_bytes_ = 0;
    ScriptedServer server_;  // last: its thread uses the rest
};

}  // namespace holdfast::test
