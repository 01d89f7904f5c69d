#include "forward/payload.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <nlohmann/json.hpp>

#include "model/thinning.hpp"
#include "support/make_batch.hpp"

namespace holdfast {
namespace {

using nlohmann::json;
using test::BatchMaker;

constexpr std::uint64_t epoch = 0x5f0c1d2e9a7b4c31;

PayloadEncoder encoder(TimestampUnit unit = TimestampUnit::milliseconds) {
    return PayloadEncoder({"gw-17", epoch, unit});
}

Result<PayloadEncoder::Payload> encode(PayloadEncoder& with, const Batch& batch) {
    const auto body = decode_body(batch.header.kind, batch.body);
    if (!body) return body.error();
    return with.encode(batch.header, *body);
}

std::string encode(const Batch& batch, TimestampUnit unit = TimestampUnit::milliseconds) {
    PayloadEncoder with = encoder(unit);
    return encode(with, batch).value().json;
}

TEST(Payload, IsTheMessageOfTheContract) {
    BatchMaker maker("host", {{"site", "plant-3"}, {"room", "b2"}});
    const auto cpu = maker.channel("cpu.usage", ValueType::f64);
    const auto memory = maker.channel("memory.used", ValueType::i64);
    maker.wall_offset_us(1'795'371'137'000'000);
    maker.add(123'456, {Value::of(cpu, 3.1), Value::of(memory, std::int64_t{1'236'992'000})});
    EXPECT_EQ(
        encode(maker.batch(812)),
        R"({"agent":"gw-17","input":"host","id":"5f0c1d2e9a7b4c31-812","tags":{"site":"plant-3","room":"b2"},)"
        R"("readings":[{"ts":1795371137123,"values":{"cpu.usage":3.1,"memory.used":1236992000}}]})");
}

TEST(Payload, OmitsTagsWhereThereAreNone) {
    BatchMaker maker("host");
    const auto channel = maker.channel("value", ValueType::boolean);
    maker.add(1'000, {Value::of(channel, true)});
    maker.add(2'000, {Value::of(channel, false)});
    EXPECT_EQ(encode(maker.batch(1)),
              R"({"agent":"gw-17","input":"host","id":"5f0c1d2e9a7b4c31-1",)"
              R"("readings":[{"ts":1,"values":{"value":true}},{"ts":2,"values":{"value":false}}]})");
}

TEST(Payload, PutsTheTagsOfAReadingBesideItsTime) {
    BatchMaker maker("meter");
    const auto channel = maker.channel("v", ValueType::i64);
    const TagView tag{"phase", "L1"};
    maker.add(Reading{5'000, TimeBase::boot, {}, {&tag, 1}}, {Value::of(channel, std::int64_t{7})});
    EXPECT_EQ(json::parse(encode(maker.batch(1)))["readings"][0],
              json::parse(R"({"ts":5,"tags":{"phase":"L1"},"values":{"v":7}})"));
}

TEST(Payload, WritesAGapAsTheContractHasIt) {
    Batch gap;
    gap.header = {.seq = 9,
                  .input = "host",
                  .kind = BatchKind::gap,
                  .count = 123,
                  .first_us = 1'000'000,
                  .last_us = 2'999'999};
    gap.header.wall_offset_us = 1'795'371'137'000'000;
    gap.header.clock = ClockState::synchronised;
    gap.body = encode_gap_body({{"site", "plant-3"}}, GapReason::max_size);
    EXPECT_EQ(encode(gap),
              R"({"agent":"gw-17","input":"host","id":"5f0c1d2e9a7b4c31-9",)"
              R"("gap":{"from":1795371138000,"to":1795371139999,"readings":123,"reason":"max_size"}})");
}

TEST(Payload, SaysWhenTheTimesWereCorrectedOrCanNotBeTrusted) {
    BatchMaker maker("host");
    maker.add(1'000, {Value::of(maker.channel("value", ValueType::boolean), true)});
    Batch batch = maker.batch(1);
    const auto clock_of = [&](ClockState state) {
        batch.header.clock = state;
        return json::parse(encode(batch)).value("clock", "");
    };
    EXPECT_EQ(clock_of(ClockState::synchronised), "");
    EXPECT_EQ(clock_of(ClockState::corrected), "corrected");
    EXPECT_EQ(clock_of(ClockState::unsynchronised), "unsynchronised");
    EXPECT_EQ(clock_of(ClockState::sent_unsynchronised), "unsynchronised");
}

TEST(Payload, NamesTheMessageByAnotherSeqWhenTheBatchTookThePlaceOfOthers) {
    BatchMaker maker("host");
    maker.add(1'000, {Value::of(maker.channel("value", ValueType::boolean), true)});
    Batch batch = maker.batch(7);
    batch.header.message_seq = 1'000'001;
    EXPECT_EQ(json::parse(encode(batch))["id"], "5f0c1d2e9a7b4c31-1000001");
}

// Ten readings a second, for a minute.
Batch minute() {
    BatchMaker maker("host", {{"site", "plant-3"}});
    const auto x = maker.channel("x", ValueType::f64);
    const auto state = maker.channel("state", ValueType::string);
    for (int i = 0; i < 600; ++i)
        maker.add(i * 100'000, {Value::of(x, 0.5 * i), Value::of(state, i < 300 ? "idle" : "busy")});
    return maker.batch(812);
}

TEST(Payload, SaysOfThinnedReadingsByWhichStep) {
    const Batch batch = minute();
    auto made = thin(std::span(&batch, 1), std::chrono::seconds(10)).value();
    made[0].header.seq = 812;
    const std::string message = encode(made[0]);
    EXPECT_TRUE(message.starts_with(
        R"({"agent":"gw-17","input":"host","id":"5f0c1d2e9a7b4c31-812","tags":{"site":"plant-3"},"thinned":"10s",)"
        R"("readings":[{"ts":0,"values":{"x":24.75,"x.min":0,"x.max":49.5,"x.count":100,)"
        R"("state":"idle","state.count":100}},{"ts":10000,)"))
        << message;
    EXPECT_EQ(json::parse(message)["readings"].size(), 6U);
}

TEST(Payload, WritesEachStepAsTheConfigurationWouldHaveIt) {
    const Batch source = minute();
    const std::string stream(decode_body(BatchKind::readings, source.body)->stream);
    std::vector<std::string> steps;
    for (const std::chrono::seconds step : thinning_steps) {
        Batch batch = source;
        batch.header.kind = BatchKind::thinned;
        batch.body = encode_thinned_head({}, step) + stream;
        steps.push_back(json::parse(encode(batch))["thinned"]);
    }
    EXPECT_EQ(steps, (std::vector<std::string>{"1s", "10s", "1m", "10m", "1h", "6h", "1d"}));
}

TEST(Payload, StaysWithinTheSizeThatBatchesAreThinnedFor) {
    constexpr std::size_t most = 2'000;
    const std::vector<Batch> batches(10, minute());
    const auto made = thin(batches, std::chrono::seconds(1), Bytes{most}).value();
    EXPECT_GT(made.size(), 3U);
    std::size_t largest = 0;
    for (const Batch& batch : made)
        largest = std::max(largest, encode(batch).size());
    EXPECT_LE(largest, most);
    EXPECT_GT(largest, most / 3) << "the estimate is far from the truth";
}

TEST(Payload, GivesABatchThatIsSentAgainTheSameBytes) {
    BatchMaker maker("host", {{"a", "b"}});
    const auto channel = maker.channel("x", ValueType::f64);
    const auto other = maker.channel("y", ValueType::string);
    for (int i = 0; i < 50; ++i)
        maker.add(i * 1'000, {Value::of(channel, i * 0.1), Value::of(other, "text")});
    const Batch batch = maker.batch(77);
    PayloadEncoder with = encoder();
    const std::string once = encode(with, batch).value().json;
    BatchMaker between("other");
    const auto third = between.channel("z", ValueType::i64);
    between.add(1, {Value::of(third, std::int64_t{1})});
    (void)encode(with, between.batch(78));
    EXPECT_EQ(encode(with, batch).value().json, once);
    EXPECT_EQ(encode(batch), once);
}

TEST(Payload, WritesTimesInEachUnitRoundedDown) {
    constexpr std::int64_t time = 1'795'371'137'123'456;
    EXPECT_EQ(to_timestamp(time, TimestampUnit::seconds), 1'795'371'137);
    EXPECT_EQ(to_timestamp(time, TimestampUnit::milliseconds), 1'795'371'137'123);
    EXPECT_EQ(to_timestamp(time, TimestampUnit::microseconds), time);
    EXPECT_EQ(to_timestamp(time, TimestampUnit::nanoseconds), 1'795'371'137'123'456'000);
    EXPECT_EQ(to_timestamp(-1, TimestampUnit::milliseconds), -1);
    EXPECT_EQ(to_timestamp(-1'000, TimestampUnit::milliseconds), -1);
    EXPECT_EQ(to_timestamp(0, TimestampUnit::nanoseconds), 0);
}

TEST(Payload, KeepsTimesThatNoUnitHoldsWithinItsRange) {
    constexpr auto most = std::numeric_limits<std::int64_t>::max();
    constexpr auto least = std::numeric_limits<std::int64_t>::min();
    EXPECT_EQ(to_timestamp(most, TimestampUnit::nanoseconds), most);
    EXPECT_EQ(to_timestamp(least, TimestampUnit::nanoseconds), least);
    BatchMaker maker("host");
    maker.wall_offset_us(most);
    const auto channel = maker.channel("v", ValueType::i64);
    maker.add(most, {Value::of(channel, std::int64_t{0})});
    EXPECT_EQ(json::parse(encode(maker.batch(1), TimestampUnit::microseconds))["readings"][0]["ts"], most);
}

TEST(Payload, CorrectsBootTimesByTheOffsetAndLeavesWallTimesAlone) {
    BatchMaker maker("host");
    maker.wall_offset_us(1'000'000'000);
    const auto channel = maker.channel("v", ValueType::i64);
    maker.add(Reading{5'000, TimeBase::boot, {}, {}}, {Value::of(channel, std::int64_t{0})});
    maker.add(Reading{7'000, TimeBase::wall, {}, {}}, {Value::of(channel, std::int64_t{0})});
    const json readings = json::parse(encode(maker.batch(1)))["readings"];
    EXPECT_EQ(readings[0]["ts"], 1'000'005);
    EXPECT_EQ(readings[1]["ts"], 7);
}

TEST(Payload, SendsNonFiniteNumbersAsNullAndCountsThem) {
    BatchMaker maker("host");
    const auto channel = maker.channel("v", ValueType::f64);
    for (const double value :
         {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity(),
          -std::numeric_limits<double>::infinity(), 1.5})
        maker.add(0, {Value::of(channel, value)});
    PayloadEncoder with = encoder();
    const auto payload = encode(with, maker.batch(1)).value();
    EXPECT_EQ(payload.non_finite, 3U);
    const json readings = json::parse(payload.json)["readings"];
    for (std::size_t i = 0; i < 3; ++i)
        EXPECT_TRUE(readings[i]["values"]["v"].is_null());
    EXPECT_EQ(readings[3]["values"]["v"], 1.5);
    EXPECT_EQ(encode(with, maker.batch(1)).value().non_finite, 3U) << "counted by message";
}

TEST(Payload, KeepsNumbersToTheLastBit) {
    BatchMaker maker("host");
    const auto real = maker.channel("real", ValueType::f64);
    const auto whole = maker.channel("whole", ValueType::i64);
    const std::vector<double> reals{0.1,
                                    -0.0,
                                    1e22,
                                    5e-324,
                                    std::numeric_limits<double>::max(),
                                    std::numeric_limits<double>::min(),
                                    1 / 3.,
                                    123456789.125,
                                    -2.2250738585072014e-308};
    const std::vector<std::int64_t> wholes{0, -1, std::numeric_limits<std::int64_t>::max(),
                                           std::numeric_limits<std::int64_t>::min()};
    for (std::size_t i = 0; i < reals.size(); ++i)
        maker.add(0, {Value::of(real, reals[i]), Value::of(whole, wholes[i % wholes.size()])});
    const json readings = json::parse(encode(maker.batch(1)))["readings"];
    ASSERT_EQ(readings.size(), reals.size());
    for (std::size_t i = 0; i < reals.size(); ++i) {
        const double back = readings[i]["values"]["real"].get<double>();
        EXPECT_EQ(std::bit_cast<std::uint64_t>(back), std::bit_cast<std::uint64_t>(reals[i])) << reals[i];
        EXPECT_EQ(readings[i]["values"]["whole"].get<std::int64_t>(), wholes[i % wholes.size()]);
    }
}

TEST(Payload, EscapesTextSoThatItReadsBackUnchanged) {
    std::string text;
    for (char c = 0; c < 0x7F; ++c)
        text += c;
    text += "\x7F grün \xE2\x82\xAC \xF0\x9F\x8C\x8A \xE2\x80\xA8";
    BatchMaker maker("in\"put\\", {{"k\"ey", "v\\alue"}});
    const auto channel = maker.channel("na\"me\\", ValueType::string);
    maker.add(0, {Value::of(channel, std::string_view(text))});
    maker.add(0, {Value::of(channel, std::string_view())});
    const json message = json::parse(encode(maker.batch(1)));
    EXPECT_EQ(message["input"], "in\"put\\");
    EXPECT_EQ(message["tags"]["k\"ey"], "v\\alue");
    EXPECT_EQ(message["readings"][0]["values"]["na\"me\\"], text);
    EXPECT_EQ(message["readings"][1]["values"]["na\"me\\"], "");
}

TEST(Payload, FollowsAShapeThatChangesFromReadingToReading) {
    BatchMaker maker("host");
    const auto a = maker.channel("a", ValueType::i64);
    maker.add(0, {Value::of(a, std::int64_t{1})});
    const auto b = maker.channel("b", ValueType::string);
    maker.add(0, {Value::of(b, "x"), Value::of(a, std::int64_t{2})});
    maker.add(0, {Value::of(b, "y")});
    const json readings = json::parse(encode(maker.batch(1)))["readings"];
    EXPECT_EQ(readings[0]["values"], json::parse(R"({"a":1})"));
    EXPECT_EQ(readings[1]["values"], json::parse(R"({"a":2,"b":"x"})"));
    EXPECT_EQ(readings[2]["values"], json::parse(R"({"b":"y"})"));
}

TEST(Payload, RefusesADamagedBodyInsteadOfSendingHalfOfIt) {
    BatchMaker maker("host");
    const auto channel = maker.channel("v", ValueType::f64);
    maker.add(1'234'567, {Value::of(channel, 0.3)});
    Batch batch = maker.batch(1);
    batch.body.pop_back();
    PayloadEncoder with = encoder();
    const auto payload = encode(with, batch);
    ASSERT_FALSE(payload);
    EXPECT_EQ(payload.error().kind, Error::Kind::corrupt);
}

TEST(Payload, SaysOnlineWithTheBacklogAndOfflineWithout) {
    const PayloadIdentity identity{"gw-17", epoch, TimestampUnit::seconds};
    EXPECT_EQ(status_payload(identity, AgentState::online, "1.2.3", 1'795'371'137'999'999, {}),
              R"({"agent":"gw-17","state":"online","version":"1.2.3","since":1795371137,)"
              R"("buffer":{"readings":0,"oldest_age_s":null,"drain_rate":0,"empty_in_s":null}})");
    const Backlog backlog{1'000, 900, 3'600, 480.5, 2};
    EXPECT_EQ(json::parse(status_payload(identity, AgentState::online, "1.2.3", 0, backlog))["buffer"],
              json::parse(R"({"readings":1000,"oldest_age_s":3600,"drain_rate":480.5,"empty_in_s":2})"));
    EXPECT_EQ(status_payload(identity, AgentState::offline, "1.2.3", 1'795'371'137'999'999, {}),
              R"({"agent":"gw-17","state":"offline","version":"1.2.3","since":1795371137})");
}

TEST(MessageId, HasSixteenHexDigitsAndTheSequenceNumber) {
    EXPECT_EQ(message_id(0x1, 7), "0000000000000001-7");
    EXPECT_EQ(message_id(~0ULL, ~0ULL), "ffffffffffffffff-18446744073709551615");
}

}  // namespace
}  // namespace holdfast
