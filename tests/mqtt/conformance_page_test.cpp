// docs/conformance.md names tests: each of them is there.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <regex>
#include <set>
#include <sstream>

namespace holdfast::test {
namespace {

const std::filesystem::path source = HOLDFAST_SOURCE_DIR;

std::string content(const std::filesystem::path& path) {
    std::ifstream file(path);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

// "Suite.Name" of this program; one with parameters once, without them.
std::set<std::string> tests_here() {
    std::set<std::string> names;
    const auto& all = *::testing::UnitTest::GetInstance();
    for (int i = 0; i < all.total_test_suite_count(); ++i) {
        const auto& suite = *all.GetTestSuite(i);
        for (int j = 0; j < suite.total_test_count(); ++j) {
            const std::string name = suite.GetTestInfo(j)->name();
            names.insert(std::string(suite.name()) + "." + name.substr(0, name.find('/')));
        }
    }
    return names;
}

// The sources of the tests that run in other programs.
std::string others() {
    std::string text;
    for (const char* folder : {"tests/forward", "tests/e2e"})
        for (const auto& entry : std::filesystem::directory_iterator(source / folder))
            if (entry.is_regular_file()) text += content(entry.path());
    return text + content(source / "tests/mqtt/mutated_packets_test.cpp");
}

bool is_there(std::string name, const std::set<std::string>& here, const std::string& elsewhere) {
    if (name.starts_with("test_")) return elsewhere.find("def " + name + "(") != std::string::npos;
    if (here.contains(name)) return true;
    name.erase(0, name.find('/') + 1);
    const auto dot = name.find('.');
    const std::string words = "(" + name.substr(0, dot) + ", " + name.substr(dot + 1) + ")";
    return elsewhere.find(words) != std::string::npos;
}

TEST(ConformancePage, NamesTestsThatThereAre) {
    const std::string page = content(source / "docs/conformance.md");
    const std::regex name("`(test_[a-z0-9_]+|[A-Za-z0-9_/]+\\.[A-Z][A-Za-z0-9_]+)`");
    const auto here = tests_here();
    const std::string elsewhere = others();
    int count = 0;
    for (std::sregex_iterator at(page.begin(), page.end(), name), end; at != end; ++at, ++count)
        EXPECT_TRUE(is_there((*at)[1], here, elsewhere)) << (*at)[1];
    EXPECT_GT(count, 100);
    EXPECT_FALSE(is_there("Mqtt5Connect.NoSuchTest", here, elsewhere));
    EXPECT_FALSE(is_there("test_no_such_thing", here, elsewhere));
}

}  // namespace
}  // namespace holdfast::test
