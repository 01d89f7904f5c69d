#include "model/reading_stream.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>

#include "model/owned_reading.hpp"

namespace holdfast {
namespace {

using test::owned;
using test::OwnedReading;
using test::read_all;

// Appends and remembers what the reader has to give back.
class Script {
  public:
    std::uint32_t define(const std::string& name, ValueType type, const std::string& unit = "") {
        return writer.define({name, type, unit});
    }
    void append(std::int64_t time_us, std::vector<Value> values, std::vector<TagView> tags = {},
                TimeBase base = TimeBase::boot) {
        const Reading reading{time_us, base, values, tags};
        writer.append(reading);
        written.push_back(owned(reading));
    }

    ReadingWriter writer;
    std::vector<OwnedReading> written;
};

// What a single channel of that type gives back for a series of values.
template <typename T>
std::vector<OwnedReading> round_trip(ValueType type, const std::vector<T>& series,
                                     std::vector<OwnedReading>& written) {
    Script script;
    const auto channel = script.define("c", type);
    std::int64_t time = 0;
    for (const T& value : series)
        script.append(++time, {Value::of(channel, value)});
    written = script.written;
    ReadingReader reader;
    return read_all(reader, script.writer.bytes());
}

TEST(ReadingStream, GivesBackChannelsWithTypeAndUnit) {
    Script script;
    script.define("cpu.usage", ValueType::f64, "%");
    script.define("außen", ValueType::string);
    const auto flag =
        script.define(std::string(max_name_bytes, 'n'), ValueType::boolean, std::string(max_unit_bytes, 'u'));
    script.append(1, {Value::of(flag, true)});
    ReadingReader reader;
    EXPECT_EQ(read_all(reader, script.writer.bytes()), script.written);
    ASSERT_EQ(reader.channels().size(), 3U);
    EXPECT_EQ(reader.channels()[0].name, "cpu.usage");
    EXPECT_EQ(reader.channels()[0].unit, "%");
    EXPECT_EQ(reader.channels()[1].type, ValueType::string);
    EXPECT_EQ(reader.channels()[2].name.size(), max_name_bytes);
}

TEST(ReadingStream, GivesBackDoublesBitByBit) {
    using Limits = std::numeric_limits<double>;
    const std::vector<double> series{0.0,
                                     -0.0,
                                     1.0,
                                     1.0,
                                     -1.5,
                                     Limits::max(),
                                     Limits::lowest(),
                                     Limits::min(),
                                     Limits::denorm_min(),
                                     Limits::infinity(),
                                     -Limits::infinity(),
                                     Limits::quiet_NaN(),
                                     std::bit_cast<double>(0x7FF0'0000'0000'0001ULL),
                                     std::bit_cast<double>(0xFFF8'1234'5678'9ABCULL),
                                     0.1,
                                     0.2,
                                     std::bit_cast<double>(1ULL),
                                     std::bit_cast<double>(1ULL << 63),
                                     std::bit_cast<double>(~0ULL)};
    std::vector<OwnedReading> written;
    const auto read = round_trip(ValueType::f64, series, written);
    EXPECT_EQ(read, written);
    EXPECT_EQ(read.size(), series.size());
}

TEST(ReadingStream, GivesBackIntegersAtTheirExtremes) {
    using Limits = std::numeric_limits<std::int64_t>;
    std::vector<OwnedReading> written;
    EXPECT_EQ(round_trip<std::int64_t>(
                  ValueType::i64, {0, Limits::max(), Limits::min(), -1, 1, Limits::min(), 63, 64, -64, -65},
                  written),
              written);
}

TEST(ReadingStream, GivesBackBooleansAndStrings) {
    std::vector<OwnedReading> written;
    const std::string longest(max_string_bytes, 's');
    EXPECT_EQ(round_trip<bool>(ValueType::boolean, {true, false, false, true}, written), written);
    EXPECT_EQ(round_trip<std::string_view>(
                  ValueType::string, {"", "a", "a", "", std::string_view("\0\n", 2), longest, longest, "ü"},
                  written),
              written);
}

TEST(ReadingStream, GivesBackTimesAtTheirExtremesOnBothClocks) {
    using Limits = std::numeric_limits<std::int64_t>;
    Script script;
    const auto channel = script.define("c", ValueType::boolean);
    for (const std::int64_t time :
         {std::int64_t{5}, std::int64_t{3}, Limits::max(), Limits::min(), std::int64_t{0}}) {
        script.append(time, {Value::of(channel, true)});
        script.append(time / 2, {Value::of(channel, true)}, {}, TimeBase::wall);
    }
    ReadingReader reader;
    EXPECT_EQ(read_all(reader, script.writer.bytes()), script.written);
}

TEST(ReadingStream, GivesBackReadingsOfChangingShape) {
    Script script;
    const auto a = script.define("a", ValueType::f64);
    const auto b = script.define("b", ValueType::i64);
    script.append(1, {Value::of(a, 1.0), Value::of(b, std::int64_t{1})});
    script.append(2, {Value::of(b, std::int64_t{2}), Value::of(a, 2.0)});
    script.append(3, {Value::of(b, std::int64_t{3})});
    const auto late = script.define("late", ValueType::string);
    script.append(4, {Value::of(b, std::int64_t{4})});
    script.append(5, {Value::of(late, "x"), Value::of(a, 2.0)});
    ReadingReader reader;
    EXPECT_EQ(read_all(reader, script.writer.bytes()), script.written);
}

TEST(ReadingStream, GivesBackTagsOfTheReading) {
    Script script;
    const auto channel = script.define("c", ValueType::boolean);
    std::vector<std::string> keys;
    for (std::size_t i = 0; i < max_tags; ++i)
        keys.push_back("k" + std::to_string(i));
    std::vector<TagView> most;
    for (const std::string& key : keys)
        most.push_back({key, "v"});
    script.append(1, {Value::of(channel, true)}, {{"line", "7"}, {"room", ""}});
    script.append(2, {Value::of(channel, true)});
    script.append(3, {Value::of(channel, true)}, most);
    ReadingReader reader;
    EXPECT_EQ(read_all(reader, script.writer.bytes()), script.written);
}

TEST(ReadingStream, RunsOnOverSegmentsWithKeptState) {
    Script script;
    ReadingReader reader;
    std::vector<OwnedReading> read;
    const auto n = script.define("n", ValueType::i64);
    const auto text = script.define("text", ValueType::string);
    for (int segment = 0; segment < 4; ++segment) {
        for (std::int64_t i = 0; i < segment; ++i)
            script.append(1000 * segment + i, {Value::of(n, i), Value::of(text, "same")});
        if (segment == 2) (void)script.define("late", ValueType::f64);
        const std::string bytes = script.writer.take(ReadingWriter::After::keep_state);
        for (OwnedReading& reading : read_all(reader, bytes))
            read.push_back(std::move(reading));
    }
    EXPECT_EQ(read, script.written);
    EXPECT_EQ(reader.channels().size(), 3U);
}

TEST(ReadingStream, StartsAnewAfterTakingFresh) {
    ReadingWriter writer;
    std::string first;
    for (int round = 0; round < 2; ++round) {
        const auto channel = writer.define({"c", ValueType::i64, "s"});
        EXPECT_EQ(channel, 0U);
        const Value value = Value::of(channel, std::int64_t{77});
        writer.append({12'345, TimeBase::boot, {&value, 1}, {}});
        writer.append({12'346, TimeBase::wall, {&value, 1}, {}});
        const std::string bytes = writer.take(ReadingWriter::After::fresh);
        EXPECT_TRUE(writer.bytes().empty());
        EXPECT_EQ(writer.channel_count(), 0U);
        if (round == 0) first = bytes;
        EXPECT_EQ(bytes, first);
    }
}

TEST(ReadingStream, GivesBackAThousandRandomReadings) {
    std::mt19937_64 random(20'260'101);
    Script script;
    std::vector<std::string> texts;
    for (int i = 0; i < 12; ++i)
        script.define("c" + std::to_string(i), static_cast<ValueType>(i % 4));
    for (int i = 0; i < 20; ++i)
        texts.emplace_back(random() % 40, static_cast<char>('a' + i));
    for (int i = 0; i < 1000; ++i) {
        std::vector<Value> values;
        for (std::uint32_t channel = 0; channel < 12; ++channel) {
            if (i % 3 == 0 && random() % 2 == 0 && channel != 11) continue;
            if (channel % 4 == 0) values.push_back(Value::of(channel, std::bit_cast<double>(random())));
            if (channel % 4 == 1)
                values.push_back(Value::of(channel, static_cast<std::int64_t>(random() >> (random() % 64))));
            if (channel % 4 == 2) values.push_back(Value::of(channel, random() % 2 == 0));
            if (channel % 4 == 3)
                values.push_back(Value::of(channel, std::string_view(texts[static_cast<std::size_t>(random() % texts.size())])));
        }
        script.append(static_cast<std::int64_t>(random()), values, {},
                      random() % 2 == 0 ? TimeBase::boot : TimeBase::wall);
    }
    ReadingReader reader;
    EXPECT_EQ(read_all(reader, script.writer.bytes()), script.written);
}

// What flash and memory cost: the bounds are what the current form needs plus a little, so that a change for
// the worse is seen.
TEST(ReadingStream, CostsUnderFifteenBytesForASimulatorsReading) {
    Script script;
    const auto value = script.define("value", ValueType::f64);
    const auto n = script.define("n", ValueType::i64);
    const auto run = script.define("run", ValueType::string);
    constexpr int count = 10'000;
    for (std::int64_t i = 0; i < count; ++i)
        script.append(3'600'000'000 + i * 100'000 + i % 37,
                      {Value::of(value, std::sin(0.01 * static_cast<double>(i))), Value::of(n, i),
                       Value::of(run, "5f0c1d2e9a7b4c31")});
    // A head, 3 of time, 8 or 9 of a double that changes in nearly all bits, 1 of n, 1 of run.
    EXPECT_LT(script.writer.bytes().size(), 15 * count);
}

TEST(ReadingStream, CostsUnderNineBytesForASlowCounter) {
    Script script;
    const auto channel = script.define("total", ValueType::f64);
    constexpr int count = 10'000;
    for (int i = 0; i < count; ++i)
        script.append(10'000'000LL * i, {Value::of(channel, 1'000.0 + i)});
    EXPECT_LT(script.writer.bytes().size(), 9 * count);
}

TEST(ReadingStream, CostsSixBytesForAValueThatStaysTheSame) {
    Script script;
    const auto channel = script.define("level", ValueType::f64);
    constexpr int count = 10'000;
    for (int i = 0; i < count; ++i)
        script.append(10'000'000LL * i, {Value::of(channel, 21.5)});
    EXPECT_LE(script.writer.bytes().size(), 6 * count + 20);
}

}  // namespace
}  // namespace holdfast
