#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "input/inputs.hpp"
#include "input/plugin_files.hpp"
#include "support/temp_dir.hpp"

namespace holdfast {
namespace {

class PluginFiles : public testing::Test {
  protected:
    PluginFiles() {
        file_ = directory_.write("good.so", "not looked into");
        directory_.write("other.so", "");
        directory_.write("readme.txt", "");
        ::chmod(file_.c_str(), 0644);
        ::chmod(directory_.path().c_str(), 0755);
    }
    test::TempDir directory_;
    std::filesystem::path file_;
};

TEST_F(PluginFiles, AreFoundByName) {
    const auto found = find_plugin(directory_.path(), "good");
    ASSERT_TRUE(found) << found.error().text;
    EXPECT_EQ(*found, std::filesystem::canonical(file_));
}

TEST_F(PluginFiles, AreListedInOrderAndAlone) {
    EXPECT_EQ(list_plugins({{}, directory_.path(), {}}), (std::vector<std::string>{"good", "other"}));
}

TEST_F(PluginFiles, ThatDoNotExistAreAnsweredWithThoseThatDo) {
    const auto found = find_plugin(directory_.path(), "missing");
    ASSERT_FALSE(found);
    EXPECT_EQ(found.error().kind, Error::Kind::config);
    EXPECT_NE(found.error().text.find("good, other"), std::string::npos) << found.error().text;
}

TEST_F(PluginFiles, ThatAreALinkToNothingAreSaidToBe) {
    std::filesystem::create_symlink("/nonexistent/w1.so", directory_ / "w1.so");
    const auto found = find_plugin(directory_.path(), "w1");
    ASSERT_FALSE(found);
    EXPECT_EQ(found.error().text,
              (directory_ / "w1.so").string() + " is a link to nothing: /nonexistent/w1.so");
}

TEST_F(PluginFiles, CannotBeNamedWithAPath) {
    EXPECT_FALSE(find_plugin(directory_ / "nothing", "../good"));
    EXPECT_FALSE(find_plugin(directory_.path(), ""));
}

TEST_F(PluginFiles, ThatOthersCanWriteAreRefused) {
    ::chmod(file_.c_str(), 0664);
    EXPECT_FALSE(find_plugin(directory_.path(), "good"));
    ::chmod(file_.c_str(), 0646);
    EXPECT_FALSE(find_plugin(directory_.path(), "good"));
}

TEST_F(PluginFiles, InADirectoryThatOthersCanWriteAreRefused) {
    ::chmod(directory_.path().c_str(), 0777);
    EXPECT_FALSE(find_plugin(directory_.path(), "good"));
}

TEST_F(PluginFiles, AreJudgedByWhereALinkLeads) {
    test::TempDir unsafe;
    const auto target = unsafe.write("evil.so", "");
    ::chmod(unsafe.path().c_str(), 0777);
    std::filesystem::create_symlink(target, directory_ / "link.so");
    EXPECT_FALSE(find_plugin(directory_.path(), "link"));
}

TEST_F(PluginFiles, OfAnotherUserAreRefused) {
    if (::geteuid() != 0) GTEST_SKIP() << "only root can give a file away";
    ASSERT_EQ(::chown(file_.c_str(), 12345, 0), 0);
    EXPECT_FALSE(find_plugin(directory_.path(), "good"));
}

}  // namespace
}  // namespace holdfast
