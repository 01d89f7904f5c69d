// Files: which are read, how they merge, where their relative paths and variables come from.
#include "config/load.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include "config/support.hpp"
#include "support/temp_dir.hpp"

namespace holdfast::test {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

// An environment variable for the time of a test.
class Variable {
  public:
    Variable(const char* name, const std::string& value) : name_(name) { ::setenv(name, value.c_str(), 1); }
    ~Variable() { ::unsetenv(name_); }

  private:
    const char* name_;
};

LoadedConfig load_two(std::string first, std::string second) {
    return load_config_texts({{"a.toml", std::move(first)}, {"b.toml", std::move(second)}},
                             describe_test_plugin);
}

TEST(ConfigMerge, MergesTablesAndLetsTheLaterFileWin) {
    const auto result = load_two(
        "[broker]\nservers = [\"mqtt://one\", \"mqtt://two\"]\nqos = 0\nusername = \"u\"\n[agent.tags]\na = "
        "\"1\"\nb = \"1\"\n",
        "[broker]\nservers = [\"mqtt://three\"]\nqos = 2\n[agent.tags]\nb = \"2\"\n");
    ASSERT_TRUE(result.config) << to_string(result.problems.at(0));
    ASSERT_EQ(result.config->broker.servers.size(), 1U);
    EXPECT_EQ(result.config->broker.servers[0].host, "three");
    EXPECT_EQ(result.config->broker.qos, 2);
    EXPECT_EQ(result.config->broker.username, "u");
    EXPECT_EQ(result.config->agent.tags, (Tags{{"a", "1"}, {"b", "2"}}));
}

TEST(ConfigMerge, AddsUpInputs) {
    const auto result =
        load_two("[[input]]\nname = \"a\"\nplugin = \"plain\"\n[[input]]\nname = \"b\"\nplugin = \"plain\"\n",
                 "[[input]]\nname = \"c\"\nplugin = \"plain\"\n");
    ASSERT_TRUE(result.config) << to_string(result.problems.at(0));
    std::vector<std::string> names;
    for (const InputConfig& input : result.config->inputs)
        names.push_back(input.name);
    EXPECT_THAT(names, ElementsAre("a", "b", "c"));
}

TEST(ConfigMerge, NamesTheFileAValueCameFrom) {
    EXPECT_THAT(lines(load_two("[broker]\nqos = 7\nretain = 1\n", "\n[broker]\nqos = 8\n")),
                ElementsAre(StartsWith("a.toml:3:10: error: retain"), StartsWith("b.toml:3:7: error: qos")));
}

TEST(ConfigMerge, FindsAnInputsNameInAnEarlierFile) {
    EXPECT_THAT(lines(load_two("[[input]]\nname = \"a\"\nplugin = \"plain\"\n",
                               "[[input]]\nname = \"a\"\nplugin = \"plain\"\n")),
                ElementsAre("b.toml:2:8: error: name: \"a\" is taken by the input at a.toml:2"));
}

TEST(ConfigMerge, ReplacesAValueOfAnotherType) {
    EXPECT_TRUE(
        load_two("agent = 1\ninput = 2", "[agent]\nid = \"x\"\n[[input]]\nname = \"a\"\nplugin = \"plain\"")
            .config);
    EXPECT_THAT(lines(load_two("[[input]]\nname = \"a\"\nplugin = \"plain\"", "input = 2")),
                ElementsAre(StartsWith("b.toml:1:9: error: input: expected tables")));
}

TEST(ConfigSyntax, IsReportedForEveryFileAndHidesTheRest) {
    const auto found = lines(load_two("[broker\nqos = 7\n", "x = = 1\n"));
    EXPECT_THAT(found, ElementsAre(StartsWith("a.toml:1:8: error: "), StartsWith("b.toml:1:5: error: ")));
}

TEST(ConfigSyntax, RefusesTextThatIsNotUtf8) {
    EXPECT_THAT(problems("[agent]\nid = \"\xff\"\n"),
                ElementsAre(AllOf(StartsWith("test.toml:2:"), HasSubstr("utf-8"))));
}

TEST(ConfigSyntax, BoundsNesting) {
    std::string deep = "x = ";
    for (int i = 0; i < 10'000; ++i)
        deep += '[';
    EXPECT_EQ(problems(deep).size(), 1U);
}

TEST(ConfigFiles, ThatCannotBeReadAreOneProblemEach) {
    const TempDir dir;
    const fs::path good = dir.write("good.toml", "[broker]\nqos = 7\n");
    const fs::path large = dir.write("large.toml", std::string(1024 * 1024 + 1, '\n'));
    const auto result = load_config({good, dir / "absent.toml", dir.path(), large}, describe_test_plugin);
    EXPECT_FALSE(result.config);
    EXPECT_THAT(
        lines(result),
        ElementsAre((dir / "absent.toml").string() + ": error: cannot be opened: No such file or directory",
                    dir.path().string() + ": error: cannot be read: Is a directory",
                    large.string() + ": error: is larger than 1 MiB, too large for a configuration file"));
}

TEST(ConfigFiles, NoneGiveTheDefaults) {
    EXPECT_TRUE(load_config({}, describe_test_plugin).config);
}

TEST(ConfigFiles, ByDefaultAreTheMainOneAndTheFragmentsInNameOrder) {
    const TempDir dir;
    const fs::path main = dir / "etc/holdfast/holdfast.toml";
    EXPECT_THAT(default_config_files(dir.path()), ElementsAre(main));
    std::vector<fs::path> expected = {main};
    for (char name = 'a'; name <= 'p'; ++name)
        expected.push_back(dir / ("etc/holdfast/conf.d/" + std::string(1, name) + ".toml"));
    // Made in another order, for a directory may list them as they came.
    for (std::size_t i = 1; i < expected.size(); ++i)
        dir.write("etc/holdfast/conf.d/" + expected[1 + i * 7 % 16].filename().string(), "");
    dir.write("etc/holdfast/conf.d/.hidden.toml", "");
    dir.write("etc/holdfast/conf.d/c.toml.dpkg-old", "");
    EXPECT_EQ(default_config_files(dir.path()), expected);
}

TEST(ConfigFiles, FragmentDirectoryThatIsNoneIsAProblem) {
    const TempDir dir;
    dir.write("etc/holdfast/holdfast.toml", "");
    dir.write("etc/holdfast/conf.d", "");
    EXPECT_FALSE(default_config_files(dir.path()).empty());
    EXPECT_THAT(default_config_files(dir.path()).back(), dir / "etc/holdfast/conf.d");
}

TEST(ConfigPaths, AreBesideTheFileThatNamesThem) {
    const TempDir dir;
    dir.write("one/ca.crt", "");
    dir.write("two/secret", "");
    const fs::path one =
        dir.write("one/a.toml", "[broker]\nusername = \"u\"\n[broker.tls]\nca_file = \"ca.crt\"\n");
    const fs::path two = dir.write("two/b.toml", "[broker]\npassword_file = \"./secret\"\n");
    const auto result = load_config({one, two}, describe_test_plugin);
    ASSERT_TRUE(result.config) << to_string(result.problems.at(0));
    EXPECT_EQ(result.config->broker.tls.ca_file, dir / "one/ca.crt");
    EXPECT_EQ(result.config->broker.password_file, dir / "two/secret");
}

TEST(ConfigPaths, AreAbsoluteAlsoWhenTheFileWasNamedRelatively) {
    const TempDir dir;
    dir.write("ca.crt", "");
    dir.write("a.toml", "[broker.tls]\nca_file = \"ca.crt\"\n");
    const fs::path relative = fs::relative(dir / "a.toml");
    const auto result = load_config({relative}, describe_test_plugin);
    ASSERT_TRUE(result.config) << to_string(result.problems.at(0));
    EXPECT_EQ(result.config->broker.tls.ca_file, fs::weakly_canonical(dir / "ca.crt"));
}

TEST(ConfigPaths, PreferTheCredentialsDirectory) {
    const TempDir dir;
    dir.write("credentials/password", "");
    dir.write("etc/password", "");
    dir.write("etc/ca.crt", "");
    const fs::path file = dir.write(
        "etc/a.toml",
        "[broker]\nusername = \"u\"\npassword_file = \"password\"\n[broker.tls]\nca_file = \"ca.crt\"\n");
    const Variable credentials("CREDENTIALS_DIRECTORY", dir / "credentials");
    const auto result = load_config({file}, describe_test_plugin);
    ASSERT_TRUE(result.config) << to_string(result.problems.at(0));
    EXPECT_EQ(result.config->broker.password_file, dir / "credentials/password");
    EXPECT_EQ(result.config->broker.tls.ca_file, dir / "etc/ca.crt");
}

TEST(ConfigPaths, OfTwoFilesThatBelongTogetherBothAreTaken) {
    const TempDir dir;
    for (const char* const name : {"c.crt", "c.key", "c.password"})
        dir.write(name, "");
    const fs::path file = dir.write(
        "a.toml",
        "[broker.tls]\ncert_file = \"c.crt\"\nkey_file = \"c.key\"\nkey_password_file = \"c.password\"\n");
    const auto result = load_config({file}, describe_test_plugin);
    ASSERT_TRUE(result.config) << to_string(result.problems.at(0));
    EXPECT_EQ(result.config->broker.tls.cert_file, dir / "c.crt");
    EXPECT_EQ(result.config->broker.tls.key_file, dir / "c.key");
    EXPECT_EQ(result.config->broker.tls.key_password_file, dir / "c.password");
}

TEST(ConfigVariables, TakeTheEnvironment) {
    const Variable site("HOLDFAST_TEST_SITE", "plant-3");
    const Variable empty("HOLDFAST_TEST_EMPTY", "");
    const Config config = loaded(
        "[agent]\ntags = { s = \"${HOLDFAST_TEST_SITE}\", t = "
        "\"<${HOLDFAST_TEST_EMPTY}${HOLDFAST_TEST_SITE}>\" }\n"
        "[broker]\nservers = [\"mqtt://${HOLDFAST_TEST_SITE}.example\"]");
    EXPECT_EQ(config.agent.tags, (Tags{{"s", "plant-3"}, {"t", "<plant-3>"}}));
    EXPECT_EQ(config.broker.servers.at(0).host, "plant-3.example");
}

TEST(ConfigVariables, DoubledDollarStandsForAPlainOne) {
    const Config config =
        loaded("[agent]\ntags = { a = \"$${HOME}\", b = \"$HOME $$ $\", c = \"$$${HOLDFAST_TEST_NONE}\" }");
    EXPECT_EQ(config.agent.tags,
              (Tags{{"a", "${HOME}"}, {"b", "$HOME $$ $"}, {"c", "$${HOLDFAST_TEST_NONE}"}}));
}

TEST(ConfigVariables, AreNotExpandedAgain) {
    const Variable nested("HOLDFAST_TEST_NESTED", "${HOME}");
    EXPECT_EQ(loaded("[agent]\ntags = { a = \"${HOLDFAST_TEST_NESTED}\" }").agent.tags,
              (Tags{{"a", "${HOME}"}}));
}

TEST(ConfigVariables, ThatAreMissingAreOneProblemAtTheirValue) {
    EXPECT_THAT(problems("[broker]\nservers = [\"mqtt://h\",\n  \"${HOLDFAST_TEST_NONE}\"]\ntopic = "
                         "\"${HOLDFAST_TEST_NONE}\"\n"
                         "keep_alive = \"${HOLDFAST_TEST_NONE}\"\n[[input]]\nname = "
                         "\"${HOLDFAST_TEST_NONE}\"\nplugin = \"plain\""),
                ElementsAre("test.toml:3:3: error: environment variable \"HOLDFAST_TEST_NONE\" is not set",
                            StartsWith("test.toml:4:9: error: environment variable"),
                            StartsWith("test.toml:5:14: error: environment variable"),
                            StartsWith("test.toml:7:8: error: environment variable")));
}

TEST(ConfigVariables, HaveANameAndAnEnd) {
    for (const char* const text : {"${}", "${1A}", "${A-B}", "${A", "x ${", "${A:-b}"})
        EXPECT_THAT(problems("[agent]\ntags = { a = \"" + std::string(text) + "\" }"),
                    ElementsAre(AllOf(StartsWith("test.toml:2:14: error: ${"),
                                      HasSubstr("write $${ for a plain ${"))));
}

TEST(ConfigVariables, HaveToBeUtf8) {
    const Variable broken("HOLDFAST_TEST_BROKEN", "\xff");
    EXPECT_THAT(problems("[agent]\nid = \"${HOLDFAST_TEST_BROKEN}\""),
                ElementsAre(HasSubstr("is not UTF-8")));
}

TEST(ConfigVariables, InKeysAreText) {
    EXPECT_EQ(loaded("[agent.tags]\n\"${X}\" = \"y\"").agent.tags, (Tags{{"${X}", "y"}}));
}

TEST(ConfigVariables, AreOnlyNeededWhereTheirValueIsInForce) {
    EXPECT_TRUE(
        load_two("[broker]\nusername = \"${HOLDFAST_TEST_NONE}\"", "[broker]\nusername = \"u\"").config);
}

}  // namespace
}  // namespace holdfast::test
