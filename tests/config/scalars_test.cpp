#include "config/scalars.hpp"

#include <gtest/gtest.h>

namespace holdfast::config {
namespace {

using namespace std::chrono_literals;

TEST(Durations, AreNumbersWithUnits) {
    EXPECT_EQ(parse_duration("0s"), Micros(0));
    EXPECT_EQ(parse_duration("7us"), 7us);
    EXPECT_EQ(parse_duration("250ms"), 250ms);
    EXPECT_EQ(parse_duration("10s"), 10s);
    EXPECT_EQ(parse_duration("1h30m"), 90min);
    EXPECT_EQ(parse_duration("30d"), 24h * 30);
    EXPECT_EQ(parse_duration("1d2h3m4s5ms6us"), 26h + 3min + 4s + 5ms + 6us);
    EXPECT_EQ(parse_duration("90m"), 90min);
}

TEST(Durations, RefuseWhatIsNotSoWritten) {
    for (const char* const text : {"", "10", "s", "-1s", "+1s", "1.5s", "1 s", " 1s", "1s ", "1S", "1w",
                                   "1sec", "1m1h", "1s1s", "1h30", "1e3s", "0x1s", "1h-3m"})
        EXPECT_FALSE(parse_duration(text)) << text;
}

TEST(Durations, RefuseMoreThanFits) {
    EXPECT_EQ(parse_duration("9223372036854775807us"), Micros::max());
    EXPECT_FALSE(parse_duration("9223372036854775808us"));
    EXPECT_FALSE(parse_duration("106751991168d"));
    EXPECT_FALSE(parse_duration("9223372036854s999999us"));
    EXPECT_FALSE(parse_duration("99999999999999999999999s"));
}

TEST(Sizes, AreNumbersWithDecimalOrBinaryUnits) {
    EXPECT_EQ(parse_size("0B"), Bytes{0});
    EXPECT_EQ(parse_size("12B"), Bytes{12});
    EXPECT_EQ(parse_size("3KB"), Bytes{3000});
    EXPECT_EQ(parse_size("64KiB"), kibibytes(64));
    EXPECT_EQ(parse_size("2MB"), Bytes{2'000'000});
    EXPECT_EQ(parse_size("256MiB"), mebibytes(256));
    EXPECT_EQ(parse_size("1GB"), Bytes{1'000'000'000});
    EXPECT_EQ(parse_size("1GiB"), mebibytes(1024));
    EXPECT_EQ(parse_size("1TB"), Bytes{1'000'000'000'000});
    EXPECT_EQ(parse_size("1TiB"), mebibytes(1024 * 1024));
}

TEST(Sizes, RefuseWhatIsNotSoWritten) {
    for (const char* const text :
         {"", "64", "KiB", "-1B", "1.5MiB", "1 MiB", "1kib", "1M", "1MiB1KiB", "1MiBs", "1MiB "})
        EXPECT_FALSE(parse_size(text)) << text;
    EXPECT_FALSE(parse_size("9223372036854775808B"));
    EXPECT_FALSE(parse_size("8388608TiB"));
}

TEST(Scalars, AreWrittenAsTheyAreRead) {
    for (const char* const text : {"0s", "1us", "999ms", "1h30m", "36500d", "18h12m15s", "1d1us"})
        EXPECT_EQ(to_text(*parse_duration(text)), text);
    for (const char* const text : {"0B", "1B", "1025B", "64KiB", "3KB", "16TiB", "7MB", "1GiB"})
        EXPECT_EQ(to_text(*parse_size(text)), text);
}

}  // namespace
}  // namespace holdfast::config
