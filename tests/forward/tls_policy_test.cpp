#include "forward/tls_policy.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/certificates.hpp"

namespace holdfast {
namespace {

namespace fs = std::filesystem;
using test::CertificateAuthority;
using test::CertificatePair;
using test::TempDir;
using ::testing::AllOf;
using ::testing::HasSubstr;

TlsConfig trusting(const fs::path& ca_file) {
    TlsConfig tls;
    tls.ca_file = ca_file;
    return tls;
}

class TlsFiles : public ::testing::Test {
  protected:
    TlsConfig with_client(const CertificatePair& pair) const {
        TlsConfig tls = tls_;
        tls.cert_file = pair.certificate;
        tls.key_file = pair.key;
        return tls;
    }
    static std::string problem(const TlsConfig& tls) {
        const auto failure = check_tls_files(tls);
        if (!failure) return "none";
        EXPECT_EQ(failure->kind, LinkFailure::Class::person);
        return failure->text;
    }

    TempDir directory_;
    CertificateAuthority ca_{directory_, "ca"};
    const TlsConfig tls_ = trusting(ca_.file());
};

TEST_F(TlsFiles, GoodOnesAreFine) {
    EXPECT_EQ(problem(tls_), "none");
    EXPECT_EQ(problem(with_client(ca_.issue("client"))), "none");
}

TEST_F(TlsFiles, EncryptedKeyOpensWithItsPassword) {
    TlsConfig tls = with_client(ca_.issue("client", {.key_password = "secret"}));
    tls.key_password_file = directory_.write("password", "secret\n");
    EXPECT_EQ(problem(tls), "none");
    EXPECT_EQ(*read_key_password(tls), "secret");
}

TEST_F(TlsFiles, EncryptedKeyWithoutPasswordSaysWhatToSet) {
    EXPECT_THAT(problem(with_client(ca_.issue("client", {.key_password = "secret"}))),
                AllOf(HasSubstr("is encrypted"), HasSubstr("key_password_file")));
}

TEST_F(TlsFiles, WrongPasswordIsSaid) {
    TlsConfig tls = with_client(ca_.issue("client", {.key_password = "secret"}));
    tls.key_password_file = directory_.write("password", "guess");
    EXPECT_THAT(problem(tls), AllOf(HasSubstr("password"), HasSubstr("does not open")));
}

TEST_F(TlsFiles, KeyThatOthersCanReadIsRefusedWithTheCommandToRun) {
    const CertificatePair pair = ca_.issue("client");
    for (const auto extra : {fs::perms::group_read, fs::perms::others_read}) {
        fs::permissions(pair.key, fs::perms::owner_read | extra);
        EXPECT_THAT(problem(with_client(pair)), HasSubstr("chmod 600 " + pair.key.string()));
    }
}

TEST_F(TlsFiles, ModeOfACredentialIsSystemdsAffair) {
    const CertificatePair pair = ca_.issue("client");
    fs::permissions(pair.key, fs::perms::owner_read | fs::perms::group_read);
    ::setenv("CREDENTIALS_DIRECTORY", directory_.path().c_str(), 1);
    EXPECT_EQ(problem(with_client(pair)), "none");
    ::unsetenv("CREDENTIALS_DIRECTORY");
}

TEST_F(TlsFiles, KeyOfAnotherCertificateIsSaid) {
    const CertificatePair pair{ca_.issue("one").certificate, ca_.issue("two").key};
    EXPECT_THAT(problem(with_client(pair)), HasSubstr("do not belong together"));
}

TEST_F(TlsFiles, EachMissingFileIsNamed) {
    TlsConfig no_ca = tls_;
    no_ca.ca_file = directory_ / "absent";
    EXPECT_THAT(problem(no_ca), AllOf(HasSubstr("ca_file"), HasSubstr("absent"), HasSubstr("No such file")));
    CertificatePair pair = ca_.issue("client");
    EXPECT_THAT(problem(with_client({directory_ / "absent", pair.key})),
                AllOf(HasSubstr("cert_file"), HasSubstr("absent")));
    EXPECT_THAT(problem(with_client({pair.certificate, directory_ / "absent"})),
                AllOf(HasSubstr("key_file"), HasSubstr("absent")));
    TlsConfig tls = with_client(pair);
    tls.key_password_file = directory_ / "absent";
    EXPECT_THAT(problem(tls), HasSubstr("key_password_file"));
}

TEST_F(TlsFiles, WhatIsNotPemIsSaid) {
    const auto junk = directory_.write("junk", "not PEM");
    fs::permissions(junk, fs::perms::owner_read);
    EXPECT_THAT(problem(trusting(junk)), HasSubstr("holds no certificate"));
    const CertificatePair pair = ca_.issue("client");
    EXPECT_THAT(problem(with_client({junk, pair.key})), HasSubstr("holds no certificate"));
    EXPECT_THAT(problem(with_client({pair.certificate, junk})), HasSubstr("holds no private key"));
}

TEST_F(TlsFiles, KeyOfATpmIsNotTakenForJunk) {
    CertificatePair pair = ca_.issue("client");
    pair.key = directory_.write("tpm.key",
                                "-----BEGIN TSS2 PRIVATE KEY-----\nMIHwBgZngQUKAQOg\n"
                                "-----END TSS2 PRIVATE KEY-----\n");
    fs::permissions(pair.key, fs::perms::owner_read);
    EXPECT_THAT(problem(with_client(pair)), HasSubstr("is a key of a TPM that OpenSSL cannot open"));
}

TEST_F(TlsFiles, WithoutVerificationNoCaIsNeeded) {
    TlsConfig tls = trusting(directory_ / "absent");
    tls.verify = false;
    EXPECT_EQ(problem(tls), "none");
}

}  // namespace
}  // namespace holdfast
