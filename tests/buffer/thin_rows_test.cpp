#include "buffer/thin_rows.hpp"

#include <gtest/gtest.h>

#include "support/make_batch.hpp"

namespace holdfast::test {
namespace {

using namespace std::chrono_literals;

// Batches of 20 readings of a number that never repeats, so far apart.
std::vector<Batch> rows(int count, Micros apart) {
    std::vector<Batch> made;
    std::int64_t time_us = 0;
    for (int b = 0; b < count; ++b) {
        BatchMaker maker("in");
        const std::uint32_t channel = maker.channel("value", ValueType::f64);
        for (int i = 0; i < 20; ++i, time_us += apart.count())
            maker.add(time_us, {Value::of(channel, 0.1 * static_cast<double>(time_us * 7919 % 100'003))});
        made.push_back(maker.batch(static_cast<std::uint64_t>(b) + 1));
    }
    return made;
}

std::vector<std::int64_t> steps(const Thinned& thinned) {
    std::vector<std::int64_t> steps;
    for (const Coarser& coarser : thinned.coarser)
        for (const Batch& batch : coarser.batches)
            steps.push_back(decode_body(batch.header.kind, batch.body)->step.count());
    return steps;
}

std::optional<std::chrono::seconds> any_step(const BatchHeader&) {
    return std::nullopt;
}

TEST(ThinRows, TakeACoarserStepWhereTheNextMakesNothingSmaller) {
    // Two readings a step of 1 s or 10 s: mean, least, greatest and count take more than two numbers.
    EXPECT_EQ(steps(make_coarser(rows(8, 500ms), any_step)), (std::vector<std::int64_t>{10}));
    EXPECT_EQ(steps(make_coarser(rows(8, 5s), any_step)), (std::vector<std::int64_t>{60}));
}

TEST(ThinRows, StayAsTheyAreWhereOnlyATooCoarseStepMakesThemSmaller) {
    const auto up_to = [](std::chrono::seconds most) {
        return [most](const BatchHeader&) { return std::optional(most); };
    };
    const Thinned none = make_coarser(rows(8, 500ms), up_to(9s));
    EXPECT_TRUE(none.coarser.empty());
    EXPECT_TRUE(none.limited);
    EXPECT_EQ(steps(make_coarser(rows(8, 500ms), up_to(59s))), (std::vector<std::int64_t>{10}));
}

}  // namespace
}  // namespace holdfast::test
