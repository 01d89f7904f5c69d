#include "base/file.hpp"

#include <gtest/gtest.h>

#include "support/temp_dir.hpp"

namespace holdfast {
namespace {

TEST(File, ReadsTheWholeContent) {
    const test::TempDir directory;
    const std::string content = std::string(10'000, 'x') + '\0' + "\n\n";
    EXPECT_EQ(read_file(directory.write("f", content)).value(), content);
}

TEST(File, SaysWhichFileCannotBeReadAndWhy) {
    const auto missing = read_file("/nonexistent/password");
    ASSERT_FALSE(missing);
    EXPECT_EQ(missing.error().text, "cannot read /nonexistent/password: No such file or directory");
    EXPECT_EQ(missing.error().kind, Error::Kind::config);
    EXPECT_FALSE(read_file("/"));
}

TEST(File, RefusesWhatIsTooLarge) {
    const test::TempDir directory;
    EXPECT_TRUE(read_file(directory.write("f", "12345"), 5));
    EXPECT_FALSE(read_file(directory.write("f", "123456"), 5));
    EXPECT_FALSE(read_file("/dev/zero"));
}

TEST(File, OneTrailingNewlineIsNotPartOfAPassword) {
    const test::TempDir directory;
    EXPECT_EQ(read_password_file(directory.write("p", "secret\n")).value(), "secret");
    EXPECT_EQ(read_password_file(directory.write("p", "secret")).value(), "secret");
    EXPECT_EQ(read_password_file(directory.write("p", "secret\n\n")).value(), "secret\n");
    EXPECT_EQ(read_password_file(directory.write("p", "\n")).value(), "");
    EXPECT_TRUE(read_password_file(directory.write("p", "12345\n"), 5));
    EXPECT_FALSE(read_password_file(directory.write("p", "123456"), 5));
}

}  // namespace
}  // namespace holdfast
