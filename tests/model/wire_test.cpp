#include "model/wire.hpp"

#include <gtest/gtest.h>

#include <limits>

namespace holdfast::wire {
namespace {

TEST(Wire, GivesBackVarintsOfEveryLength) {
    for (unsigned shift = 0; shift < 64; ++shift)
        for (const std::uint64_t value : {std::uint64_t{1} << shift, (std::uint64_t{1} << shift) - 1}) {
            std::string bytes;
            put_varint(bytes, value);
            Cursor in(bytes);
            EXPECT_EQ(in.varint(), value);
            EXPECT_TRUE(in.ok() && in.empty());
        }
}

TEST(Wire, GivesBackSignedNumbers) {
    using Limits = std::numeric_limits<std::int64_t>;
    for (const std::int64_t value : {Limits::min(), Limits::min() + 1, std::int64_t{-1}, std::int64_t{0},
                                     std::int64_t{1}, Limits::max()}) {
        std::string bytes;
        put_signed(bytes, value);
        EXPECT_EQ(Cursor(bytes).signed_varint(), value);
    }
}

TEST(Wire, CodesSmallNumbersOfEitherSignInAByte) {
    for (std::int64_t value = -64; value < 64; ++value) {
        std::string bytes;
        put_signed(bytes, value);
        EXPECT_EQ(bytes.size(), 1U) << value;
    }
}

TEST(Cursor, FailsOnceAndForAll) {
    Cursor in("\x05\x61\x62");
    EXPECT_EQ(in.text(10), "");
    EXPECT_FALSE(in.ok());
    EXPECT_TRUE(in.empty());
    EXPECT_EQ(in.byte(), 0);
    EXPECT_EQ(in.bytes(0), "");
    EXPECT_FALSE(in.ok());
}

TEST(Cursor, RefusesTextAndCountsBeyondTheirBound) {
    Cursor text(
        "\x03"
        "abc");
    EXPECT_EQ(text.text(2), "");
    EXPECT_FALSE(text.ok());
    Cursor count("\x03");
    EXPECT_EQ(count.count(2), 0U);
    EXPECT_FALSE(count.ok());
    EXPECT_EQ(Cursor("\x03").count(3), 3U);
}

TEST(Cursor, RefusesLengthsThatWouldOverflow) {
    std::string bytes;
    put_varint(bytes, std::numeric_limits<std::uint64_t>::max());
    bytes += "abc";
    Cursor in(bytes);
    EXPECT_EQ(in.bytes(in.varint()), "");
    EXPECT_FALSE(in.ok());
}

}  // namespace
}  // namespace holdfast::wire
