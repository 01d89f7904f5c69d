#include "forward/tls_policy.hpp"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdlib>
#include <utility>

#include "base/file.hpp"
#include "forward/asn1_time.hpp"
#include "forward/openssl_ptr.hpp"

namespace holdfast {
namespace {

namespace fs = std::filesystem;

Error wrong(std::string text) {
    return {Error::Kind::config, std::move(text)};
}

BioPtr memory_bio(const std::string& content) {
    return BioPtr(BIO_new_mem_buf(content.data(), static_cast<int>(content.size())));
}

// A credential is bound to the unit by systemd; its mode shows an ACL's mask and says nothing of who can read
// it.
bool is_credential(const fs::path& file) {
    const char* directory = std::getenv("CREDENTIALS_DIRECTORY");
    return directory != nullptr && *directory != '\0' && file.parent_path() == fs::path(directory);
}

Result<void> check_key_mode(const fs::path& file) {
    struct stat info {};
    if (is_credential(file) || ::stat(file.c_str(), &info) != 0) return {};
    if ((info.st_mode & (S_IRWXG | S_IRWXO)) == 0) return {};
    return wrong("key_file " + file.string() + " can be read by others: run chmod 600 " + file.string());
}

Error key_problem(const TlsConfig& tls, const std::string& content) {
    const std::string file = tls.key_file.string();
    if (content.find("BEGIN TSS2 PRIVATE KEY") != std::string::npos)
        return {Error::Kind::config,
                "key_file " + file +
                    " is a key of a TPM that OpenSSL cannot open: set up its tpm2 provider as docs/mqtt.md "
                    "says, \"Keys in a TPM\"",
                ENOTSUP};
    if (content.find("ENCRYPTED") == std::string::npos)
        return wrong("key_file " + file + " holds no private key in PEM form");
    if (tls.key_password_file.empty())
        return wrong("key_file " + file + " is encrypted: set key_password_file");
    return wrong("the password in " + tls.key_password_file.string() + " does not open key_file " + file);
}

// All certificates of a file; each has to be whole, for a file that is being written ends in the middle of
// one.
Result<std::vector<X509Ptr>> parse_certificates(const std::string& key, const fs::path& file,
                                                const std::string& content) {
    const BioPtr bio = memory_bio(content);
    std::vector<X509Ptr> certificates;
    ERR_clear_error();
    while (auto certificate = X509Ptr(PEM_read_bio_X509_AUX(bio.get(), nullptr, nullptr, nullptr)))
        certificates.push_back(std::move(certificate));
    const unsigned long error = ERR_peek_last_error();
    if (ERR_GET_LIB(error) != ERR_LIB_PEM || ERR_GET_REASON(error) != PEM_R_NO_START_LINE)
        return wrong(key + " " + file.string() + ": certificate number " +
                     std::to_string(certificates.size() + 1) + " is damaged or cut off");
    if (certificates.empty()) return wrong(key + " " + file.string() + " holds no certificate in PEM form");
    return certificates;
}

Result<std::string> read_named(const std::string& key, const fs::path& file) {
    auto content = read_file(file);
    if (!content) return Error{Error::Kind::config, key + ": " + content.error().text, content.error().code};
    return content;
}

Result<void> load_client_pair(const TlsConfig& tls, TlsContents& contents) {
    auto certificate = read_named("cert_file", tls.cert_file);
    if (!certificate) return certificate.error();
    const auto chain = parse_certificates("cert_file", tls.cert_file, *certificate);
    if (!chain) return chain.error();

    auto key = read_named("key_file", tls.key_file);
    if (!key) return key.error();
    if (auto mode = check_key_mode(tls.key_file); !mode) return mode;
    auto password = read_key_password(tls);
    if (!password) return password.error();
    const BioPtr key_bio = memory_bio(*key);
    const PkeyPtr opened(PEM_read_bio_PrivateKey(key_bio.get(), nullptr, &give_key_password, &*password));
    if (!opened) return key_problem(tls, *key);

    if (X509_check_private_key(chain->front().get(), opened.get()) != 1)
        return wrong("cert_file " + tls.cert_file.string() + " and key_file " + tls.key_file.string() +
                     " do not belong together");
    contents.certificate = std::move(*certificate);
    contents.key = std::move(*key);
    contents.key_password = std::move(*password);
    return {};
}

Result<TlsContents> load(const TlsConfig& tls) {
    TlsContents contents;
    if (tls.verify) {
        auto ca = read_named("ca_file", tls.ca_file);
        if (!ca) return ca.error();
        if (const auto parsed = parse_certificates("ca_file", tls.ca_file, *ca); !parsed)
            return parsed.error();
        contents.ca = std::move(*ca);
    }
    if (!tls.cert_file.empty())
        if (auto loaded = load_client_pair(tls, contents); !loaded) return loaded.error();
    return contents;
}

}  // namespace

Result<TlsContents> load_tls_files(const TlsConfig& tls) {
    auto contents = load(tls);
    ERR_clear_error();
    return contents;
}

std::optional<LinkFailure> check_tls_files(const TlsConfig& tls) {
    auto contents = load_tls_files(tls);
    if (contents) return std::nullopt;
    return LinkFailure{LinkFailure::Class::person, 0, std::move(contents.error().text)};
}

std::vector<CertificateDates> certificate_dates(const std::string& pem) {
    std::vector<CertificateDates> all;
    const BioPtr bio = memory_bio(pem);
    while (const auto certificate = X509Ptr(PEM_read_bio_X509_AUX(bio.get(), nullptr, nullptr, nullptr))) {
        const auto begins = wall_us_of(X509_get0_notBefore(certificate.get()));
        const auto ends = wall_us_of(X509_get0_notAfter(certificate.get()));
        if (begins && ends) all.push_back({*begins, *ends});
    }
    ERR_clear_error();
    return all;
}

Result<std::string> read_key_password(const TlsConfig& tls) {
    return read_password_setting("key_password_file", tls.key_password_file);
}

int give_key_password(char* buffer, int size, int, void* password) {
    const auto& text = *static_cast<const std::string*>(password);
    if (text.empty() || text.size() > static_cast<std::size_t>(size)) return -1;
    text.copy(buffer, text.size());
    return static_cast<int>(text.size());
}

std::string openssl_version() {
    return ::OpenSSL_version(OPENSSL_VERSION);
}

}  // namespace holdfast
