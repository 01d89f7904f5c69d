// Certificate authorities and certificates for tests, good and bad ones, written as PEM files.
#pragma once

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "support/temp_dir.hpp"

namespace holdfast::test {

struct CertificateSpec {
    std::string common_name = "localhost";
    std::string alternative_names = "DNS:localhost,IP:127.0.0.1,IP:::1";  // empty: none
    std::chrono::seconds begins{-3600};                                   // from now
    std::chrono::seconds ends{90 * 24 * 3600};
    unsigned rsa_bits = 0;  // 0: a P-256 key
    const EVP_MD* digest = EVP_sha256();
    std::string usage = "serverAuth,clientAuth";
    std::string key_password = {};  // empty: the key is not encrypted
    std::string key_usage = {};     // empty: for anything
    // One more, as in OpenSSL's configuration: {"nameConstraints", "critical,permitted;DNS:example"}.
    std::pair<std::string, std::string> extension = {};
    bool send_chain = true;  // those between it and the root are in the file too
};

struct CertificatePair {
    std::filesystem::path certificate;
    std::filesystem::path key;
};

class CertificateAuthority {
  public:
    CertificateAuthority(const TempDir& directory, std::string name)
        : directory_(directory), name_(std::move(name)), key_(make_key(0)) {
        const CertificateSpec spec{.common_name = name_, .alternative_names = "", .usage = ""};
        certificate_ = make(spec, key_.get(), nullptr, "critical,CA:TRUE");
        file_ = directory_ / (name_ + ".ca.pem");
        const File out(std::fopen(file_.c_str(), "w"));
        check(PEM_write_X509(out.get(), certificate_.get()) == 1, "write the CA");
    }

    // One below another, which signs it. `constraints`: what it may sign, or "critical,CA:FALSE".
    CertificateAuthority(const CertificateAuthority& signer, std::string name,
                         const std::string& constraints = "critical,CA:TRUE", CertificateSpec spec = {})
        : directory_(signer.directory_), name_(std::move(name)), key_(make_key(spec.rsa_bits)) {
        spec.common_name = name_;
        spec.alternative_names = "";
        certificate_ = make(spec, key_.get(), &signer, constraints);
        file_ = directory_ / (name_ + ".ca.pem");
        const File out(std::fopen(file_.c_str(), "w"));
        check(PEM_write_X509(out.get(), certificate_.get()) == 1, "write the CA");
        chain_ = signer.chain_;
        chain_.insert(chain_.begin(), certificate_.get());
    }

    const std::filesystem::path& file() const { return file_; }

    CertificatePair issue(const std::string& name, const CertificateSpec& spec = {}) const {
        const Key key = make_key(spec.rsa_bits);
        return write(name, spec, make(spec, key.get(), this, "critical,CA:FALSE").get(), key.get());
    }
    CertificatePair self_signed(const std::string& name, const CertificateSpec& spec = {}) const {
        const Key key = make_key(spec.rsa_bits);
        return write(name, spec, make(spec, key.get(), nullptr, "critical,CA:FALSE").get(), key.get());
    }

  private:
    struct Free {
        void operator()(EVP_PKEY_CTX* p) const { EVP_PKEY_CTX_free(p); }
        void operator()(EVP_PKEY* p) const { EVP_PKEY_free(p); }
        void operator()(X509* p) const { X509_free(p); }
        void operator()(X509_EXTENSION* p) const { X509_EXTENSION_free(p); }
        void operator()(std::FILE* p) const { std::fclose(p); }
    };
    using Key = std::unique_ptr<EVP_PKEY, Free>;
    using Certificate = std::unique_ptr<X509, Free>;
    using Extension = std::unique_ptr<X509_EXTENSION, Free>;
    using File = std::unique_ptr<std::FILE, Free>;

    static void check(bool ok, const char* what) {
        if (!ok) throw std::runtime_error(std::string("cannot ") + what);
    }

    // Of several primes where it is large: nobody who uses the key can tell, and it is found in a second
    // instead of a minute.
    static Key make_key(unsigned rsa_bits) {
        if (rsa_bits == 0) return Key(EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256"));
        const std::unique_ptr<EVP_PKEY_CTX, Free> context(
            EVP_PKEY_CTX_new_from_name(nullptr, "RSA", nullptr));
        EVP_PKEY* key = nullptr;
        check(EVP_PKEY_keygen_init(context.get()) == 1 &&
                  EVP_PKEY_CTX_set_rsa_keygen_bits(context.get(), static_cast<int>(rsa_bits)) == 1 &&
                  EVP_PKEY_CTX_set_rsa_keygen_primes(context.get(), rsa_bits >= 8192 ? 5 : 2) == 1 &&
                  EVP_PKEY_keygen(context.get(), &key) == 1,
              "make a key");
        return Key(key);
    }

    static void add_extension(X509* certificate, X509* issuer, const std::string& name,
                              const std::string& value) {
        if (value.empty()) return;
        X509V3_CTX context;
        X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
        const Extension extension(X509V3_EXT_nconf(nullptr, &context, name.c_str(), value.c_str()));
        check(extension != nullptr && X509_add_ext(certificate, extension.get(), -1) == 1,
              "add an extension");
    }

    static Certificate make(const CertificateSpec& spec, EVP_PKEY* key, const CertificateAuthority* ca,
                            const std::string& constraints) {
        Certificate certificate(X509_new());
        X509* x = certificate.get();
        X509_set_version(x, X509_VERSION_3);
        static long serial = 1000;
        ASN1_INTEGER_set(X509_get_serialNumber(x), ++serial);
        X509_gmtime_adj(X509_getm_notBefore(x), static_cast<long>(spec.begins.count()));
        X509_gmtime_adj(X509_getm_notAfter(x), static_cast<long>(spec.ends.count()));
        X509_set_pubkey(x, key);
        const auto* name =
            static_cast<const unsigned char*>(static_cast<const void*>(spec.common_name.c_str()));
        X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_UTF8, name, -1, -1, 0);
        X509* issuer = ca ? ca->certificate_.get() : x;
        X509_set_issuer_name(x, X509_get_subject_name(issuer));
        add_extension(x, issuer, SN_basic_constraints, constraints);
        add_extension(x, issuer, SN_subject_alt_name, spec.alternative_names);
        add_extension(x, issuer, SN_ext_key_usage, spec.usage);
        add_extension(x, issuer, SN_key_usage, spec.key_usage);
        add_extension(x, issuer, spec.extension.first, spec.extension.second);
        check(X509_sign(x, ca ? ca->key_.get() : key, spec.digest) > 0, "sign a certificate");
        return certificate;
    }

    CertificatePair write(const std::string& name, const CertificateSpec& spec, X509* certificate,
                          EVP_PKEY* key) const {
        const CertificatePair pair{directory_ / (name + ".crt.pem"), directory_ / (name + ".key.pem")};
        const File certificate_file(std::fopen(pair.certificate.c_str(), "w"));
        check(PEM_write_X509(certificate_file.get(), certificate) == 1, "write a certificate");
        for (X509* above : spec.send_chain ? chain_ : std::vector<X509*>{})
            check(PEM_write_X509(certificate_file.get(), above) == 1, "write a chain");
        const File key_file(std::fopen(pair.key.c_str(), "w"));
        const auto* password =
            static_cast<const unsigned char*>(static_cast<const void*>(spec.key_password.data()));
        const bool encrypted = !spec.key_password.empty();
        check(PEM_write_PrivateKey(key_file.get(), key, encrypted ? EVP_aes_256_cbc() : nullptr,
                                   encrypted ? password : nullptr, static_cast<int>(spec.key_password.size()),
                                   nullptr, nullptr) == 1,
              "write a key");
        std::filesystem::permissions(
            pair.key, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
        return pair;
    }

    const TempDir& directory_;
    const std::string name_;
    Key key_;
    Certificate certificate_;
    std::filesystem::path file_;
    std::vector<X509*> chain_;  // from this one up to that below the root; none: this is the root
};

}  // namespace holdfast::test
