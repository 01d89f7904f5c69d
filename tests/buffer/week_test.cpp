// A week without a broker, with the default configuration.
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>

#include "buffer/support.hpp"
#include "pipeline/pipeline.hpp"

namespace holdfast::test {
namespace {

using namespace std::chrono_literals;

constexpr auto week = 7 * 24h;
constexpr auto apart = 100ms;
constexpr auto readings_in_a_week = static_cast<std::uint64_t>(week / apart);

// Ten readings a second of one value, batched and stored as the agent would.
void live_through_a_week(BufferInDirectory& test) {
    InputConfig input;
    input.name = "sensor";
    AgentConfig agent;
    agent.id = "gw-17";
    std::optional<MonoTime> due;
    Pipeline pipeline(agent, {}, test.clock, [&](Batch batch) {
        test.buffer->append(std::move(batch));
        due.reset();
    });
    pipeline.set_longest_wait(test.config.commit_interval);
    pipeline.configure({input});
    pipeline.begin_stream(input.name);
    const std::vector<Channel> channels{{"value", ValueType::f64, ""}};
    for (std::uint64_t n = 0; n < readings_in_a_week; ++n) {
        const Value value = Value::of(0, std::sin(0.1 * static_cast<double>(n)));
        pipeline.accept(input.name, {test.clock.boot_us(), TimeBase::boot, {&value, 1}, {}}, channels);
        pipeline.step();
        if (!due || *due <= test.clock.now()) due = test.buffer->step();
        test.clock.advance(apart);
    }
    pipeline.flush();
}

TEST(Buffer, HoldsAWeekOfTenReadingsASecond) {
    // In memory: there are 600,000 commits, and waiting for a disk takes minutes.
    const std::filesystem::path memory = "/dev/shm";
    std::error_code missing;
    if (std::filesystem::space(memory, missing).available < 1'000'000'000 || missing)
        GTEST_SKIP() << "needs a GB of memory in " << memory;
    BufferInDirectory test({}, memory);
    test.open();
    live_through_a_week(test);
    test.reopen();
    const BufferStatus status = test.buffer->status();
    EXPECT_EQ(status.committed_readings, readings_in_a_week);
    EXPECT_EQ(status.dropped_readings, 0U);
    EXPECT_LT(status.bytes, test.config.max_size.count);

    test.buffer->set_link(true);
    std::uint64_t readings = 0;
    std::int64_t last_us = 0;
    bool in_order = true;
    while (const auto batch = test.buffer->peek()) {
        in_order = in_order && batch->header.first_us > last_us && batch->header.kind == BatchKind::readings;
        last_us = batch->header.last_us;
        readings += batch->header.count;
        test.buffer->ack(batch->header.seq);
        test.buffer->step();
    }
    EXPECT_TRUE(in_order);
    EXPECT_EQ(readings, readings_in_a_week);
    std::printf("%llu MiB on disk\n", static_cast<unsigned long long>(status.bytes >> 20));
}

}  // namespace
}  // namespace holdfast::test
