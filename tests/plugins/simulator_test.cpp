#include "simulator/simulator.hpp"

#include "plugin_files.hpp"

namespace holdfast::test {
namespace {

std::int64_t now_us = 0;            // what the simulator takes for the time
std::int64_t reading_costs_us = 0;  // how the time goes on with each look at it

std::int64_t fake_now() {
    return now_us += reading_costs_us;
}

// The simulator at the mercy of the test's clock.
class Simulation {
  public:
    explicit Simulation(TestHost::Options options)
        : host(shipped_plugin("simulator"), std::move(options)),
          simulator(plugin::Host(host.table()), fake_now) {
        reading_costs_us = 0;
    }

    // Calls sample() as the host would, until so much time has passed.
    void run_for(std::int64_t us) {
        const std::int64_t end = now_us + us;
        while (now_us <= end) {
            const std::int64_t called_us = now_us;
            simulator.sample();
            now_us = std::max(now_us, called_us + host.sample_after_us.value());
        }
    }
    std::int64_t n(std::size_t reading) const { return host.readings.at(reading).get<std::int64_t>("n"); }

    TestHost host;
    simulator::Simulator simulator;
};

TEST(Simulator, NumbersItsReadingsAndNamesItsRun) {
    TestHost first(shipped_plugin("simulator"), {{"rate", 0.0}, {"count", std::int64_t{10}}});
    ASSERT_EQ(first.open(), 0);
    ASSERT_EQ(first.sample(), 0);
    ASSERT_EQ(first.readings.size(), 10U);
    const std::string run = first.readings[0].get<std::string>("run");
    for (std::int64_t i = 0; i < 10; ++i) {
        EXPECT_EQ(first.readings[static_cast<std::size_t>(i)].get<std::int64_t>("n"), i);
        EXPECT_EQ(first.readings[static_cast<std::size_t>(i)].get<std::string>("run"), run);
    }
    TestHost second(shipped_plugin("simulator"), {{"rate", 0.0}, {"count", std::int64_t{1}}});
    ASSERT_EQ(second.open(), 0);
    ASSERT_EQ(second.sample(), 0);
    EXPECT_NE(second.readings[0].get<std::string>("run"), run);
}

TEST(Simulator, StopsAtItsCountAndSaysSo) {
    Simulation simulation({{"rate", 0.0}, {"count", std::int64_t{10'000}}});
    while (!simulation.host.finished && simulation.host.readings.size() < 20'000)
        simulation.simulator.sample();
    EXPECT_EQ(simulation.host.readings.size(), 10'000U);
    EXPECT_EQ(simulation.host.sample_after_us, -1);
}

TEST(Simulator, LetsTheHostSeeToItsDutiesBetweenBursts) {
    Simulation simulation({{"rate", 0.0}});
    simulation.simulator.sample();
    EXPECT_GE(simulation.host.readings.size(), 1000U);
    EXPECT_LE(simulation.host.readings.size(), 10'000U);
    EXPECT_EQ(simulation.host.sample_after_us, 0);
    EXPECT_FALSE(simulation.host.finished);
}

TEST(Simulator, HasOneChannelCalledValueOrSeveralThatAreNumbered) {
    Simulation one({});
    EXPECT_EQ(one.host.channels.at(0).name, "value");
    EXPECT_EQ(one.host.channels.size(), 3U);
    Simulation three({{"channels", std::int64_t{3}}});
    EXPECT_EQ(three.host.channels.at(0).name, "value.0");
    EXPECT_EQ(three.host.channels.at(2).name, "value.2");
    EXPECT_EQ(three.host.channels.size(), 5U);
}

TEST(Simulator, CountsInItsShapeCounter) {
    Simulation simulation({{"rate", 0.0}, {"shape", std::string("counter")}});
    simulation.simulator.sample();
    EXPECT_EQ(simulation.host.readings.at(7).get<double>("value"), 7);
}

TEST(Simulator, StaysWithinOneInItsOtherShapes) {
    for (const std::string shape : {"sine", "random"}) {
        Simulation simulation({{"rate", 0.0}, {"shape", shape}});
        simulation.simulator.sample();
        double least = 2;
        double most = -2;
        for (const auto& reading : simulation.host.readings) {
            least = std::min(least, reading.get<double>("value"));
            most = std::max(most, reading.get<double>("value"));
        }
        EXPECT_GE(least, shape == "sine" ? -1 : 0);
        EXPECT_LT(least, shape == "sine" ? -0.9 : 0.1);
        EXPECT_LE(most, 1);
        EXPECT_GT(most, 0.9);
    }
}

TEST(Simulator, KeepsItsRateWithoutDriftWhenCallsComeLate) {
    Simulation simulation({{"rate", 3.0}});
    reading_costs_us = 70;
    simulation.run_for(1000 * 1'000'000LL);
    EXPECT_EQ(simulation.host.readings.size(), 3001U);
}

TEST(Simulator, StampsEachReadingWithItsDueTime) {
    Simulation simulation({{"rate", 10.0}});
    std::vector<std::int64_t> seen_us;
    simulation.host.on_emit = [&] { seen_us.push_back(now_us - simulation.host.readings.back().age_us); };
    simulation.simulator.sample();
    now_us += 345'000;
    simulation.simulator.sample();
    ASSERT_EQ(seen_us.size(), 4U);
    for (std::size_t i = 1; i < seen_us.size(); ++i)
        EXPECT_EQ(seen_us[i] - seen_us[0], static_cast<std::int64_t>(i) * 100'000);
    EXPECT_EQ(simulation.host.readings[3].age_us, 45'000);
    EXPECT_EQ(simulation.host.sample_after_us, 55'000);
}

TEST(Simulator, SharesCallsAmongReadingsAtHighRates) {
    Simulation simulation({{"rate", 50'000.0}});
    int calls = 0;
    const std::int64_t end = now_us + 1'000'000;
    for (; now_us < end; now_us += simulation.host.sample_after_us.value(), ++calls)
        simulation.simulator.sample();
    EXPECT_LE(calls, 1000);
    EXPECT_NEAR(static_cast<double>(simulation.host.readings.size()), 50'000, 100);
}

TEST(Simulator, CatchesUpASecondAtMostAndLosesNoNumber) {
    Simulation simulation({{"rate", 100.0}});
    simulation.simulator.sample();
    now_us += 60'000'000;
    simulation.simulator.sample();
    EXPECT_LE(simulation.host.readings.size(), 102U);
    EXPECT_GE(simulation.host.readings.size(), 100U);
    for (std::size_t i = 0; i < simulation.host.readings.size(); ++i)
        EXPECT_EQ(simulation.n(i), static_cast<std::int64_t>(i));
    EXPECT_LE(simulation.host.readings[1].age_us, 1'000'000);
}

TEST(Simulator, RefusesOptionsOutOfRange) {
    const TestHost::Options wrong[] = {{{"channels", std::int64_t{0}}},
                                       {{"channels", std::int64_t{4095}}},
                                       {{"rate", -1.0}},
                                       {{"count", std::int64_t{-1}}}};
    for (const TestHost::Options& options : wrong) {
        TestHost host(shipped_plugin("simulator"), options);
        EXPECT_EQ(host.open(), -EINVAL);
        EXPECT_TRUE(host.has_error(options.begin()->first + ":"));
    }
    TestHost most(shipped_plugin("simulator"), {{"channels", std::int64_t{4094}}});
    EXPECT_EQ(most.open(), 0);
}

}  // namespace
}  // namespace holdfast::test
