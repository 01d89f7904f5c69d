#include "forward/expiry_notice.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace holdfast {
namespace {

using ::testing::HasSubstr;

constexpr std::int64_t hour_us = 3'600'000'000;
constexpr std::int64_t day_us = 24 * hour_us;
constexpr std::int64_t ends_us = 20'000 * day_us;  // in 2024

// What is said in so many days before the end, looked at each hour.
std::vector<std::string> said(ExpiryNotice& notice, std::int64_t first_day, std::int64_t last_day) {
    std::vector<std::string> texts;
    for (std::int64_t now = ends_us - first_day * day_us; now < ends_us - last_day * day_us; now += hour_us)
        if (auto text = notice.look(ends_us, now)) texts.push_back(*text);
    return texts;
}

TEST(ExpiryNotice, SaysNothingWhileThereIsTime) {
    ExpiryNotice notice("our certificate");
    EXPECT_TRUE(said(notice, 90, 31).empty());
}

TEST(ExpiryNotice, SaysItOnceADayFromThirtyDaysOn) {
    ExpiryNotice notice("our certificate");
    const auto texts = said(notice, 40, 0);
    ASSERT_EQ(texts.size(), 31u);
    EXPECT_THAT(texts.front(), HasSubstr("our certificate expires in 30 days, on 2024-10-04"));
    EXPECT_THAT(texts[29], HasSubstr("in 1 day,"));
    EXPECT_THAT(texts[30], HasSubstr("in less than a day"));
}

TEST(ExpiryNotice, SaysThatItIsOver) {
    ExpiryNotice notice("our certificate");
    const auto texts = said(notice, 0, -3);
    ASSERT_GE(texts.size(), 3u);
    ASSERT_LE(texts.size(), 4u);
    EXPECT_THAT(texts.back(), HasSubstr("our certificate has expired on 2024-10-04"));
}

TEST(ExpiryNotice, SaysItAnewOfAnotherCertificate) {
    ExpiryNotice notice("our certificate");
    EXPECT_TRUE(notice.look(ends_us, ends_us - day_us));
    EXPECT_FALSE(notice.look(ends_us, ends_us - day_us));
    EXPECT_TRUE(notice.look(ends_us + 1, ends_us + 1 - day_us));
}

TEST(ExpiryNotice, DoesNotBelieveAClockThatWasNeverSet) {
    ExpiryNotice notice("our certificate");
    EXPECT_FALSE(notice.look(hour_us, 2 * hour_us));
}

}  // namespace
}  // namespace holdfast
