#include "model/split.hpp"

#include <gtest/gtest.h>

#include "model/message_size.hpp"
#include "model/thinning.hpp"
#include "support/make_batch.hpp"

namespace holdfast::test {
namespace {

struct Seen {
    std::int64_t time_us;
    TimeBase base;
    std::vector<std::string> values;  // "name type value"
    std::vector<std::string> tags;
    bool operator==(const Seen&) const = default;
};

std::string text_of(const Channel& channel, const Value& value) {
    switch (value.type) {
        case ValueType::f64:
            return channel.name + channel.unit + " f " + std::to_string(value.f64);
        case ValueType::i64:
            return channel.name + channel.unit + " i " + std::to_string(value.i64);
        case ValueType::boolean:
            return channel.name + channel.unit + (value.boolean ? " true" : " false");
        case ValueType::string:
            return channel.name + channel.unit + " s " + std::string(value.string);
    }
    return {};
}

std::vector<Seen> readings_of(const Batch& batch) {
    const auto body = decode_body(batch.header.kind, batch.body);
    if (!body) throw std::runtime_error(body.error().text);
    std::vector<Seen> all;
    ReadingReader reader;
    reader.feed(body->stream);
    auto more = reader.next();
    for (; more && *more; more = reader.next()) {
        const Reading& reading = reader.reading();
        Seen seen{reading.time_us, reading.base, {}, {}};
        for (const Value& value : reading.values)
            seen.values.push_back(text_of(reader.channels()[value.channel], value));
        for (const TagView& tag : reading.tags)
            seen.tags.push_back(std::string(tag.key) + "=" + std::string(tag.value));
        all.push_back(std::move(seen));
    }
    if (!more) throw std::runtime_error(more.error().text);
    return all;
}

// Of several shapes, types and clocks, with tags of the batch and of readings.
Batch mixed_batch(std::uint32_t count) {
    BatchMaker maker("host", {{"room", "b2"}});
    maker.wall_offset_us(1'000'000);
    const auto number = maker.channel("number", ValueType::f64);
    const auto whole = maker.channel("whole", ValueType::i64);
    const auto text = maker.channel("text", ValueType::string);
    const auto flag = maker.channel("flag", ValueType::boolean);
    const std::vector<TagView> tags{{"line", "7"}};
    for (std::uint32_t i = 0; i < count; ++i) {
        const std::string value(i % 5 * 40, 'x');
        if (i % 3 == 0)
            maker.add(Reading{i * 10, TimeBase::boot, {}, {}},
                      {Value::of(number, i / 3.0), Value::of(flag, i % 2 == 0)});
        else if (i % 3 == 1)
            maker.add(Reading{1'000'000 + i * 10, TimeBase::wall, {}, tags}, {Value::of(text, value)});
        else
            maker.add(Reading{i * 10, TimeBase::boot, {}, {}},
                      {Value::of(whole, std::int64_t{i}), Value::of(number, -1.5), Value::of(text, value)});
    }
    Batch batch = maker.batch(7);
    batch.header.message_seq = 9;
    batch.header.priority = Priority::high;
    batch.header.arrived_s = 12;
    return batch;
}

TEST(SplitBatch, ThePartsHaveTheReadingsInTheirOrderAndFitTheRoom) {
    const Batch whole = mixed_batch(101);
    for (const std::size_t room : {1U, 150U, 500U, 2'000U, 100'000U}) {
        const auto parts = split_batch(whole, room);
        ASSERT_TRUE(parts) << room;
        EXPECT_GE(parts->size(), 2U);
        std::vector<Seen> all;
        for (const Batch& part : *parts) {
            const auto readings = readings_of(part);
            EXPECT_EQ(readings.size(), part.header.count);
            EXPECT_EQ(part.header.seq, 0U);
            EXPECT_EQ(part.header.message_seq, 0U);
            EXPECT_EQ(part.header.priority, Priority::high);
            EXPECT_EQ(part.header.arrived_s, 12);
            EXPECT_EQ(part.header.input, "host");
            // All lie on the boot clock, ten microseconds apart.
            EXPECT_EQ(part.header.first_us, static_cast<std::int64_t>(all.size()) * 10);
            all.insert(all.end(), readings.begin(), readings.end());
            EXPECT_EQ(part.header.last_us, static_cast<std::int64_t>(all.size() - 1) * 10);
            EXPECT_EQ(decode_body(BatchKind::readings, part.body)->tags.size(), 1U);
        }
        EXPECT_EQ(all, readings_of(whole)) << room;
    }
}

TEST(SplitBatch, MakesTwoHalvesAtLeastAndAPartAReadingAtMost) {
    EXPECT_EQ(split_batch(mixed_batch(101), 100'000)->size(), 2U);
    EXPECT_EQ(split_batch(mixed_batch(101), 1)->size(), 101U);
}

TEST(SplitBatch, AReadingThatIsLargerThanTheRoomIsAlone) {
    BatchMaker maker("host");
    const auto text = maker.channel("text", ValueType::string);
    for (const std::size_t length : {10U, 10U, 5'000U, 10U, 10U})
        maker.add(0, {Value::of(text, std::string_view(std::string(length, 'x')))});
    const auto parts = split_batch(maker.batch(1), 300);
    ASSERT_TRUE(parts);
    ASSERT_EQ(parts->size(), 3U);
    EXPECT_EQ((*parts)[0].header.count, 2U);
    EXPECT_EQ((*parts)[1].header.count, 1U);
    EXPECT_EQ((*parts)[2].header.count, 2U);
}

TEST(SplitBatch, RefusesWhatHasNotTwoReadingsOrIsDamaged) {
    EXPECT_EQ(split_batch(simple_batch(1), 10).error().kind, Error::Kind::full);
    Batch gap;
    gap.header.kind = BatchKind::gap;
    gap.header.count = 5;
    gap.body = encode_gap_body({}, GapReason::max_size);
    EXPECT_EQ(split_batch(gap, 10).error().kind, Error::Kind::full);
    Batch damaged = simple_batch(1, "host", 10);
    damaged.body.resize(damaged.body.size() - 1);
    EXPECT_EQ(split_batch(damaged, 10).error().kind, Error::Kind::corrupt);
    Batch wrong_count = simple_batch(1);
    wrong_count.header.count = 3;
    EXPECT_EQ(split_batch(wrong_count, 10).error().kind, Error::Kind::corrupt);
}

}  // namespace
}  // namespace holdfast::test
