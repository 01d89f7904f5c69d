#include "pipeline/pipeline.hpp"

#include <gtest/gtest.h>

#include "forward/payload.hpp"
#include "support/fake_clock.hpp"

namespace holdfast {
namespace {

using namespace std::chrono_literals;

InputConfig input_named(const std::string& name) {
    InputConfig input;
    input.name = name;
    input.plugin = "simulator";
    return input;
}

// A pipeline whose batches are caught, and a stream of one f64 channel "value" to feed it with.
class PipelineTest : public ::testing::Test {
  protected:
    void make(const BatchConfig& limits, const Tags& agent_tags = {}) {
        AgentConfig agent;
        agent.id = "gw";
        agent.tags = agent_tags;
        pipeline_ = std::make_unique<Pipeline>(agent, limits, clock_,
                                               [this](Batch b) { closed_.push_back(std::move(b)); });
        pipeline_->configure({input_named("a"), input_named("b")});
    }

    void feed(const std::string& input, double number) {
        const Value value = Value::of(0, number);
        pipeline_->accept(input, {clock_.boot_us(), TimeBase::boot, {&value, 1}, {}}, channels_);
    }

    static std::vector<double> numbers(const Batch& batch) {
        const auto body = decode_body(batch.header.kind, batch.body);
        EXPECT_TRUE(body);
        ReadingReader reader;
        reader.feed(body->stream);
        std::vector<double> found;
        while (reader.next().value())
            found.push_back(reader.reading().values[0].f64);
        return found;
    }

    test::FakeClock clock_;
    std::vector<Channel> channels_ = {{"value", ValueType::f64, "Cel"}};
    std::vector<Batch> closed_;
    std::unique_ptr<Pipeline> pipeline_;
};

TEST_F(PipelineTest, ClosesABatchAtMaxReadings) {
    make({.max_readings = 3});
    for (int i = 0; i < 7; ++i)
        feed("a", i);
    ASSERT_EQ(closed_.size(), 2u);
    EXPECT_EQ(numbers(closed_[0]), (std::vector<double>{0, 1, 2}));
    EXPECT_EQ(numbers(closed_[1]), (std::vector<double>{3, 4, 5}));
    EXPECT_EQ(closed_[1].header.count, 3u);
    EXPECT_EQ(pipeline_->open_readings(), 1u);
}

TEST_F(PipelineTest, ClosesABatchWhenATenthOfMaxDelayIsLeftForTheWay) {
    make({.max_delay = 1s});
    feed("a", 1);
    clock_.advance(600ms);
    feed("a", 2);
    EXPECT_EQ(pipeline_->step(), clock_.now() + 300ms);
    EXPECT_TRUE(closed_.empty());
    clock_.advance(300ms);
    EXPECT_EQ(pipeline_->step(), std::nullopt);
    ASSERT_EQ(closed_.size(), 1u);
    EXPECT_EQ(numbers(closed_[0]), (std::vector<double>{1, 2}));
}

TEST_F(PipelineTest, WithNoDelayWhatArrivedTogetherLeavesAtTheNextStep) {
    make({.max_delay = 0s});
    feed("a", 1);
    feed("a", 2);
    EXPECT_TRUE(closed_.empty());
    EXPECT_EQ(pipeline_->step(), std::nullopt);
    ASSERT_EQ(closed_.size(), 1u);
    EXPECT_EQ(numbers(closed_[0]).size(), 2u);
}

TEST_F(PipelineTest, TheLongestWaitClosesAllBatchesTogether) {
    make({.max_delay = 10s});
    pipeline_->set_longest_wait(1s);
    feed("a", 1);
    clock_.advance(900ms);
    feed("b", 2);
    EXPECT_EQ(pipeline_->step(), clock_.now() + 100ms);
    clock_.advance(100ms);
    pipeline_->step();
    ASSERT_EQ(closed_.size(), 2u);
    EXPECT_EQ(closed_[0].header.input, "a");
    EXPECT_EQ(closed_[1].header.input, "b");
}

TEST_F(PipelineTest, MakesMessagesThatTheBrokerTakes) {
    make({.max_readings = 1000, .max_delay = 10s});
    const auto payload_of = [](const Batch& batch) {
        return PayloadEncoder({"gw", 1, TimestampUnit::nanoseconds})
            .encode(batch.header, *decode_body(batch.header.kind, batch.body))
            ->json;
    };
    pipeline_->set_message_limit(500);
    pipeline_->configure({input_named("a"), input_named("b"), input_named("c")});
    for (const char* input : {"a", "c"}) {
        for (int i = 0; i < 20; ++i)
            feed(input, i);
        pipeline_->flush();
        ASSERT_GT(closed_.size(), 2u);
        for (const Batch& batch : closed_)
            EXPECT_LE(payload_of(batch).size(), 500u);
        closed_.clear();
    }
    pipeline_->set_message_limit(no_message_limit);
    for (int i = 0; i < 20; ++i)
        feed("a", i);
    pipeline_->flush();
    EXPECT_EQ(closed_.size(), 1u);
}

TEST_F(PipelineTest, AMessageNeverGrowsBeyondMaxBytes) {
    make({.max_readings = 1000, .max_bytes = Bytes{1500}}, {{"site", "north \"gate\""}});
    channels_ = {{"text \"quoted\"", ValueType::string, ""}, {"number", ValueType::f64, ""}};
    const std::string text(37, '\x1f');  // each byte takes six in JSON
    for (int i = 0; i < 100; ++i) {
        const Value values[] = {Value::of(0, std::string_view(text)), Value::of(1, -1.2345678901234567e-300)};
        pipeline_->accept("a", {clock_.boot_us(), TimeBase::boot, values, {}}, channels_);
    }
    pipeline_->flush();
    PayloadEncoder encoder({"gw", 0xFFFF'FFFF'FFFF'FFFF, TimestampUnit::nanoseconds});
    std::size_t readings = 0;
    for (Batch& batch : closed_) {
        batch.header.seq = UINT64_MAX;
        const auto payload = encoder.encode(batch.header, *decode_body(batch.header.kind, batch.body));
        ASSERT_TRUE(payload);
        EXPECT_LE(payload->json.size(), 1500u);
        EXPECT_GT(payload->json.size(), 900u);  // the bound is not met by sending crumbs
        readings += batch.header.count;
    }
    EXPECT_EQ(readings, 100u);
}

TEST_F(PipelineTest, AReadingLargerThanMaxBytesTravelsAlone) {
    make({.max_bytes = Bytes{200}});
    channels_ = {{"text", ValueType::string, ""}};
    const std::string text(1000, 'x');
    for (int i = 0; i < 3; ++i) {
        const Value value = Value::of(0, std::string_view(text));
        pipeline_->accept("a", {clock_.boot_us(), TimeBase::boot, {&value, 1}, {}}, channels_);
    }
    pipeline_->flush();
    ASSERT_EQ(closed_.size(), 3u);
    EXPECT_EQ(closed_[0].header.count, 1u);
}

TEST_F(PipelineTest, TagsOfTheInputWinOverTheAgents) {
    make({}, {{"site", "plant"}, {"room", "hall"}});
    InputConfig input = input_named("a");
    input.tags = {{"room", "b2"}};
    pipeline_->configure({input});
    feed("a", 1);
    pipeline_->flush();
    ASSERT_EQ(closed_.size(), 1u);
    const auto body = decode_body(closed_[0].header.kind, closed_[0].body);
    ASSERT_TRUE(body);
    ASSERT_EQ(body->tags.size(), 2u);
    EXPECT_EQ(body->tags[0].key, "room");
    EXPECT_EQ(body->tags[0].value, "b2");
    EXPECT_EQ(body->tags[1].value, "plant");
}

TEST_F(PipelineTest, HeaderTellsTimesClockAndPriority) {
    make({});
    InputConfig input = input_named("a");
    input.priority = Priority::high;
    pipeline_->configure({input});
    const std::int64_t begun = clock_.boot_us();
    feed("a", 1);
    clock_.advance(5s);
    clock_.set_wall_us(1'000'000'000'000'000);
    clock_.set_synchronised(false);
    feed("a", 2);
    pipeline_->flush();
    ASSERT_EQ(closed_.size(), 1u);
    const BatchHeader& header = closed_[0].header;
    EXPECT_EQ(header.priority, Priority::high);
    EXPECT_EQ(header.first_us, begun);
    EXPECT_EQ(header.last_us, begun + 5'000'000);
    EXPECT_EQ(header.last_us + header.wall_offset_us,
              1'000'000'000'000'000);  // the clock as known at the end
    EXPECT_EQ(header.clock, ClockState::unsynchronised);
    EXPECT_EQ(header.arrived, clock_.now() - 5s);
}

TEST_F(PipelineTest, ABatchOverWhichTheClockIsSetCountsAsCorrected) {
    clock_.set_synchronised(false);
    make({});
    feed("a", 1);
    clock_.set_synchronised(true);
    clock_.set_wall_us(1'795'371'137'123'000);
    pipeline_->flush();
    feed("a", 1);
    pipeline_->flush();
    ASSERT_EQ(closed_.size(), 2u);
    EXPECT_EQ(closed_[0].header.clock, ClockState::corrected);
    EXPECT_EQ(closed_[0].header.first_us + closed_[0].header.wall_offset_us, 1'795'371'137'123'000);
    EXPECT_EQ(closed_[1].header.clock, ClockState::synchronised);
}

TEST_F(PipelineTest, ANewStreamNumbersItsChannelsAnew) {
    make({});
    feed("a", 1);
    pipeline_->begin_stream("a");
    const std::vector<Channel> after_restart = {{"other", ValueType::i64, ""},
                                                {"value", ValueType::f64, "Cel"}};
    const Value value = Value::of(1, 2.0);
    pipeline_->accept("a", {clock_.boot_us(), TimeBase::boot, {&value, 1}, {}}, after_restart);
    pipeline_->flush();
    ASSERT_EQ(closed_.size(), 2u);
    EXPECT_EQ(numbers(closed_[0]), std::vector<double>{1});
    const auto body = decode_body(closed_[1].header.kind, closed_[1].body);
    ReadingReader reader;
    reader.feed(body->stream);
    ASSERT_TRUE(reader.next().value());
    EXPECT_EQ(reader.channels()[reader.reading().values[0].channel].name, "value");
    EXPECT_EQ(reader.reading().values[0].f64, 2.0);
}

TEST_F(PipelineTest, AChangedOrRemovedInputLosesNothingOfItsOpenBatch) {
    make({});
    feed("a", 1);
    feed("b", 2);
    InputConfig changed = input_named("a");
    changed.tags = {{"room", "b2"}};
    pipeline_->configure({changed});
    EXPECT_EQ(closed_.size(), 2u);
    feed("b", 3);  // a late frame of an input that is gone
    EXPECT_EQ(pipeline_->open_readings(), 0u);
}

TEST_F(PipelineTest, AnUnchangedInputKeepsItsOpenBatchOverAReload) {
    make({});
    feed("a", 1);
    pipeline_->configure({input_named("a"), input_named("c")});
    EXPECT_TRUE(closed_.empty());
    EXPECT_EQ(pipeline_->open_readings(), 1u);
}

}  // namespace
}  // namespace holdfast
