// An input's options against its plugin's description.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/support.hpp"

namespace holdfast::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

std::string rich(const std::string& options) {
    return "[[input]]\nname = \"a\"\nplugin = \"rich\"\n[input.options]\n" + options;
}

TEST(InputOptions, AreCompletedWithThePluginsDefaults) {
    const Config config = loaded(rich("device = \"/dev/x\""));
    EXPECT_EQ(config.inputs.at(0).options, (Options{{"device", "/dev/x"},
                                                    {"shape", "sine"},
                                                    {"channels", std::int64_t{1}},
                                                    {"rate", 1.0},
                                                    {"raw", false},
                                                    {"timeout", std::int64_t{250'000}},
                                                    {"limit", std::int64_t{65'536}},
                                                    {"command", std::vector<std::string>{"true"}},
                                                    {"environment", Tags{{"LANG", "C"}}}}));
}

TEST(InputOptions, AreConvertedToTheirTypes) {
    const Config config =
        loaded(rich("device = \"\"\nshape = \"random\"\nchannels = -3\nrate = 0.5\nraw = true\n"
                    "timeout = \"1h\"\nlimit = \"1KB\"\ncommand = [\"a\", \"b\\n\"]\n"
                    "environment = { A = \"1\", B = \"\" }"));
    EXPECT_EQ(config.inputs.at(0).options, (Options{{"device", ""},
                                                    {"shape", "random"},
                                                    {"channels", std::int64_t{-3}},
                                                    {"rate", 0.5},
                                                    {"raw", true},
                                                    {"timeout", std::int64_t{3'600'000'000}},
                                                    {"limit", std::int64_t{1000}},
                                                    {"command", std::vector<std::string>{"a", "b\n"}},
                                                    {"environment", Tags{{"A", "1"}, {"B", ""}}}}));
}

TEST(InputOptions, TakeAnIntegerForANumber) {
    const Config config = loaded(rich("device = \"x\"\nrate = 3"));
    EXPECT_EQ(config.inputs.at(0).options.at(3), (Option{"rate", 3.0}));
}

using Mistakes = std::vector<std::string>;

TEST(InputOptions, ThatThePluginRefusesAreShownAtTheirPlace) {
    const std::string options = "device = \"x\"\nchannels = 99\n[input.options.environment]\nA = \"b\"";
    const auto loaded = load(rich(options), [](const InputConfig&) -> Result<Mistakes> {
        return Mistakes{"environment.A: is no good",
                        "channels: not from 1 to 9",
                        "environment: has too little",
                        "environment.B: is not there",
                        "rate: is a default that is wrong",
                        "nothing fits",
                        "environment",
                        ""};
    });
    EXPECT_THAT(lines(loaded), ElementsAre("test.toml:4:1: error: rate: is a default that is wrong",
                                           "test.toml:4:1: error: nothing fits", "test.toml:4:1: error: ",
                                           "test.toml:6:1: error: channels: not from 1 to 9",
                                           "test.toml:7:16: error: environment: has too little",
                                           "test.toml:7:16: error: environment.B: is not there",
                                           "test.toml:7:16: error: environment",
                                           "test.toml:8:1: error: environment.A: is no good"));
}

TEST(InputOptions, OfAPluginThatCannotBeAskedAreAProblemAtThePlugin) {
    const auto loaded = load(rich("device = \"x\""), [](const InputConfig&) -> Result<Mistakes> {
        return Error{Error::Kind::retry, "it took more than 5 s"};
    });
    EXPECT_THAT(lines(loaded), ElementsAre("test.toml:3:10: error: plugin: it took more than 5 s"));
}

TEST(InputOptions, AreShownToThePluginWhenAllElseOfTheInputIsSound) {
    std::vector<std::string> asked;
    const auto loaded =
        load(rich("device = \"x\"") + "\n[[input]]\nname = \"b\"\nplugin = \"rich\"\ninterval = 7",
             [&](const InputConfig& input) -> Result<Mistakes> {
                 asked.push_back(input.name);
                 EXPECT_EQ(input.options.at(0), (Option{"device", "x"}));
                 return Mistakes{};
             });
    EXPECT_THAT(asked, ElementsAre("a"));
    EXPECT_EQ(loaded.problems.size(), 2u);  // of the second
}

struct Wrong {
    const char* options;
    const char* problem;
};

TEST(InputOptions, SayWhatIsWrongAndWhere) {
    const Wrong wrong[] = {
        {"", "4:1: error: \"device\" is missing among the options of plugin \"rich\""},
        {"device = \"x\"\nchanels = 2",
         "6:1: error: unknown key \"chanels\" among the options of plugin \"rich\"; did you mean "
         "\"channels\"?"},
        {"device = 1", "5:10: error: device: expected a string, found the integer 1"},
        {"device = \"x\"\nshape = \"square\"",
         "6:9: error: shape: expected counter, sine or random, found \"square\""},
        {"device = \"x\"\nchannels = 1.5",
         "6:12: error: channels: expected an integer, found the number 1.5"},
        {"device = \"x\"\nrate = \"fast\"", "6:8: error: rate: expected a number, found \"fast\""},
        {"device = \"x\"\nraw = 0", "6:7: error: raw: expected true or false, found the integer 0"},
        {"device = \"x\"\ntimeout = 5", "6:11: error: timeout: expected a duration"},
        {"device = \"x\"\nlimit = \"5\"", "6:9: error: limit: expected a size"},
        {"device = \"x\"\ncommand = \"ls\"",
         "6:11: error: command: expected an array of strings, found a single one"},
        {"device = \"x\"\nenvironment = [\"A=1\"]",
         "6:15: error: environment: expected a table of strings, found an array"},
    };
    for (const Wrong& expected : wrong)
        EXPECT_THAT(problems(rich(expected.options)),
                    ElementsAre(StartsWith(std::string("test.toml:") + expected.problem)));
}

TEST(InputOptions, MissAtTheInputWhenItHasNoOptionsTable) {
    EXPECT_THAT(problems("\n[[input]]\nname = \"a\"\nplugin = \"rich\""),
                ElementsAre(StartsWith("test.toml:2:1: error: \"device\" is missing")));
}

TEST(InputOptions, OfAPluginWithoutAnyAreAllUnknown) {
    EXPECT_THAT(
        problems("[[input]]\nname = \"a\"\nplugin = \"plain\"\noptions = { x = 1 }"),
        ElementsAre(HasSubstr("unknown key \"x\" among the options of plugin \"plain\"; it takes none")));
}

TEST(InputOptions, AreNotJudgedWhenThePluginIsNotKnown) {
    EXPECT_THAT(problems("[[input]]\nname = \"a\"\nplugin = \"nope\"\noptions = { x = 1 }"),
                ElementsAre(HasSubstr("there is no plugin \"nope\"")));
}

TEST(InputOptions, AskForEachPluginOnce) {
    int asked = 0;
    const auto describe = [&](const std::string& name) {
        ++asked;
        return describe_test_plugin(name);
    };
    const std::string input = "plugin = \"plain\"\n";
    const std::string missing = "plugin = \"nope\"\n";
    load_config_texts(
        {{"test.toml", "[[input]]\nname = \"a\"\n" + input + "[[input]]\nname = \"b\"\n" + input +
                           "[[input]]\nname = \"c\"\n" + missing + "[[input]]\nname = \"d\"\n" + missing}},
        describe);
    EXPECT_EQ(asked, 2);
}

Result<Config> with_default(OptionType type, std::string text) {
    const auto describe = [&](const std::string& name) -> Result<PluginInfo> {
        return PluginInfo{name, "1", "", {{"option", type, text, "", {}}}};
    };
    auto result = load_config_texts({{"test.toml", "[[input]]\nname = \"a\"\nplugin = \"p\""}}, describe);
    if (!result.config) return Error{Error::Kind::config, to_string(result.problems.at(0))};
    return std::move(*result.config);
}

TEST(InputOptions, DefaultsAreTomlOrBareText) {
    const struct {
        OptionType type;
        const char* text;
        OptionValue value;
    } cases[] = {
        {OptionType::string, "", ""},
        {OptionType::string, "sine", "sine"},
        {OptionType::string, "5", "5"},
        {OptionType::string, "\"a b\"", "a b"},
        {OptionType::string, "'a'", "a"},
        {OptionType::i64, "-5", std::int64_t{-5}},
        {OptionType::f64, "1e3", 1000.0},
        {OptionType::boolean, "true", true},
        {OptionType::duration, "0s", std::int64_t{0}},
        {OptionType::duration, "\"1ms\"", std::int64_t{1000}},
        {OptionType::size, "1B", std::int64_t{1}},
        {OptionType::string_list, "[]", std::vector<std::string>{}},
        {OptionType::string_map, "{}", Tags{}},
    };
    for (const auto& expected : cases) {
        const auto config = with_default(expected.type, expected.text);
        ASSERT_TRUE(config) << expected.text << ": " << config.error().text;
        EXPECT_EQ(config->inputs.at(0).options.at(0).value, expected.value) << expected.text;
    }
}

TEST(InputOptions, ADefaultThatIsNotOfItsTypeIsAProblemAtThePlugin) {
    for (const char* const text : {"abc", "[1", "", "\"5\""}) {
        const auto config = with_default(OptionType::i64, text);
        ASSERT_FALSE(config) << text;
        EXPECT_THAT(config.error().text,
                    StartsWith("test.toml:3:10: error: option: expected an integer, found"));
    }
    EXPECT_THAT(with_default(OptionType::string_list, "[1]").error().text,
                StartsWith("test.toml:3:10: error: option:"));
}

}  // namespace
}  // namespace holdfast::test
