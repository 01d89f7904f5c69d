#include "model/batch.hpp"

#include <gtest/gtest.h>

#include "model/owned_reading.hpp"

namespace holdfast {
namespace {

const Tags two_tags{{"site", "plant-3"}, {"room", ""}};

std::string readings_body() {
    ReadingWriter writer;
    writer.start_with(encode_body_head(two_tags));
    const Value value = Value::of(writer.define({"c", ValueType::f64, ""}), 1.5);
    writer.append({7, TimeBase::boot, {&value, 1}, {}});
    return writer.take(ReadingWriter::After::fresh);
}

TEST(BatchBody, GivesBackTagsAndReadings) {
    const std::string body = readings_body();
    const auto decoded = decode_body(BatchKind::readings, body);
    ASSERT_TRUE(decoded);
    ASSERT_EQ(decoded->tags.size(), 2U);
    EXPECT_EQ(decoded->tags[0].key, "site");
    EXPECT_EQ(decoded->tags[0].value, "plant-3");
    EXPECT_EQ(decoded->tags[1].value, "");
    ReadingReader reader;
    const auto readings = test::read_all(reader, decoded->stream);
    ASSERT_EQ(readings.size(), 1U);
    EXPECT_EQ(readings[0].time_us, 7);
}

TEST(BatchBody, GivesBackTheReasonOfAGap) {
    for (const auto reason : {GapReason::max_size, GapReason::max_age, GapReason::disk_full,
                              GapReason::damaged, GapReason::refused}) {
        const auto decoded = decode_body(BatchKind::gap, encode_gap_body(two_tags, reason));
        ASSERT_TRUE(decoded);
        EXPECT_EQ(decoded->reason, reason);
        EXPECT_EQ(decoded->tags.size(), 2U);
    }
}

TEST(BatchBody, RefusesAnotherVersion) {
    std::string body = readings_body();
    body[0] = static_cast<char>(batch_body_version + 1);
    const auto decoded = decode_body(BatchKind::readings, body);
    ASSERT_FALSE(decoded);
    EXPECT_EQ(decoded.error().kind, Error::Kind::corrupt);
    EXPECT_FALSE(decode_body(BatchKind::readings, ""));
}

TEST(BatchBody, RefusesTagsThatAreCutShort) {
    const std::string head = encode_body_head(two_tags);
    for (std::size_t length = 0; length < head.size(); ++length)
        EXPECT_FALSE(decode_body(BatchKind::readings, std::string_view(head).substr(0, length))) << length;
    EXPECT_TRUE(decode_body(BatchKind::readings, head));
}

TEST(BatchBody, RefusesTagsThatBreakARule) {
    EXPECT_FALSE(decode_body(BatchKind::readings, encode_body_head({{"", "v"}})));
    EXPECT_FALSE(decode_body(BatchKind::readings, encode_body_head({{"k", "\xFF"}})));
    EXPECT_FALSE(
        decode_body(BatchKind::readings, encode_body_head({{std::string(max_name_bytes + 1, 'k'), "v"}})));
    EXPECT_TRUE(decode_body(BatchKind::readings, encode_body_head(Tags(max_tags, {"k", "v"}))));
    EXPECT_FALSE(decode_body(BatchKind::readings, encode_body_head(Tags(max_tags + 1, {"k", "v"}))));
}

TEST(BatchBody, RefusesAGapOfUnknownReasonOrWithMoreBehindIt) {
    std::string gap = encode_gap_body({}, GapReason::refused);
    EXPECT_FALSE(decode_body(BatchKind::gap, gap + "x"));
    gap.back() = 5;
    EXPECT_FALSE(decode_body(BatchKind::gap, gap));
}

TEST(GapReason, HasTheNamesOfTheGapRecord) {
    EXPECT_EQ(to_string(GapReason::max_size), "max_size");
    EXPECT_EQ(to_string(GapReason::max_age), "max_age");
    EXPECT_EQ(to_string(GapReason::disk_full), "disk_full");
    EXPECT_EQ(to_string(GapReason::damaged), "damaged");
    EXPECT_EQ(to_string(GapReason::refused), "refused");
}

}  // namespace
}  // namespace holdfast
