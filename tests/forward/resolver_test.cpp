#include "forward/resolver.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace holdfast {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

MonoTime in(std::chrono::seconds time) {
    return std::chrono::steady_clock::now() + time;
}

TEST(Resolver, TakesAddressesAsTheyAre) {
    const auto v4 = Resolver().resolve("192.0.2.7", 1883, in(20s));
    ASSERT_TRUE(v4);
    EXPECT_EQ(v4->front().text(), "192.0.2.7");
    const auto v6 = Resolver().resolve("2001:db8::7", 1883, in(20s));
    ASSERT_TRUE(v6);
    EXPECT_EQ(v6->front().text(), "2001:db8::7");
}

TEST(Resolver, NamesWhatItCannotResolve) {
    Resolver resolver;
    const auto none = resolver.resolve("no-such-host.invalid", 1883, in(60s));
    ASSERT_FALSE(none);
    EXPECT_EQ(none.error().kind, Error::Kind::retry);
    EXPECT_THAT(none.error().text, HasSubstr("no-such-host.invalid"));
    EXPECT_TRUE(resolver.resolve("localhost", 1883, in(60s)));
}

TEST(Resolver, GivesUpAtTheDeadlineAndCanBeAskedAgain) {
    Resolver resolver;
    const auto late = resolver.resolve("localhost", 1883, in(-1s));
    // The answer may have come before the deadline was looked at; if not, it is there for the next one who
    // asks.
    if (!late) {
        EXPECT_THAT(late.error().text, HasSubstr("does not answer"));
    }
    EXPECT_TRUE(resolver.resolve("localhost", 1883, in(60s)));
}

}  // namespace
}  // namespace holdfast
