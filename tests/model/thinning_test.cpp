#include "model/thinning.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <random>

#include "model/owned_reading.hpp"
#include "support/make_batch.hpp"

namespace holdfast {
namespace {

using namespace std::chrono_literals;
using test::BatchMaker;
using test::OwnedReading;

constexpr std::int64_t second = 1'000'000;

// Readings by the names of their channels.
struct NamedReading {
    std::int64_t time_us = 0;
    TimeBase base = TimeBase::boot;
    Tags tags;
    std::map<std::string, test::OwnedValue> values;

    double f64(const std::string& name) const { return std::bit_cast<double>(values.at(name).bits); }
    std::int64_t i64(const std::string& name) const {
        return static_cast<std::int64_t>(values.at(name).bits);
    }
};

struct Decoded {
    std::vector<Channel> channels;
    std::vector<NamedReading> readings;
};

Decoded decode(const Batch& batch) {
    const auto body = decode_body(batch.header.kind, batch.body);
    EXPECT_TRUE(body);
    ReadingReader reader;
    std::string error;
    const auto readings = test::read_all(reader, body->stream, &error);
    EXPECT_EQ(error, "");
    EXPECT_EQ(batch.header.count, readings.size());
    Decoded out{reader.channels(), {}};
    for (const OwnedReading& reading : readings) {
        NamedReading& named = out.readings.emplace_back();
        named.time_us = reading.time_us;
        named.base = reading.base;
        named.tags = reading.tags;
        for (const auto& value : reading.values)
            named.values[out.channels[value.channel].name] = value;
    }
    return out;
}

std::vector<NamedReading> readings_of(const std::vector<Batch>& batches) {
    std::vector<NamedReading> all;
    for (const Batch& batch : batches)
        for (NamedReading& reading : decode(batch).readings)
            all.push_back(std::move(reading));
    return all;
}

Result<std::vector<Batch>> thin(const Batch& batch, std::chrono::seconds step) {
    return thin(std::span(&batch, 1), step);
}
std::vector<NamedReading> thinned(const Batch& batch, std::chrono::seconds step) {
    return readings_of(thin(batch, step).value());
}

std::vector<std::string> names(const std::vector<Channel>& channels) {
    std::vector<std::string> out;
    for (const Channel& channel : channels)
        out.push_back(channel.name);
    return out;
}

// Ten readings a second of one number, 0, 1, 2 and so on, from `from` on.
Batch ramp(std::int64_t from, int count, const std::string& channel = "x") {
    BatchMaker maker("host", {{"site", "plant-3"}});
    const auto x = maker.channel(channel, ValueType::f64);
    for (int i = 0; i < count; ++i)
        maker.add(from + i * second / 10, {Value::of(x, static_cast<double>(i))});
    return maker.batch(7);
}

TEST(ThinningSteps, AscendAndDivideEachOther) {
    EXPECT_EQ(thinning_steps.front(), 1s);
    EXPECT_EQ(thinning_steps.back(), 24h);
    for (std::size_t i = 1; i < thinning_steps.size(); ++i) {
        EXPECT_GT(thinning_steps[i], thinning_steps[i - 1]);
        EXPECT_EQ(thinning_steps[i] % thinning_steps[i - 1], 0s);
    }
}

TEST(ThinningSteps, FollowEachOtherToTheCoarsest) {
    EXPECT_EQ(next_thinning_step(0s), 1s);
    EXPECT_EQ(next_thinning_step(1s), 10s);
    EXPECT_EQ(next_thinning_step(7s), 10s);
    EXPECT_EQ(next_thinning_step(6h), 24h);
    EXPECT_EQ(next_thinning_step(24h), std::nullopt);
}

TEST(Thinning, GivesMeanLeastGreatestAndCountOfEachWindow) {
    const auto readings = thinned(ramp(5 * second + 300'000, 20), 1s);
    ASSERT_EQ(readings.size(), 3U);
    EXPECT_EQ(readings[0].time_us, 5 * second + 300'000);
    EXPECT_EQ(readings[1].time_us, 6 * second);
    EXPECT_EQ(readings[2].time_us, 7 * second);
    EXPECT_EQ(readings[1].f64("x"), 11.5);
    EXPECT_EQ(readings[1].f64("x.min"), 7);
    EXPECT_EQ(readings[1].f64("x.max"), 16);
    EXPECT_EQ(readings[1].i64("x.count"), 10);
    EXPECT_EQ(readings[0].i64("x.count") + readings[2].i64("x.count"), 10);
}

TEST(Thinning, DefinesAGroupOfChannelsForEachChannel) {
    ReadingWriter writer;
    writer.start_with(encode_body_head(Tags{}));
    const auto real = writer.define({"t", ValueType::f64, "Cel"});
    const auto text = writer.define({"state", ValueType::string, ""});
    const auto whole = writer.define({"n", ValueType::i64, "By"});
    const auto flag = writer.define({"on", ValueType::boolean, ""});
    for (std::int64_t i = 0; i < 50; ++i) {
        const Value values[] = {Value::of(real, 20.5), Value::of(text, "idle"), Value::of(whole, i),
                                Value::of(flag, true)};
        writer.append({i, TimeBase::boot, values, {}});
    }
    Batch batch;
    batch.header = {.input = "host", .count = 50, .last_us = 49};
    batch.body = writer.take(ReadingWriter::After::fresh);
    const Decoded out = decode(thin(batch, 1s).value().at(0));
    EXPECT_EQ(names(out.channels),
              (std::vector<std::string>{"t", "t.min", "t.max", "t.count", "state", "state.count", "n",
                                        "n.min", "n.max", "n.count", "on", "on.count"}));
    const auto f = ValueType::f64;
    const auto i = ValueType::i64;
    const std::vector<ValueType> types{f, f, f, i, ValueType::string, i, f, f, f, i, ValueType::boolean, i};
    const std::vector<std::string> units{"Cel", "Cel", "Cel", "", "", "", "By", "By", "By", "", "", ""};
    for (std::size_t c = 0; c < types.size(); ++c) {
        EXPECT_EQ(out.channels[c].type, types[c]) << c;
        EXPECT_EQ(out.channels[c].unit, units[c]) << c;
    }
}

TEST(Thinning, KeepsTheLastValueOfABooleanAndAString) {
    BatchMaker maker("host");
    const auto flag = maker.channel("on", ValueType::boolean);
    const auto text = maker.channel("state", ValueType::string);
    for (int i = 0; i < 8; ++i)
        maker.add(i * second / 5, {Value::of(flag, i % 2 == 0), Value::of(text, i < 4 ? "idle" : "busy")});
    maker.add(100'000, {Value::of(flag, true), Value::of(text, "late")});  // it came late, out of order
    const auto readings = thinned(maker.batch(1), 1s);
    ASSERT_EQ(readings.size(), 2U);
    EXPECT_EQ(readings[0].values.at("state").string, "busy");
    EXPECT_EQ(readings[0].values.at("on").bits, 1U);
    EXPECT_EQ(readings[0].i64("on.count"), 6);
    EXPECT_EQ(readings[1].values.at("state").string, "busy");
    EXPECT_EQ(readings[1].values.at("on").bits, 0U);
    EXPECT_EQ(readings[1].i64("state.count"), 3);
}

TEST(Thinning, LeavesNumbersOutThatAreNotFinite) {
    BatchMaker maker("host");
    const auto x = maker.channel("x", ValueType::f64);
    const double nan = std::numeric_limits<double>::quiet_NaN();
    const double infinity = std::numeric_limits<double>::infinity();
    for (int i = 0; i < 40; ++i)
        maker.add(i, {Value::of(x, i % 4 == 0 ? nan : i % 4 == 1 ? infinity : 3.0 + i % 4)});
    for (int i = 0; i < 20; ++i)
        maker.add(second + i, {Value::of(x, i % 2 == 0 ? nan : -infinity)});
    const auto readings = thinned(maker.batch(1), 1s);
    ASSERT_EQ(readings.size(), 2U);
    EXPECT_EQ(readings[0].f64("x"), 5.5);
    EXPECT_EQ(readings[0].f64("x.min"), 5);
    EXPECT_EQ(readings[0].f64("x.max"), 6);
    EXPECT_EQ(readings[0].i64("x.count"), 20);
    EXPECT_TRUE(std::isnan(readings[1].f64("x")));
    EXPECT_EQ(readings[1].i64("x.count"), 0);
}

TEST(Thinning, SurvivesSumsThatADoubleCanNotHold) {
    BatchMaker maker("host");
    const auto x = maker.channel("x", ValueType::f64);
    const double most = std::numeric_limits<double>::max();
    for (int i = 0; i < 40; ++i)
        maker.add(i, {Value::of(x, i % 2 == 0 ? most : most / 2)});
    const auto reading = thinned(maker.batch(1), 1s).at(0);
    EXPECT_DOUBLE_EQ(reading.f64("x"), most * 0.75);
}

TEST(Thinning, GivesEqualValuesBackAsTheirMean) {
    BatchMaker maker("host");
    const auto x = maker.channel("x", ValueType::f64);
    for (int i = 0; i < 30; ++i)
        maker.add(i, {Value::of(x, 0.1)});  // 0.1 added up 30 times and divided by 30 is not 0.1
    EXPECT_EQ(thinned(maker.batch(1), 1s).at(0).f64("x"), 0.1);
}

TEST(Thinning, HasWindowsOfOneLengthAlsoBeforeZeroAndTheTimeOfTheEarliestReading) {
    BatchMaker maker("host");
    const auto x = maker.channel("x", ValueType::i64);
    for (const std::int64_t time : {-2, 3, -3, 2})
        for (std::int64_t i = 0; i < 10; ++i)
            maker.add(time, {Value::of(x, i)});
    const auto readings = thinned(maker.batch(1), 1s);
    ASSERT_EQ(readings.size(), 2U);
    EXPECT_EQ(readings[0].time_us, -3);
    EXPECT_EQ(readings[1].time_us, 2);
}

TEST(Thinning, KeepsReadingsOfOtherTagsAndOfTheOtherClockApart) {
    BatchMaker maker("meter");
    const auto x = maker.channel("x", ValueType::i64);
    const TagView phases[] = {{"phase", "L1"}, {"phase", "L2"}};
    for (std::int64_t i = 0; i < 30; ++i) {
        maker.add({i, TimeBase::boot, {}, std::span(&phases[i % 2], 1)}, {Value::of(x, i % 2)});
        maker.add({i, TimeBase::wall, {}, std::span(&phases[0], 1)}, {Value::of(x, std::int64_t{5})});
    }
    const auto readings = thinned(maker.batch(1), 1s);
    ASSERT_EQ(readings.size(), 3U);
    EXPECT_EQ(readings[0].tags, (Tags{{"phase", "L1"}}));
    EXPECT_EQ(readings[0].f64("x"), 0);
    EXPECT_EQ(readings[1].base, TimeBase::wall);
    EXPECT_EQ(readings[1].f64("x"), 5);
    EXPECT_EQ(readings[2].tags, (Tags{{"phase", "L2"}}));
    EXPECT_EQ(readings[2].f64("x"), 1);
}

TEST(Thinning, GivesAWindowOnlyTheChannelsThatHadValues) {
    BatchMaker maker("host");
    const auto a = maker.channel("a", ValueType::i64);
    const auto b = maker.channel("b", ValueType::i64);
    for (std::int64_t i = 0; i < 20; ++i)
        maker.add(i, {Value::of(b, i), Value::of(a, i)});
    for (std::int64_t i = 0; i < 20; ++i)
        maker.add(second + i, {Value::of(b, i)});
    const auto readings = thinned(maker.batch(1), 1s);
    ASSERT_EQ(readings.size(), 2U);
    EXPECT_EQ(readings[0].values.size(), 8U);
    EXPECT_EQ(readings[1].values.size(), 4U);
    EXPECT_EQ(readings[1].i64("b.count"), 20);
}

TEST(Thinning, MakesOneBatchOfSeveralAndSpansThem) {
    std::vector<Batch> batches{ramp(10 * second, 5), ramp(10 * second + 500'000, 20), ramp(20 * second, 10)};
    batches.back().header.wall_offset_us = 40'000;
    batches.back().header.priority = Priority::high;
    const auto made = thin(batches, 1s).value();
    ASSERT_EQ(made.size(), 1U);
    const BatchHeader& header = made[0].header;
    EXPECT_EQ(header.kind, BatchKind::thinned);
    EXPECT_EQ(header.input, "host");
    EXPECT_EQ(header.priority, Priority::high);
    EXPECT_EQ(header.wall_offset_us, 40'000);
    EXPECT_EQ(header.clock, ClockState::synchronised);
    EXPECT_EQ(header.first_us, batches.front().header.first_us);
    EXPECT_EQ(header.last_us, batches.back().header.last_us);
    EXPECT_EQ(header.seq, 0U);
    const auto body = decode_body(BatchKind::thinned, made[0].body);
    EXPECT_EQ(body->step, 1s);
    ASSERT_EQ(body->tags.size(), 1U);
    EXPECT_EQ(body->tags[0].value, "plant-3");
    const auto readings = readings_of(made);
    ASSERT_EQ(readings.size(), 4U);
    EXPECT_EQ(readings[0].i64("x.count"), 10) << "of two batches";
}

TEST(Thinning, KeepsTheSpanWhenItIsThinnedAgain) {
    const Batch batch = ramp(10 * second + 300'000, 400);
    const Batch once = thin(batch, 1s).value().at(0);
    const Batch twice = thin(once, 10s).value().at(0);
    EXPECT_EQ(twice.header.first_us, batch.header.first_us);
    EXPECT_EQ(twice.header.last_us, batch.header.last_us);
}

TEST(Thinning, PlacesWallTimesOnTheBootClockInTheHeader) {
    BatchMaker maker("host");
    maker.wall_offset_us(1'000 * second);
    const auto x = maker.channel("x", ValueType::f64);
    for (int i = 0; i < 20; ++i)
        maker.add({1'005 * second + i, TimeBase::wall, {}, {}}, {Value::of(x, 1.0)});
    Batch batch = maker.batch(1);
    batch.header.first_us = 5 * second;
    batch.header.last_us = 5 * second + 19;
    const Batch once = thin(batch, 1s).value().at(0);
    EXPECT_EQ(once.header.first_us, 5 * second);
    EXPECT_EQ(once.header.last_us, 5 * second + 19);
}

TEST(Thinning, FailsWithFullWhenTheStepMakesNothingSmaller) {
    BatchMaker maker("host");
    const auto x = maker.channel("x", ValueType::f64);
    for (int i = 0; i < 100; ++i)
        maker.add(i * 2 * second, {Value::of(x, i * 0.1)});
    const auto same = thin(maker.batch(1), 1s);
    ASSERT_FALSE(same);
    EXPECT_EQ(same.error().kind, Error::Kind::full);
    EXPECT_TRUE(thin(maker.batch(1), 1min));
}

TEST(Thinning, FailsWithFullWhenThereIsMoreThanItHolds) {
    BatchMaker maker("host");
    const auto flag = maker.channel("on", ValueType::boolean);
    for (int i = 0; i < 70'000; ++i)
        maker.add(i * second, {Value::of(flag, true)});
    const auto many = thin(std::vector{maker.batch(1)}, 1s, mebibytes(64));
    ASSERT_FALSE(many);
    EXPECT_EQ(many.error().kind, Error::Kind::full);
    EXPECT_EQ(readings_of(thin(std::vector{maker.batch(1)}, 10s, mebibytes(1)).value()).size(), 7'000U);
}

TEST(Thinning, BeginsAnotherBatchWhereAChannelChangesItsType) {
    BatchMaker maker("host", {{"site", "plant-3"}});
    const auto x = maker.channel("x", ValueType::string);
    for (int i = 0; i < 20; ++i)
        maker.add(10 * second + i, {Value::of(x, "text")});
    const std::vector<Batch> batches{ramp(0, 20), maker.batch(2), ramp(20 * second, 20)};
    const auto made = thin(batches, 10s).value();
    ASSERT_EQ(made.size(), 3U);
    EXPECT_EQ(decode(made[0]).readings.at(0).i64("x.count"), 20);
    EXPECT_EQ(decode(made[1]).readings.at(0).values.at("x").string, "text");
    EXPECT_EQ(decode(made[2]).readings.at(0).time_us, 20 * second);
    EXPECT_EQ(made[1].header.first_us, 10 * second);
    EXPECT_EQ(made[1].header.last_us, 10 * second + 19);
}

TEST(Thinning, BeginsAnotherBatchBeforeItsMessageGrowsTooLarge) {
    std::vector<Batch> batches;
    for (int i = 0; i < 10; ++i)
        batches.push_back(ramp(i * 10 * second, 100));
    EXPECT_EQ(thin(batches, 1s).value().size(), 1U);
    const auto made = thin(batches, 1s, Bytes{4'000}).value();
    EXPECT_GT(made.size(), 2U);
    const auto readings = readings_of(made);
    ASSERT_EQ(readings.size(), 100U);
    for (std::size_t i = 0; i < readings.size(); ++i)
        EXPECT_EQ(readings[i].time_us, static_cast<std::int64_t>(i) * second);
    for (std::size_t i = 1; i < made.size(); ++i)
        EXPECT_LT(made[i - 1].header.last_us, made[i].header.first_us);
    const auto too_many = thin(batches, 1s, Bytes{2'000});
    ASSERT_FALSE(too_many) << "more batches than went in";
    EXPECT_EQ(too_many.error().kind, Error::Kind::full);
}

// Two batches, each `count` channels of the type in each of 60 readings within a second.
std::vector<Batch> wide_batches(std::size_t count, ValueType type) {
    std::vector<Batch> batches;
    for (int b = 0; b < 2; ++b) {
        ReadingWriter writer;
        writer.start_with(encode_body_head(Tags{}));
        std::vector<Value> values;
        for (std::size_t c = 0; c < count; ++c) {
            const auto channel = writer.define({"c" + std::to_string(c), type, ""});
            values.push_back(type == ValueType::f64 ? Value::of(channel, 0.5) : Value::of(channel, true));
        }
        for (std::int64_t i = 0; i < 60; ++i)
            writer.append({b * 60 + i, TimeBase::boot, values, {}});
        Batch& batch = batches.emplace_back();
        batch.header = {.input = "host", .count = 60, .first_us = b * 60, .last_us = b * 60 + 59};
        batch.body = writer.take(ReadingWriter::After::fresh);
    }
    return batches;
}

TEST(Thinning, SpreadsChannelsThatOneBatchCanNotDefine) {
    for (const auto& [count, type] : {std::pair(max_channels / 4 + 1, ValueType::f64),
                                      std::pair(max_channels / 2 + 1, ValueType::boolean)}) {
        const auto made = thin(wide_batches(count, type), 1s, mebibytes(64)).value();
        ASSERT_EQ(made.size(), 2U);
        const auto readings = readings_of(made);
        ASSERT_EQ(readings.size(), 2U);
        EXPECT_EQ(readings[0].values.size(), max_channels);
        EXPECT_EQ(readings[1].values.size(), type == ValueType::f64 ? 4U : 2U);
        EXPECT_EQ(readings[0].i64("c0.count"), 120);
    }
    EXPECT_EQ(thin(wide_batches(max_channels / 4, ValueType::f64), 1s, mebibytes(64)).value().size(), 1U);
}

TEST(Thinning, SpreadsTextsThatOneReadingCanNotHold) {
    BatchMaker maker("host");
    const std::string text(max_string_bytes, 't');
    for (int c = 0; c < 3; ++c) {
        const auto channel = maker.channel("c" + std::to_string(c), ValueType::string);
        maker.add(c, {Value::of(channel, text)});
        maker.add(100 + c, {Value::of(channel, std::string_view(text).substr(1))});
    }
    const auto made = thin(std::vector{maker.batch(1)}, 1s, mebibytes(1)).value();
    const auto readings = readings_of(made);
    ASSERT_EQ(readings.size(), 3U);
    for (const auto& reading : readings) {
        EXPECT_EQ(reading.time_us, 0);
        EXPECT_EQ(reading.values.size(), 2U);
    }
}

// The names that thinned readings have when the channels of the source have these.
std::vector<std::string> thinned_names(const std::vector<std::string>& sources) {
    BatchMaker maker("host");
    std::vector<std::uint32_t> channels;
    for (const std::string& name : sources)
        channels.push_back(maker.channel(name, ValueType::f64));
    for (int i = 0; i < 500; ++i)
        for (const auto channel : channels)
            maker.add(i, {Value::of(channel, i * 0.1)});
    const Batch once = thin(maker.batch(1), 1s).value().at(0);
    const std::vector<Channel> made = decode(once).channels;
    // The groups must be found again whatever the names are.
    const std::vector<Batch> two{once, once};
    EXPECT_EQ(names(decode(thin(two, 10s).value().at(0)).channels), names(made));
    return names(made);
}

TEST(ThinnedNames, LeaveEachChannelItsOwn) {
    EXPECT_EQ(
        thinned_names({"x", "x.min", "x.min'2"}),
        (std::vector<std::string>{"x", "x.min'3", "x.max", "x.count", "x.min", "x.min.min", "x.min.max",
                                  "x.min.count", "x.min'2", "x.min'2.min", "x.min'2.max", "x.min'2.count"}));
}

TEST(ThinnedNames, AreCutBetweenCharactersWhereTheyWouldBeTooLong) {
    const std::string most(max_name_bytes, 'n');
    const auto made = thinned_names({most, most.substr(1)});
    EXPECT_EQ(made[0], most);
    EXPECT_EQ(made[1], std::string(max_name_bytes - 4, 'n') + ".min");
    EXPECT_EQ(made[3], std::string(max_name_bytes - 6, 'n') + ".count");
    EXPECT_EQ(made[5], std::string(max_name_bytes - 6, 'n') + ".min'2");
    std::string wide;
    while (wide.size() + 3 <= max_name_bytes)
        wide += "€";
    EXPECT_EQ(thinned_names({wide})[1], wide.substr(0, 252) + ".min");
    EXPECT_EQ(thinned_names({"n" + wide})[1], ("n" + wide).substr(0, 250) + ".min");
}

}  // namespace
}  // namespace holdfast
