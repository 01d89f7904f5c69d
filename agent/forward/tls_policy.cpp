#include "forward/tls_policy.hpp"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdlib>

#include "base/file.hpp"
#include "forward/openssl_ptr.hpp"

namespace holdfast {
namespace {

namespace fs = std::filesystem;

LinkFailure for_a_person(std::string text) {
    return {LinkFailure::Class::person, 0, std::move(text)};
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

std::optional<LinkFailure> check_key_mode(const fs::path& file) {
    struct stat info {};
    if (is_credential(file) || ::stat(file.c_str(), &info) != 0) return std::nullopt;
    if ((info.st_mode & (S_IRWXG | S_IRWXO)) == 0) return std::nullopt;
    return for_a_person("key_file " + file.string() + " can be read by others: run chmod 600 " +
                        file.string());
}

std::string key_problem(const TlsConfig& tls, const std::string& content) {
    const std::string file = tls.key_file.string();
    if (content.find("ENCRYPTED") == std::string::npos)
        return "key_file " + file + " holds no private key in PEM form";
    if (tls.key_password_file.empty()) return "key_file " + file + " is encrypted: set key_password_file";
    return "the password in " + tls.key_password_file.string() + " does not open key_file " + file;
}

std::optional<LinkFailure> check_ca(const TlsConfig& tls) {
    const auto content = read_file(tls.ca_file);
    if (!content) return for_a_person("ca_file: " + content.error().text);
    const BioPtr bio = memory_bio(*content);
    if (X509Ptr(PEM_read_bio_X509_AUX(bio.get(), nullptr, nullptr, nullptr))) return std::nullopt;
    return for_a_person("ca_file " + tls.ca_file.string() + " holds no certificate in PEM form");
}

std::optional<LinkFailure> check_client_pair(const TlsConfig& tls) {
    const auto certificate_text = read_file(tls.cert_file);
    if (!certificate_text) return for_a_person("cert_file: " + certificate_text.error().text);
    const BioPtr certificate_bio = memory_bio(*certificate_text);
    const X509Ptr certificate(PEM_read_bio_X509_AUX(certificate_bio.get(), nullptr, nullptr, nullptr));
    if (!certificate)
        return for_a_person("cert_file " + tls.cert_file.string() + " holds no certificate in PEM form");

    const auto key_text = read_file(tls.key_file);
    if (!key_text) return for_a_person("key_file: " + key_text.error().text);
    if (auto failure = check_key_mode(tls.key_file)) return failure;
    auto password = read_key_password(tls);
    if (!password) return for_a_person(password.error().text);
    const BioPtr key_bio = memory_bio(*key_text);
    const PkeyPtr key(PEM_read_bio_PrivateKey(key_bio.get(), nullptr, &give_key_password, &*password));
    if (!key) return for_a_person(key_problem(tls, *key_text));

    if (X509_check_private_key(certificate.get(), key.get()) == 1) return std::nullopt;
    return for_a_person("cert_file " + tls.cert_file.string() + " and key_file " + tls.key_file.string() +
                        " do not belong together");
}

}  // namespace

std::optional<LinkFailure> check_tls_files(const TlsConfig& tls) {
    std::optional<LinkFailure> failure;
    if (tls.verify) failure = check_ca(tls);
    if (!failure && !tls.cert_file.empty()) failure = check_client_pair(tls);
    ERR_clear_error();
    return failure;
}

Result<std::string> read_key_password(const TlsConfig& tls) {
    if (tls.key_password_file.empty()) return std::string();
    auto password = read_password_file(tls.key_password_file);
    if (!password) return Error{password.error().kind, "key_password_file: " + password.error().text};
    return password;
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
