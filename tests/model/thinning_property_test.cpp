// What holds for thinning whatever the readings are, and what damaged or hostile bodies may do: fail.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <map>
#include <random>

#include "model/owned_reading.hpp"
#include "model/thinning.hpp"
#include "support/make_batch.hpp"

namespace holdfast {
namespace {

using namespace std::chrono_literals;
using test::BatchMaker;
using test::OwnedReading;

constexpr std::int64_t second = 1'000'000;
constexpr unsigned seeds = 60;

// Batches of one input with channels of all types, shapes that change, tags, both clocks, and times that now
// and then step back.
class RandomInput {
  public:
    explicit RandomInput(unsigned seed, std::size_t most_apart_us = 600'000)
        : random_(seed), most_apart_us_(most_apart_us) {}

    std::vector<Batch> batches(int count) {
        std::vector<Batch> made;
        for (int i = 0; i < count; ++i)
            made.push_back(batch());
        return made;
    }

  private:
    std::size_t below(std::size_t most) { return random_() % most; }

    Batch batch() {
        ReadingWriter writer;
        writer.start_with(encode_body_head({{"site", "plant-3"}}));
        constexpr ValueType types[] = {ValueType::f64, ValueType::i64, ValueType::boolean, ValueType::string,
                                       ValueType::f64};
        for (std::size_t c = 0; c < std::size(types); ++c)
            writer.define({"c" + std::to_string(c), types[c], c == 0 ? "V" : ""});
        Batch made;
        made.header.input = "host";
        for (std::size_t i = 0; i < 200; ++i) {
            time_ += static_cast<std::int64_t>(below(most_apart_us_)) - 20'000;
            append(writer, types);
            made.header.first_us = i == 0 ? time_ : std::min(made.header.first_us, time_);
            made.header.last_us = i == 0 ? time_ : std::max(made.header.last_us, time_);
            ++made.header.count;
        }
        made.body = writer.take(ReadingWriter::After::fresh);
        return made;
    }

    void append(ReadingWriter& writer, std::span<const ValueType> types) {
        const std::size_t first = below(types.size());
        std::vector<Value> values;
        for (std::size_t c = first; c < types.size(); ++c)
            values.push_back(value(static_cast<std::uint32_t>(c), types[c]));
        const TagView tag{"phase", "L1"};
        const bool tagged = below(4) == 0;
        const TimeBase base = below(4) == 0 ? TimeBase::wall : TimeBase::boot;
        writer.append({time_, base, values, std::span(&tag, tagged ? 1U : 0U)});
    }

    Value value(std::uint32_t channel, ValueType type) {
        switch (type) {
            case ValueType::f64:
                if (below(20) == 0) return Value::of(channel, std::numeric_limits<double>::infinity());
                return Value::of(channel, std::ldexp(static_cast<double>(random_()) - 2e9, -20));
            case ValueType::i64:
                return Value::of(channel, static_cast<std::int64_t>(random_()) - 2'000'000'000);
            case ValueType::boolean:
                return Value::of(channel, below(2) == 0);
            case ValueType::string:
                break;
        }
        return Value::of(channel, below(2) == 0 ? "idle" : "busy");
    }

    std::mt19937 random_;
    std::size_t most_apart_us_;
    std::int64_t time_ = -30 * second;
};

struct Total {
    std::int64_t readings = 0;
    std::map<std::string, std::int64_t> count;  // finite values by channel
};

std::vector<OwnedReading> read(const Batch& batch, std::vector<Channel>& channels) {
    const auto body = decode_body(batch.header.kind, batch.body);
    EXPECT_TRUE(body);
    ReadingReader reader;
    std::string error;
    auto readings = test::read_all(reader, body->stream, &error);
    EXPECT_EQ(error, "");
    channels = reader.channels();
    return readings;
}

Total total_of_source(const std::vector<Batch>& batches) {
    Total total;
    for (const Batch& batch : batches) {
        std::vector<Channel> channels;
        for (const OwnedReading& reading : read(batch, channels)) {
            ++total.readings;
            for (const auto& value : reading.values)
                if (value.type != ValueType::f64 || std::isfinite(std::bit_cast<double>(value.bits)))
                    ++total.count[channels[value.channel].name + ".count"];
        }
    }
    return total;
}

Total total_of_thinned(const std::vector<Batch>& batches) {
    Total total;
    for (const Batch& batch : batches) {
        std::vector<Channel> channels;
        for (const OwnedReading& reading : read(batch, channels)) {
            ++total.readings;
            for (const auto& value : reading.values)
                if (channels[value.channel].name.ends_with(".count"))
                    total.count[channels[value.channel].name] += static_cast<std::int64_t>(value.bits);
        }
        EXPECT_EQ(batch.header.count, total.readings);
    }
    return total;
}

TEST(ThinningProperty, CountsEveryFiniteValueOnce) {
    for (unsigned seed = 0; seed < seeds; ++seed) {
        const std::vector<Batch> batches = RandomInput(seed).batches(3);
        const auto made = thin(batches, 10s);
        ASSERT_TRUE(made) << seed;
        const Total before = total_of_source(batches);
        const Total after = total_of_thinned(*made);
        EXPECT_EQ(after.count, before.count) << seed;
        EXPECT_LT(after.readings, before.readings);
    }
}

TEST(ThinningProperty, KeepsTheMeanBetweenTheBounds) {
    for (unsigned seed = 0; seed < seeds; ++seed) {
        const auto made = thin(RandomInput(seed).batches(1), 10s);
        ASSERT_TRUE(made) << seed;
        std::vector<Channel> channels;
        for (const OwnedReading& reading : read(made->at(0), channels))
            for (std::size_t i = 0; i + 3 < reading.values.size(); ++i) {
                if (!channels[reading.values[i + 1].channel].name.ends_with(".min")) continue;
                const auto number = [&](std::size_t k) {
                    return std::bit_cast<double>(reading.values[i + k].bits);
                };
                if (reading.values[i + 3].bits == 0) continue;
                EXPECT_LE(number(1), number(0)) << seed;
                EXPECT_LE(number(0), number(2)) << seed;
            }
    }
}

// Values by the names of their channels: which are defined first depends on the way.
std::map<std::string, test::OwnedValue> by_name(const OwnedReading& reading,
                                                const std::vector<Channel>& channels) {
    std::map<std::string, test::OwnedValue> values;
    for (const auto& value : reading.values)
        values[channels[value.channel].name] = value;
    return values;
}

void expect_nearly_equal(const test::OwnedValue& a, const test::OwnedValue& b) {
    EXPECT_EQ(a.string, b.string);
    if (a.type != ValueType::f64) {
        EXPECT_EQ(a.bits, b.bits);
        return;
    }
    const double x = std::bit_cast<double>(a.bits);
    const double y = std::bit_cast<double>(b.bits);
    if (std::isnan(x))
        EXPECT_TRUE(std::isnan(y));
    else
        EXPECT_NEAR(x, y, 1e-9 * (1 + std::abs(x)));
}

TEST(ThinningProperty, IsTheSameInTwoStepsAsAtOnce) {
    for (unsigned seed = 0; seed < seeds; ++seed) {
        const std::vector<Batch> batches = RandomInput(seed, 60'000).batches(10);
        const auto fine = thin(batches, 1s, mebibytes(1));
        ASSERT_TRUE(fine) << seed;
        const auto twice = thin(*fine, 10s, mebibytes(1));
        const auto once = thin(batches, 10s, mebibytes(1));
        ASSERT_TRUE(twice && once) << seed;
        ASSERT_EQ(twice->size(), 1U);
        ASSERT_EQ(once->size(), 1U);
        EXPECT_EQ(twice->at(0).header.first_us, once->at(0).header.first_us);
        EXPECT_EQ(twice->at(0).header.last_us, once->at(0).header.last_us);
        std::vector<Channel> channels;
        std::vector<Channel> other_channels;
        const auto readings = read(twice->at(0), channels);
        const auto others = read(once->at(0), other_channels);
        ASSERT_EQ(readings.size(), others.size());
        for (std::size_t i = 0; i < readings.size(); ++i) {
            SCOPED_TRACE(seed * 1'000 + i);
            EXPECT_EQ(readings[i].time_us, others[i].time_us);
            EXPECT_EQ(readings[i].base, others[i].base);
            EXPECT_EQ(readings[i].tags, others[i].tags);
            const auto values = by_name(readings[i], channels);
            const auto other_values = by_name(others[i], other_channels);
            ASSERT_EQ(values.size(), other_values.size());
            for (const auto& [name, value] : values)
                expect_nearly_equal(value, other_values.at(name));
        }
    }
}

TEST(ThinningProperty, MakesFewerBytesAndNoMoreBatchesOrFails) {
    for (unsigned seed = 0; seed < seeds; ++seed)
        for (const auto step : thinning_steps) {
            const std::vector<Batch> batches = RandomInput(seed).batches(2);
            const auto made = thin(batches, step, Bytes{20'000});
            if (!made) {
                EXPECT_EQ(made.error().kind, Error::Kind::full);
                continue;
            }
            EXPECT_LE(made->size(), 2U);
            std::size_t bytes = 0;
            for (const Batch& batch : *made)
                bytes += batch.body.size();
            EXPECT_LT(bytes, batches[0].body.size() + batches[1].body.size());
        }
}

// --- damaged and hostile bodies

Batch with_stream(BatchKind kind, std::string_view stream) {
    Batch batch;
    batch.header.input = "host";
    batch.header.kind = kind;
    batch.body = kind == BatchKind::thinned ? encode_thinned_head({}, 1s) : encode_body_head(Tags{});
    batch.body += stream;
    return batch;
}

Error::Kind failure(const Batch& batch) {
    const auto made = thin(std::span(&batch, 1), 10s);
    return made ? Error::Kind::bug : made.error().kind;
}

TEST(HostileThinning, RefusesBodiesThatAreCutShort) {
    const Batch whole = RandomInput(1).batches(1)[0];
    ASSERT_TRUE(thin(std::span(&whole, 1), 10s));
    std::size_t failed = 0;
    for (std::size_t length = 0; length < whole.body.size(); ++length) {
        Batch cut = whole;
        cut.body.resize(length);
        const auto made = thin(std::span(&cut, 1), 10s);
        if (!made && made.error().kind == Error::Kind::corrupt) ++failed;
    }
    EXPECT_GT(failed, whole.body.size() / 2);  // what ends between two records is whole
}

TEST(HostileThinning, RefusesBatchesWithoutAReading) {
    EXPECT_EQ(failure(with_stream(BatchKind::readings, "")), Error::Kind::corrupt);
    EXPECT_EQ(failure(with_stream(BatchKind::thinned, "")), Error::Kind::corrupt);
}

// A thinned stream of one reading in these channels; numbers are given as doubles, cast to the type.
std::string stream_of(const std::vector<ValueType>& types, const std::vector<double>& numbers) {
    ReadingWriter writer;
    std::vector<Value> values;
    for (std::size_t i = 0; i < types.size(); ++i) {
        const auto channel = writer.define({"c" + std::to_string(i), types[i], ""});
        if (i == numbers.size()) continue;
        if (types[i] == ValueType::f64) values.push_back(Value::of(channel, numbers[i]));
        if (types[i] == ValueType::i64)
            values.push_back(Value::of(channel, static_cast<std::int64_t>(numbers[i])));
        if (types[i] == ValueType::boolean) values.push_back(Value::of(channel, numbers[i] != 0));
    }
    for (int i = 0; i < 50; ++i)
        writer.append({i, TimeBase::boot, values, {}});
    return writer.take(ReadingWriter::After::fresh);
}

TEST(HostileThinning, RefusesChannelsThatAreNoGroups) {
    const auto f = ValueType::f64;
    const auto i = ValueType::i64;
    const auto b = ValueType::boolean;
    const auto thinned = [](const std::vector<ValueType>& types, const std::vector<double>& numbers) {
        return failure(with_stream(BatchKind::thinned, stream_of(types, numbers)));
    };
    EXPECT_EQ(thinned({f, f, f, i, b, i}, {2, 1, 3, 5, 1, 5}), Error::Kind::bug) << "this one is sound";
    EXPECT_EQ(thinned({i, f, f, f}, {5, 1, 1, 1}), Error::Kind::corrupt);
    EXPECT_EQ(thinned({f, f, f, f}, {1, 1, 1, 1}), Error::Kind::corrupt);
    EXPECT_EQ(thinned({f, f, i, i}, {1, 1, 1, 1}), Error::Kind::corrupt);
    EXPECT_EQ(thinned({f, f, f}, {1, 1, 1}), Error::Kind::corrupt);
    EXPECT_EQ(thinned({b, b}, {1, 1}), Error::Kind::corrupt);
    EXPECT_EQ(thinned({b, i}, {1}), Error::Kind::corrupt) << "a group without its count";
}

TEST(HostileThinning, RefusesNumbersThatCanNotBe) {
    const auto f = ValueType::f64;
    const auto i = ValueType::i64;
    const auto b = ValueType::boolean;
    const double nan = std::numeric_limits<double>::quiet_NaN();
    const double infinity = std::numeric_limits<double>::infinity();
    const auto number = [&](double mean, double min, double max, double count) {
        return failure(with_stream(BatchKind::thinned, stream_of({f, f, f, i}, {mean, min, max, count})));
    };
    EXPECT_EQ(number(2, 1, 3, 4), Error::Kind::bug) << "this one is sound";
    EXPECT_EQ(number(nan, nan, nan, 0), Error::Kind::bug) << "and this";
    EXPECT_EQ(number(2, 1, 3, -4), Error::Kind::corrupt);
    EXPECT_EQ(number(4, 1, 3, 4), Error::Kind::corrupt);
    EXPECT_EQ(number(0, 1, 3, 4), Error::Kind::corrupt);
    EXPECT_EQ(number(nan, 1, 3, 4), Error::Kind::corrupt);
    EXPECT_EQ(number(2, -infinity, 3, 4), Error::Kind::corrupt);
    EXPECT_EQ(number(2, 1, infinity, 4), Error::Kind::corrupt);
    EXPECT_EQ(number(2, 1, 3, 0x1p62), Error::Kind::corrupt) << "50 of these overflow the count";
    EXPECT_EQ(failure(with_stream(BatchKind::thinned, stream_of({b, i}, {1, 0}))), Error::Kind::corrupt);
}

TEST(HostileThinning, TakesTimesAtTheEndsOfTheirRange) {
    for (const auto time :
         {std::numeric_limits<std::int64_t>::min(), std::numeric_limits<std::int64_t>::max()})
        for (const auto offset :
             {std::numeric_limits<std::int64_t>::min(), std::numeric_limits<std::int64_t>::max()})
            for (const auto base : {TimeBase::boot, TimeBase::wall}) {
                BatchMaker maker("host");
                maker.wall_offset_us(offset);
                const auto x = maker.channel("x", ValueType::f64);
                for (int i = 0; i < 50; ++i)
                    maker.add({time, base, {}, {}}, {Value::of(x, i * 0.1)});
                auto once = thin(std::vector{maker.batch(1)}, 1s);
                ASSERT_TRUE(once);
                const std::vector<Batch> two{once->at(0), once->at(0)};
                EXPECT_TRUE(thin(two, 10s));
            }
}

TEST(HostileThinning, FailsOrKeepsTheRulesWhateverBytesChange) {
    std::mt19937 random(7);
    const Batch raw = RandomInput(3).batches(1)[0];
    const Batch once = thin(std::span(&raw, 1), 10s).value().at(0);
    for (const Batch* source : {&raw, &once})
        for (int round = 0; round < 3'000; ++round) {
            Batch changed = *source;
            for (std::size_t i = random() % 4 + 1; i > 0; --i)
                changed.body[random() % changed.body.size()] = static_cast<char>(random());
            const auto made = thin(std::span(&changed, 1), 1min);
            if (!made) continue;
            (void)total_of_thinned(*made);
        }
}

TEST(Mergeable, TakesBatchesOfOneInputBootClockAndTags) {
    const auto with = [](const Tags& tags) {
        BatchMaker maker("host", tags);
        maker.add(0, {Value::of(maker.channel("x", ValueType::f64), 1.0)});
        return maker.batch(1);
    };
    const Batch a = with({{"site", "plant-3"}});
    EXPECT_TRUE(mergeable(a, a));
    EXPECT_FALSE(mergeable(a, with({})));
    EXPECT_FALSE(mergeable(with({}), a));
    EXPECT_FALSE(mergeable(a, with({{"site", "plant-4"}})));
    EXPECT_FALSE(mergeable(a, with({{"site", "plant-3"}, {"room", "b2"}})));
    EXPECT_FALSE(mergeable(with({{"site", "plant-3"}, {"room", "b2"}}), a));
}

TEST(Mergeable, ComparesTheHeaders) {
    const Batch a = test::simple_batch(1);
    const auto merges = [&](auto change) {
        Batch b = a;
        change(b);
        return mergeable(a, b) && mergeable(b, a);
    };
    EXPECT_TRUE(merges([](Batch& b) { b.header.seq = 2, b.header.last_us = 99; }));
    EXPECT_TRUE(merges([](Batch& b) { b.header.kind = BatchKind::thinned; }));
    EXPECT_FALSE(merges([](Batch& b) { b.header.kind = BatchKind::gap; }));
    EXPECT_FALSE(merges([](Batch& b) { b.header.input = "other"; }));
    EXPECT_FALSE(merges([](Batch& b) { b.header.priority = Priority::low; }));
    EXPECT_FALSE(merges([](Batch& b) { b.header.boot[0] = 1; }));
    EXPECT_FALSE(merges([](Batch& b) { b.header.clock = ClockState::corrected; }));
    EXPECT_TRUE(merges([](Batch& b) { b.header.wall_offset_us += 100'000; }));
    EXPECT_FALSE(merges([](Batch& b) { b.header.wall_offset_us += 100'001; }));
    EXPECT_FALSE(
        merges([](Batch& b) { b.header.wall_offset_us = std::numeric_limits<std::int64_t>::min(); }));
    EXPECT_FALSE(merges([](Batch& b) { b.body.clear(); }));
}

}  // namespace
}  // namespace holdfast
