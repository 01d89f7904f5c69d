#include "forward/credential_files.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

#include "base/file.hpp"
#include "forward/wall_dates.hpp"
#include "support/certificates.hpp"

namespace holdfast {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using Kind = CredentialFiles::Change::Kind;
using test::CertificateAuthority;
using test::CertificatePair;
using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr auto day = std::chrono::seconds(24 * 3600);

// The files of an agent below one directory, and what it sees of them as time goes by.
class CredentialFilesTest : public ::testing::Test {
  protected:
    CredentialFilesTest() {
        config_.servers.push_back({Scheme::mqtts, "localhost", 8883, "", ""});
        config_.password_file = directory_.write("password", "old password\n");
        config_.proxy = ProxyConfig{.host = "proxy",
                                    .port = 3128,
                                    .url = "http://proxy:3128",
                                    .username = "gw",
                                    .password_file = directory_.write("proxy", "old proxy password\n")};
        config_.tls.ca_file = directory_ / "ca.pem";
        config_.tls.cert_file = directory_ / "client.pem";
        config_.tls.key_file = directory_ / "client.key";
        fs::copy_file(ca_.file(), config_.tls.ca_file);
        put(ca_.issue("first", {.common_name = "first"}));
    }

    void put(const CertificatePair& pair) const {
        replace(config_.tls.cert_file, read(pair.certificate));
        replace(config_.tls.key_file, read(pair.key));
    }
    static std::string read(const fs::path& file) { return *read_file(file); }
    // As a careful program does it: beside the file, then by rename.
    static void replace(const fs::path& file, const std::string& content) {
        write(file.string() + ".new", content);
        fs::rename(file.string() + ".new", file);
    }
    static void write(const fs::path& file, const std::string& content) {
        std::ofstream(file, std::ios::binary | std::ios::trunc) << content;
        fs::permissions(file, fs::perms::owner_read | fs::perms::owner_write);
    }

    CredentialFiles& files() {
        if (!files_) files_.emplace(config_);
        return *files_;
    }
    // A look each second for so long; what came of them.
    CredentialFiles::Change look_for(std::chrono::seconds time) {
        CredentialFiles::Change last;
        for (const MonoTime end = now_ + time; now_ < end;) {
            now_ += 1s;
            auto change = files().look(now_, wall_us_);
            if (change.kind == Kind::none) continue;
            EXPECT_EQ(last.kind, Kind::none) << "told twice: " << change.why;
            last = std::move(change);
        }
        return last;
    }
    void expect_refused(const std::string& words) {
        const auto before = files().current();
        const auto change = look_for(30s);
        EXPECT_EQ(change.kind, Kind::refused);
        EXPECT_THAT(change.why, HasSubstr(words));
        EXPECT_EQ(files().problem(), change.why);
        EXPECT_EQ(files().current(), before);
        EXPECT_EQ(look_for(300s).kind, Kind::none) << "told again";
    }
    void expect_renewed() {
        EXPECT_EQ(look_for(30s).kind, Kind::renewed);
        EXPECT_EQ(files().problem(), "");
    }

    const test::TempDir directory_;
    const CertificateAuthority ca_{directory_, "ca"};
    BrokerConfig config_;
    MonoTime now_{};
    std::int64_t wall_us_ = SystemClock().wall_us();
    std::optional<CredentialFiles> files_;
};

TEST_F(CredentialFilesTest, GoodOnesAreThereAtOnceAsCopiesOnlyTheOwnerCanRead) {
    ASSERT_TRUE(files().current());
    const Credentials& held = *files().current();
    EXPECT_EQ(held.password, "old password");
    EXPECT_NE(held.tls.key_file, config_.tls.key_file);
    EXPECT_EQ(read(held.tls.key_file), read(config_.tls.key_file));
    EXPECT_EQ(read(held.tls.cert_file), read(config_.tls.cert_file));
    EXPECT_EQ(read(held.tls.ca_file), read(config_.tls.ca_file));
    EXPECT_EQ(held.tls.key_password_file, "");
    EXPECT_FALSE(check_tls_files(held.tls));
    EXPECT_FALSE(std::ofstream(held.tls.key_file) << "x" << std::flush) << "it can be written";
    EXPECT_EQ(look_for(100s).kind, Kind::none);
}

TEST_F(CredentialFilesTest, CopiesLiveAsLongAsSomebodyConnectsWithThem) {
    const auto held = files().current();
    put(ca_.issue("second"));
    expect_renewed();
    EXPECT_THAT(read(held->tls.key_file), HasSubstr("PRIVATE KEY"));
    EXPECT_NE(read(held->tls.key_file), read(files().current()->tls.key_file));
}

TEST_F(CredentialFilesTest, PairReplacedByRenameIsUsedOnceItRests) {
    files();
    const CertificatePair next = ca_.issue("second");
    replace(config_.tls.cert_file, read(next.certificate));
    EXPECT_EQ(look_for(5s).kind, Kind::none) << "the key is still the old one";
    replace(config_.tls.key_file, read(next.key));
    expect_renewed();
    EXPECT_EQ(read(files().current()->tls.key_file), read(next.key));
    EXPECT_EQ(look_for(100s).kind, Kind::none);
}

TEST_F(CredentialFilesTest, DirectorySwitchedByALinkIsUsed) {
    // As Kubernetes mounts a secret: file -> ..data/file, ..data -> a directory of that time.
    const auto make = [&](const std::string& name, const CertificatePair& pair) {
        fs::create_directories(directory_ / name);
        write(directory_ / name / "tls.crt", read(pair.certificate));
        write(directory_ / name / "tls.key", read(pair.key));
    };
    make("..1", ca_.issue("one"));
    fs::create_directory_symlink("..1", directory_ / "..data");
    fs::create_symlink("..data/tls.crt", directory_ / "tls.crt");
    fs::create_symlink("..data/tls.key", directory_ / "tls.key");
    config_.tls.cert_file = directory_ / "tls.crt";
    config_.tls.key_file = directory_ / "tls.key";
    ASSERT_TRUE(files().current());
    make("..2", ca_.issue("two"));
    fs::create_directory_symlink("..2", directory_ / "..data_tmp");
    fs::rename(directory_ / "..data_tmp", directory_ / "..data");
    fs::remove_all(directory_ / "..1");
    expect_renewed();
    EXPECT_EQ(read(files().current()->tls.cert_file), read(directory_ / "..2" / "tls.crt"));
}

TEST_F(CredentialFilesTest, FileWrittenSlowlyInPlaceIsUsedWhenItIsWhole) {
    files();
    const CertificatePair next = ca_.issue("second");
    const std::string whole = read(next.certificate);
    std::ofstream out(config_.tls.cert_file, std::ios::binary | std::ios::trunc);
    for (const char byte : whole) {
        out << byte << std::flush;
        ASSERT_EQ(look_for(1s).kind, Kind::none);
    }
    std::ofstream(config_.tls.key_file, std::ios::binary | std::ios::trunc) << read(next.key);
    expect_renewed();
    EXPECT_EQ(read(files().current()->tls.cert_file), whole);
}

TEST_F(CredentialFilesTest, PauseInTheMiddleOfABundleIsNotTakenForItsEnd) {
    const CertificateAuthority other(directory_, "other");
    files();
    const std::string bundle = read(ca_.file()) + read(other.file());
    write(config_.tls.ca_file, bundle.substr(0, bundle.size() - 100));
    EXPECT_EQ(look_for(8s).kind, Kind::none);
    write(config_.tls.ca_file, bundle);
    expect_renewed();
    EXPECT_EQ(read(files().current()->tls.ca_file), bundle);
}

TEST_F(CredentialFilesTest, TouchedFilesAreNoChange) {
    files();
    put({config_.tls.cert_file, config_.tls.key_file});
    EXPECT_EQ(look_for(100s).kind, Kind::none);
}

TEST_F(CredentialFilesTest, ChangedPasswordIsUsed) {
    files();
    write(config_.password_file, "new password\n");
    expect_renewed();
    EXPECT_EQ(files().current()->password, "new password");
    EXPECT_EQ(files().current()->proxy_password, "old proxy password");
}

TEST_F(CredentialFilesTest, ChangedProxyPasswordIsUsed) {
    files();
    write(config_.proxy->password_file, "new proxy password\n");
    expect_renewed();
    EXPECT_EQ(files().current()->proxy_password, "new proxy password");
    EXPECT_EQ(files().current()->password, "old password");
    fs::remove(config_.proxy->password_file);
    expect_refused("proxy_password_file: cannot read " + config_.proxy->password_file.string());
}

TEST_F(CredentialFilesTest, AbsentFileIsRefusedByName) {
    files();
    fs::remove(config_.password_file);
    expect_refused("password_file: cannot read " + config_.password_file.string());
    EXPECT_EQ(files().current()->password, "old password");
}

TEST_F(CredentialFilesTest, KeyOfAnotherCertificateIsRefused) {
    files();
    replace(config_.tls.key_file, read(ca_.issue("second").key));
    expect_refused("do not belong together");
}

TEST_F(CredentialFilesTest, KeyThatOthersCanReadIsRefused) {
    files();
    put(ca_.issue("second"));
    fs::permissions(config_.tls.key_file, fs::perms::owner_read | fs::perms::others_read);
    expect_refused("chmod 600");
    fs::permissions(config_.tls.key_file, fs::perms::owner_read);
    expect_renewed();
}

TEST_F(CredentialFilesTest, EncryptedKeyWithoutPasswordIsRefused) {
    files();
    put(ca_.issue("second", {.key_password = "secret"}));
    expect_refused("set key_password_file");
}

TEST_F(CredentialFilesTest, JunkAndATruncatedChainAreRefused) {
    files();
    write(config_.tls.ca_file, "junk");
    expect_refused("holds no certificate");
    write(config_.tls.ca_file, read(ca_.file()) + read(ca_.file()).substr(0, 200));
    expect_refused("certificate number 2 is damaged or cut off");
}

TEST_F(CredentialFilesTest, ExpiredOrFutureCertificateIsRefused) {
    files();
    put(ca_.issue("over", {.begins = -3 * day, .ends = -day}));
    expect_refused("has expired on 20");
    put(ca_.issue("future", {.begins = day, .ends = 3 * day}));
    expect_refused("is not valid before 20");
    wall_us_ += std::chrono::microseconds(2 * day).count();
    EXPECT_EQ(look_for(100s).kind, Kind::renewed) << "it became valid without being written";
}

TEST_F(CredentialFilesTest, ClockThatWasNeverSetDoesNotJudgeDates) {
    files();
    wall_us_ = 60'000'000;
    put(ca_.issue("second"));
    expect_renewed();
}

TEST_F(CredentialFilesTest, ExpiredOneIsUsedAtTheStartForThereIsNoBetter) {
    put(ca_.issue("over", {.begins = -3 * day, .ends = -day}));
    ASSERT_TRUE(files().current());
    EXPECT_LT(files().current()->client->ends_wall_us, wall_us_);
}

TEST_F(CredentialFilesTest, WithoutAGoodSetAtTheStartTheFirstGoodOneIsUsed) {
    const std::string key = read(config_.tls.key_file);
    fs::remove(config_.tls.key_file);
    EXPECT_FALSE(files().current());
    EXPECT_THAT(files().problem(), HasSubstr("key_file"));
    EXPECT_EQ(look_for(100s).kind, Kind::none);
    write(config_.tls.key_file, key);
    expect_renewed();
}

TEST_F(CredentialFilesTest, WithoutATlsServerItsFilesDoNotMatter) {
    config_.servers = {{Scheme::mqtt, "localhost", 1883, "", ""}};
    fs::remove(config_.tls.ca_file);
    ASSERT_TRUE(files().current());
    EXPECT_EQ(files().current()->password, "old password");
}

TEST(WallDates, CountWholeDaysAndGoBelowZeroWhenOver) {
    constexpr std::int64_t day_us = 86'400'000'000;
    EXPECT_EQ(days_until(day_us * 30, 0), 30);
    EXPECT_EQ(days_until(day_us - 1, 0), 0);
    EXPECT_EQ(days_until(-1, 0), -1);
    EXPECT_EQ(days_until(-day_us, 0), -1);
    EXPECT_EQ(days_until(-day_us - 1, 0), -2);
    EXPECT_EQ(date_text(1'704'067'199'999'999), "2023-12-31 23:59:59Z");
    EXPECT_EQ(date_text(4'102'444'800'000'000), "2100-01-01 00:00:00Z");
}

}  // namespace
}  // namespace holdfast
