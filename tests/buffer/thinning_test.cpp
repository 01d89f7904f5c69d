// When the buffer is full and set to `thin`: coarser before gone.
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "buffer/support.hpp"
#include "support/make_batch.hpp"

namespace holdfast::test {
namespace {

constexpr std::int64_t start_us = 3'600'000'000;

BufferConfig thinning_config() {
    BufferConfig config;
    config.max_size = mebibytes(1);
    config.when_full = WhenFull::thin;
    return config;
}

// Batches of ten readings a second, each a number that counts up, from number `first` on.
Batch fast_batch(int first, int count, const std::string& input = "in",
                 Priority priority = Priority::normal) {
    BatchMaker maker(input);
    const std::uint32_t channel = maker.channel("value", ValueType::f64);
    const std::uint32_t noise = maker.channel("noise", ValueType::f64);
    for (int i = first; i < first + count; ++i)
        maker.add(start_us + std::int64_t{i} * 100'000,
                  {Value::of(channel, static_cast<double>(i)),
                   Value::of(noise, 0.1 * static_cast<double>(std::int64_t{i} * 7919 % 1000))});
    Batch batch = maker.batch(0);
    batch.header.priority = priority;
    return batch;
}

// What a consumer makes of the readings: how many of the original ones each stands for.
struct Consumed {
    std::uint64_t readings = 0;
    double counted = 0;  // originals
    double sum = 0;      // of them
    std::map<std::int64_t, std::uint64_t> batches_by_step;
    std::vector<std::int64_t> times;

    void add(const Batch& batch) {
        const auto body = decode_body(batch.header.kind, batch.body);
        ASSERT_TRUE(body);
        batches_by_step[body->step.count()] += 1;
        ReadingReader reader;
        reader.feed(body->stream);
        for (auto more = reader.next(); more && *more; more = reader.next()) {
            const Reading& reading = reader.reading();
            const double value = reading.values[0].f64;
            const double count =
                batch.header.kind == BatchKind::thinned ? static_cast<double>(reading.values[3].i64) : 1;
            readings += 1;
            counted += count;
            sum += value * count;
            times.push_back(reading.time_us);
            if (batch.header.kind != BatchKind::thinned) continue;
            EXPECT_LE(reading.values[1].f64, value);
            EXPECT_GE(reading.values[2].f64, value);
        }
    }
};

int fill(BufferInDirectory& test, int batches, int first = 0) {
    for (int i = 0; i < batches; ++i) {
        test.append(fast_batch(first + i * 100, 100));
        if (i % 20 == 0) test.pass(test.config.commit_interval);
    }
    test.pass(test.config.commit_interval);
    return first + batches * 100;
}

Consumed consume(BufferInDirectory& test) {
    Consumed consumed;
    test.buffer->set_link(true);
    std::set<std::uint64_t> ids;
    while (auto batch = test.buffer->peek()) {
        EXPECT_TRUE(ids.insert(seq_of_message(batch->header)).second) << "an id twice";
        if (batch->header.kind != BatchKind::gap) consumed.add(*batch);
        test.buffer->ack(batch->header.seq);
    }
    return consumed;
}

TEST(BufferThinning, MakesTheOldestCoarserAndDropsNothing) {
    BufferInDirectory test(thinning_config());
    const int total = fill(test, 3'000);
    const BufferStatus status = test.buffer->status();
    EXPECT_EQ(status.dropped_readings, 0);
    EXPECT_GT(status.thinned_readings, 0);
    EXPECT_EQ(status.readings + status.thinned_readings, static_cast<std::uint64_t>(total));
    EXPECT_LE(status.bytes, test.config.max_size.count);
    EXPECT_EQ(test.log.count(LogLevel::warning), 1) << test.log.text();
    test.reopen();
    EXPECT_EQ(test.buffer->status().readings, status.readings);
    const Consumed consumed = consume(test);
    EXPECT_EQ(consumed.readings, status.readings);
    EXPECT_EQ(consumed.counted, total);
    EXPECT_NEAR(consumed.sum, 0.5 * total * (total - 1), 1.0 * total);
    EXPECT_TRUE(std::is_sorted(consumed.times.begin(), consumed.times.end()));
    EXPECT_GT(consumed.batches_by_step.size(), 1U);
    EXPECT_TRUE(consumed.batches_by_step.contains(0));  // the newest are as they came
}

TEST(BufferThinning, TheLongerTheOutageTheCoarserTheOldest) {
    BufferInDirectory test(thinning_config());
    std::int64_t coarsest = 0;
    int total = 0;
    for (int round = 0; round < 3; ++round) {
        total = fill(test, 4'000, total);
        EXPECT_EQ(test.buffer->status().dropped_readings, 0);
    }
    const Consumed consumed = consume(test);
    EXPECT_EQ(consumed.counted, total);
    for (const auto& [step, batches] : consumed.batches_by_step)
        coarsest = std::max(coarsest, step);
    EXPECT_GE(coarsest, 10);
}

TEST(BufferThinning, LowPriorityGoesFirst) {
    BufferInDirectory test(thinning_config());
    for (int i = 0; i < 1'000; ++i) {
        test.append(fast_batch(i * 100, 100, "high", Priority::high));
        if (i < 100) test.append(fast_batch(i * 100, 100, "low", Priority::low));
        if (i == 100) {
            test.pass(test.config.commit_interval);
            EXPECT_EQ(test.buffer->status().thinned_readings, 0);
        }
        if (i >= 100 && i % 20 == 0) test.pass(test.config.commit_interval);
    }
    test.pass(test.config.commit_interval);
    EXPECT_EQ(test.buffer->status().dropped_readings, 0);
    std::int64_t finest_low = 1'000'000;
    test.buffer->set_link(true);
    while (auto batch = test.buffer->peek()) {
        const auto body = decode_body(batch->header.kind, batch->body);
        if (batch->header.input == "low") finest_low = std::min<std::int64_t>(finest_low, body->step.count());
        test.buffer->ack(batch->header.seq);
    }
    EXPECT_GT(finest_low, 0);
}

TEST(BufferThinning, WhatCanNotBecomeCoarserIsDroppedAndTold) {
    BufferInDirectory test(thinning_config());
    for (int i = 0; i < 2'000; ++i) {  // bodies that are no readings
        test.append(make_batch(10, "in", Priority::normal, 1'300));
        if (i % 20 == 0) test.pass(test.config.commit_interval);
    }
    test.pass(test.config.commit_interval);
    const BufferStatus status = test.buffer->status();
    EXPECT_EQ(status.thinned_readings, 0);
    EXPECT_GT(status.dropped_readings, 0);
    EXPECT_EQ(status.readings + status.dropped_readings, 20'000);
}

TEST(BufferThinning, WhatIsLentStaysAsItIs) {
    BufferInDirectory test(thinning_config());
    int total = fill(test, 100);
    test.buffer->set_link(true);
    std::vector<Batch> lent;
    for (int i = 0; i < 10; ++i)
        lent.push_back(*test.buffer->peek());
    test.buffer->set_link(false);
    total = fill(test, 2'000, total);
    for (const Batch& batch : lent)
        test.buffer->give_back(batch.header.seq);
    test.buffer->set_link(true);
    for (const Batch& batch : lent) {
        const auto again = test.buffer->peek();
        ASSERT_TRUE(again);
        EXPECT_EQ(again->header.seq, batch.header.seq);
        EXPECT_TRUE(again->body == batch.body);
    }
}

}  // namespace
}  // namespace holdfast::test
