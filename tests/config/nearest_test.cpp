#include "config/nearest.hpp"

#include <gtest/gtest.h>

namespace holdfast::config {
namespace {

const std::vector<std::string_view> keys = {"servers", "client_id", "topic", "status_topic", "qos", "tls"};

TEST(Nearest, FindsTheWordThatWasMeant) {
    EXPECT_EQ(nearest("server", keys), "servers");
    EXPECT_EQ(nearest("sevrers", keys), "servers");
    EXPECT_EQ(nearest("clientid", keys), "client_id");
    EXPECT_EQ(nearest("client-id", keys), "client_id");
    EXPECT_EQ(nearest("topics", keys), "topic");
    EXPECT_EQ(nearest("statustopic", keys), "status_topic");
    EXPECT_EQ(nearest("qso", keys), "qos");
}

TEST(Nearest, FindsNoneForAWordFarFromAll) {
    EXPECT_EQ(nearest("colour", keys), "");
    EXPECT_EQ(nearest("", keys), "");
    EXPECT_EQ(nearest("x", keys), "");
    EXPECT_EQ(nearest("qos", {}), "");
    EXPECT_EQ(nearest(std::string(100'000, 'q'), keys), "");
}

TEST(Nearest, TakesTheNearestOfSeveral) {
    EXPECT_EQ(nearest("max_reading", {"max_bytes", "max_readings", "max_delay"}), "max_readings");
}

TEST(AnyOf, JoinsWordsForASentence) {
    EXPECT_EQ(any_of({}), "");
    EXPECT_EQ(any_of({"a"}), "a");
    EXPECT_EQ(any_of({"a", "b"}), "a or b");
    EXPECT_EQ(any_of({"a", "b", "c"}), "a, b or c");
}

}  // namespace
}  // namespace holdfast::config
