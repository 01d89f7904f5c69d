// How AWS IoT Device Advisor would call the waits between attempts: constant, linear, exponential or jitter.
// Each case is one of its scenarios, played twice to the forwarder's state machine.
#include <gtest/gtest.h>

#include <functional>

#include "forward/forwarder_stage.hpp"
#include "support/backoff_class.hpp"

namespace holdfast {
namespace {

using namespace std::chrono_literals;
using test::BackoffKind;
using test::classify;
using test::ForwarderStage;
using test::Gaps;

constexpr int gaps_per_round = 5;
constexpr int seeds = 100;

TEST(BackoffClass, TellsTheOthersFromJitter) {
    EXPECT_EQ(classify({2.7, 2.7, 2.8, 2.7, 2.7}, {2.7, 2.7, 2.7, 2.7, 2.7}), BackoffKind::constant);
    EXPECT_EQ(classify({1, 2, 3, 4, 5}, {1, 2, 3, 4, 5}), BackoffKind::linear);
    EXPECT_EQ(classify({1, 2, 4, 8, 16}, {1, 2, 4, 8, 16}), BackoffKind::exponential);
    EXPECT_EQ(classify({0.4, 1.9, 1.1, 6.5, 9}, {0.9, 0.2, 3.1, 2.5, 14}), BackoffKind::jitter);
}

struct Scenario {
    const char* name;
    std::function<void(ForwarderStage&)> end_attempt;  // what happens to each
};

void fail_with(ForwarderStage& stage, LinkFailure failure) {
    stage.tell(transport::ConnectFailed{std::move(failure)});
}

const Scenario scenarios[] = {
    {"no_connack",
     [](ForwarderStage& stage) {
         stage.clock.advance(10s);
         fail_with(stage, test::passing("the broker does not answer CONNECT"));
     }},
    {"connection_refused", [](ForwarderStage& stage) { fail_with(stage, test::passing()); }},
    {"broker_busy",
     [](ForwarderStage& stage) {
         fail_with(stage, {LinkFailure::Class::passing, 0x89, "busy"});
     }},
    {"tls_handshake_broken",
     [](ForwarderStage& stage) { fail_with(stage, test::passing("TLS handshake failed")); }},
    {"server_disconnects",
     [](ForwarderStage& stage) {
         stage.tell(transport::Connected{});
         stage.tell(transport::ConnectionLost{{LinkFailure::Class::passing, 0x8B, "shutting down"}});
     }},
    {"unstable_connection",
     [](ForwarderStage& stage) {
         stage.tell(transport::Connected{});
         stage.pass(5s);
         stage.tell(transport::ConnectionLost{test::passing("the connection was lost")});
     }},
};

class BackoffScenario : public ::testing::TestWithParam<Scenario> {
  protected:
    static Gaps round(ForwarderStage& stage) {
        Gaps gaps;
        for (int i = 0; i < gaps_per_round; ++i) {
            GetParam().end_attempt(stage);
            gaps.push_back(std::chrono::duration<double>(stage.until_attempt()).count());
        }
        return gaps;
    }
};

TEST_P(BackoffScenario, IsJitter) {
    int jitter = 0;
    double first_gaps = 0;
    double last_gaps = 0;
    for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
        Gaps rounds[2];
        for (int turn = 0; turn < 2; ++turn) {
            ForwarderStage stage(test::without_status(), 1000 * static_cast<std::uint64_t>(turn) + seed);
            (void)stage.until_attempt();
            rounds[turn] = round(stage);
        }
        if (classify(rounds[0], rounds[1]) == BackoffKind::jitter) ++jitter;
        first_gaps += rounds[0].front();
        last_gaps += rounds[0].back();
    }
    EXPECT_EQ(jitter, seeds);
    EXPECT_GT(last_gaps, 2 * first_gaps);  // the envelope grows
}

INSTANTIATE_TEST_SUITE_P(Forwarder, BackoffScenario, ::testing::ValuesIn(scenarios),
                         [](const auto& i) { return i.param.name; });

TEST(Backoff, TwelveConnectsWithoutConnackFitFiveMinutes) {
    for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
        ForwarderStage stage(test::without_status(), seed);
        const MonoTime begin = stage.clock.now();
        (void)stage.until_attempt();
        for (int connects = 1; connects < 12; ++connects) {
            stage.clock.advance(10s);
            fail_with(stage, test::passing("the broker does not answer CONNECT"));
            (void)stage.until_attempt();
        }
        EXPECT_LT(stage.clock.now() - begin, 5min) << seed;
    }
}

}  // namespace
}  // namespace holdfast
