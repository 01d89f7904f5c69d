// docs/configuration.md and the shipped configuration, held against the code.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <regex>
#include <set>

#include "config/support.hpp"

namespace holdfast::test {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::IsEmpty;

// A row of the tables in the document: | `key` | type | default | range | what it does |
struct Row {
    std::string section;  // as its heading has it: "[broker.tls]"
    std::string key;
    std::string type;
    std::string fallback;  // TOML, or words in plain text
    std::string range;     // as errors have it; empty: none
};

std::string bare(std::string cell) {
    if (cell.size() >= 2 && cell.front() == '`' && cell.back() == '`') return cell.substr(1, cell.size() - 2);
    return cell;
}

std::vector<Row> documented() {
    std::ifstream document(fs::path(HOLDFAST_SOURCE_DIR) / "docs/configuration.md");
    const std::regex heading("^## `(\\[.*\\])`$");
    const std::regex row("^\\| `([a-z_]+)` \\| (.*?) \\| (.*?) \\| (.*?) \\| .+ \\|$");
    std::vector<Row> rows;
    std::string section;
    for (std::string line; std::getline(document, line);) {
        std::smatch match;
        if (std::regex_match(line, match, heading)) section = match[1];
        if (std::regex_match(line, match, row))
            rows.push_back({section, match[1], match[2], match[3], match[4]});
    }
    return rows;
}

// A document that sets one key, with what [[input]] needs beside it.
std::string setting(const Row& row, const std::string& value) {
    std::string text = row.section + "\n" + row.key + " = " + value + "\n";
    if (row.section == "[[input]]" && row.key != "name") text += "name = \"x\"\n";
    if (row.section == "[[input]]" && row.key != "plugin") text += "plugin = \"plain\"\n";
    return text;
}

TEST(ConfigurationDocument, NamesEveryKeyAndNoOther) {
    std::map<std::string, std::set<std::string>> keys;
    for (const Row& row : documented())
        keys[row.section].insert(row.key);
    ASSERT_EQ(keys.size(), 6U);
    for (const auto& [section, documented_keys] : keys) {
        // The loader lists its keys where none is near the one that it was given.
        const auto found = problems(section + "\nzzzzzzzzzzzzzzzzzzzz = 1\n");
        const auto listing = std::find_if(found.begin(), found.end(), [](const std::string& line) {
            return line.find("; it takes ") != std::string::npos;
        });
        ASSERT_NE(listing, found.end()) << section;
        std::string list = listing->substr(listing->find("; it takes ") + 11);
        list = std::regex_replace(list, std::regex(" or "), ", ") + ", ";
        std::set<std::string> known;
        for (std::size_t at = 0, end; (end = list.find(", ", at)) != std::string::npos; at = end + 2)
            known.insert(list.substr(at, end - at));
        if (section == "[broker]") known.erase("tls");  // a section of its own
        EXPECT_EQ(known, documented_keys) << section;
    }
}

TEST(ConfigurationDocument, StatesTheDefaults) {
    const Config defaults = loaded("[[input]]\nname = \"x\"\nplugin = \"plain\"");
    int checked = 0;
    for (const Row& row : documented()) {
        if (row.fallback.front() != '`') continue;
        const std::string text = setting(row, bare(row.fallback));
        const Config config =
            loaded(row.section == "[[input]]" ? text : text + "[[input]]\nname = \"x\"\nplugin = \"plain\"");
        EXPECT_EQ(config.agent.tags, defaults.agent.tags) << text;
        EXPECT_EQ(config.agent.log_level, defaults.agent.log_level) << text;
        EXPECT_EQ(config.broker, defaults.broker) << text;
        EXPECT_EQ(config.buffer, defaults.buffer) << text;
        EXPECT_EQ(config.batch, defaults.batch) << text;
        EXPECT_EQ(config.inputs, defaults.inputs) << text;
        ++checked;
    }
    EXPECT_GT(checked, 30);
}

TEST(ConfigurationDocument, StatesTypesAndRangesAsTheErrorsDo) {
    for (const Row& row : documented()) {
        const auto found = problems(setting(row, row.type == "boolean" ? "1" : "true"));
        ASSERT_FALSE(found.empty()) << row.section << ' ' << row.key;
        EXPECT_THAT(found[0], HasSubstr(row.key + ": expected "));
        EXPECT_THAT(found[0], HasSubstr(row.range)) << row.section;
        const std::map<std::string, std::string> words = {{"boolean", "true or false"},
                                                          {"integer", "an integer"},
                                                          {"duration", "a duration"},
                                                          {"size", "a size"},
                                                          {"string", "a string"},
                                                          {"path", "a string"},
                                                          {"choice", " or "},
                                                          {"array of strings", "an array of strings"},
                                                          {"table of strings", "a table of strings"},
                                                          {"table", "a table"}};
        ASSERT_TRUE(words.contains(row.type)) << row.type;
        EXPECT_THAT(found[0], HasSubstr(words.at(row.type))) << row.section;
    }
}

// Takes the # from the lines that are settings.
std::string uncommented(std::string text) {
    return std::regex_replace(text, std::regex("(^|\n)# ([a-z_]+ = )"), "$1$2");
}

std::string shipped() {
    std::ifstream file(fs::path(HOLDFAST_SOURCE_DIR) / "config/holdfast.toml");
    return {std::istreambuf_iterator<char>(file), {}};
}

TEST(ShippedConfiguration, SamplesThisMachineAndSendsNothing) {
    const Config config = loaded(shipped());
    EXPECT_THAT(config.broker.servers, IsEmpty());
    ASSERT_EQ(config.inputs.size(), 1U);
    EXPECT_EQ(config.inputs[0].plugin, "system");
}

// A reload takes no change of [broker].
TEST(ShippedConfiguration, SaysToRestart) {
    EXPECT_THAT(shipped(), HasSubstr("`systemctl restart holdfast`"));
    EXPECT_THAT(shipped(), testing::Not(HasSubstr("reload")));
}

TEST(ShippedConfiguration, IsRightInWhatItCommentsOut) {
    // The files it speaks of are not here; nothing else may be wrong.
    const auto found = problems(uncommented(shipped()));
    EXPECT_EQ(found.size(), 4U) << testing::PrintToString(found);
    EXPECT_THAT(found, testing::Each(HasSubstr("_file: cannot read")));
}

std::vector<std::string> blocks_of(const fs::path& document) {
    std::ifstream file(fs::path(HOLDFAST_SOURCE_DIR) / document);
    std::vector<std::string> blocks;
    bool inside = false;
    for (std::string line; std::getline(file, line);) {
        if (line == "```toml") {
            blocks.emplace_back();
            inside = true;
        } else if (line == "```") {
            inside = false;
        } else if (inside) {
            blocks.back() += line + "\n";
        }
    }
    return blocks;
}

TEST(BrokersDocument, HasRecipesThatTheLoaderTakes) {
    const auto recipes = blocks_of("docs/brokers.md");
    EXPECT_GE(recipes.size(), 9U);
    // The files it speaks of are not here; nothing else may be wrong.
    for (const std::string& recipe : recipes)
        EXPECT_THAT(problems(recipe), testing::Each(HasSubstr("_file: cannot read"))) << recipe;
}

}  // namespace
}  // namespace holdfast::test
