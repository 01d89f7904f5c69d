#include "base/utf8.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>

namespace holdfast {
namespace {

using namespace std::string_view_literals;

// The encoding by the table of RFC 3629, written the other way round than the decoder.
std::string encoded(std::uint32_t c) {
    const auto byte = [](std::uint32_t value) { return static_cast<char>(value); };
    if (c < 0x80) return {byte(c)};
    if (c < 0x800) return {byte(0xC0 | c >> 6), byte(0x80 | (c & 63))};
    if (c < 0x10000) return {byte(0xE0 | c >> 12), byte(0x80 | (c >> 6 & 63)), byte(0x80 | (c & 63))};
    return {byte(0xF0 | c >> 18), byte(0x80 | (c >> 12 & 63)), byte(0x80 | (c >> 6 & 63)),
            byte(0x80 | (c & 63))};
}

TEST(Utf8, AcceptsEveryCodePointButSurrogates) {
    for (std::uint32_t c = 0; c < 0x110000; ++c) {
        const bool surrogate = c >= 0xD800 && c < 0xE000;
        ASSERT_EQ(is_utf8(encoded(c)), !surrogate) << std::hex << c;
    }
    EXPECT_FALSE(is_utf8(encoded(0x110000)));
}

TEST(Utf8, IsCutBetweenCharacters) {
    const std::string text = "a\u00e4\u20ac\U0001F600";  // 1, 2, 3 and 4 bytes
    const std::size_t expected[] = {0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 10};
    for (std::size_t most = 0; most < std::size(expected); ++most)
        EXPECT_EQ(first_bytes(text, most), text.substr(0, expected[most])) << most;
}

TEST(Utf8, CountsExactlyTheWellFormedPairsAndTriples) {
    int pairs = 0;
    int triples = 0;
    for (int a = 0x80; a < 256; ++a)
        for (int b = 0; b < 256; ++b) {
            const std::string pair{static_cast<char>(a), static_cast<char>(b)};
            pairs += is_utf8(pair);
            for (int c = 0; c < 256; ++c)
                triples += a >= 0xE0 && is_utf8(pair + static_cast<char>(c));
        }
    EXPECT_EQ(pairs, 0x800 - 0x80);
    EXPECT_EQ(triples, 0x10000 - 0x800 - 0x800);
}

TEST(Utf8, RefusesOverlongForms) {
    for (const auto text : {"\xC0\x80"sv, "\xC1\xBF"sv, "\xE0\x80\x80"sv, "\xE0\x9F\xBF"sv,
                            "\xF0\x80\x80\x80"sv, "\xF0\x8F\xBF\xBF"sv})
        EXPECT_FALSE(is_utf8(text));
}

TEST(Utf8, RefusesWhatIsCutShort) {
    for (const auto text : {"\xC3"sv, "\xE2\x82"sv, "\xF0\x9F\x98"sv, "\x80"sv, "a\xE2\x82"sv, "\xE2\x82z"sv})
        EXPECT_FALSE(is_utf8(text));
    EXPECT_TRUE(is_utf8(""));
}

TEST(PlainText, RefusesControlCharacters) {
    EXPECT_TRUE(is_plain_text("Temperatur außen, 24 °C 😀"));
    EXPECT_TRUE(is_plain_text(""));
    for (std::uint32_t c = 0; c < 0x100; ++c)
        EXPECT_EQ(is_plain_text(encoded(c)), c >= 0x20 && (c < 0x7F || c > 0x9F)) << c;
    EXPECT_FALSE(is_plain_text("a\0b"sv));
    EXPECT_FALSE(is_plain_text("a\xFF"));
}

}  // namespace
}  // namespace holdfast
