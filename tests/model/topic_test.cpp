#include "model/topic.hpp"

#include <gtest/gtest.h>

namespace holdfast {
namespace {

const std::vector<TagView> tags{{"room", "b2"}, {"bad", "a#"}};

std::string expanded(std::string_view topic_template) {
    const auto topic = expand_topic(topic_template, "gw-17", "host", tags);
    return topic ? *topic : "error: " + topic.error().text;
}

bool is_allowed(std::string_view topic_template) {
    const auto checked = check_topic_template(topic_template);
    EXPECT_TRUE(checked || checked.error().kind == Error::Kind::config);
    return checked.has_value();
}

TEST(Topic, ReplacesPlaceholders) {
    EXPECT_EQ(expanded("holdfast/{agent}/{input}"), "holdfast/gw-17/host");
    EXPECT_EQ(expanded("{input}{agent}"), "hostgw-17");
    EXPECT_EQ(expanded("/{tag:room}/"), "/b2/");
    EXPECT_EQ(expanded("plain"), "plain");
}

TEST(Topic, SaysWhichTagIsMissing) {
    const auto topic = expand_topic("x/{tag:floor}", "a", "i", tags);
    ASSERT_FALSE(topic);
    EXPECT_EQ(topic.error().kind, Error::Kind::config);
    EXPECT_NE(topic.error().text.find("\"floor\""), std::string::npos);
}

TEST(Topic, RefusesWildcardsAndControlCharactersThatAValueBrings) {
    EXPECT_TRUE(expanded("{tag:bad}").starts_with("error: "));
    EXPECT_FALSE(expand_topic("{agent}", "a+b", "i", {}));
    EXPECT_FALSE(expand_topic("{agent}", std::string("a\0b", 3), "i", {}));
    EXPECT_FALSE(expand_topic("{agent}", "", "i", {}));
}

TEST(Topic, RefusesANameBeyondMqttsLength) {
    EXPECT_TRUE(expand_topic("{agent}", std::string(65'535, 'a'), "i", {}));
    EXPECT_FALSE(expand_topic("{agent}", std::string(65'536, 'a'), "i", {}));
}

TEST(Topic, ExpandsATemplateThatWasNotCheckedWithoutHarm) {
    for (const auto* const text : {"{x}", "{}", "{tag:}", "{", "}", "{agent", "{{agent}}"})
        EXPECT_FALSE(expand_topic(text, "a", "i", tags)) << text;
}

TEST(TopicTemplate, IsCheckedBeforeUse) {
    EXPECT_TRUE(is_allowed("holdfast/{agent}/{input}/{tag:room}"));
    EXPECT_TRUE(is_allowed("größe/😀"));
    for (const auto* const text :
         {"", "a/#", "a/+/b", "{agnt}", "{tag:}", "{agent", "agent}", "a\tb", "\xFF", "{}"})
        EXPECT_FALSE(is_allowed(text)) << text;
    EXPECT_TRUE(is_allowed(std::string(65'535, 't')));
    EXPECT_FALSE(is_allowed(std::string(65'536, 't')));
}

TEST(TopicTemplate, NamesTheUnknownPlaceholder) {
    const auto checked = check_topic_template("holdfast/{agnet}");
    ASSERT_FALSE(checked);
    EXPECT_NE(checked.error().text.find("{agnet}"), std::string::npos);
}

}  // namespace
}  // namespace holdfast
