// plugin.hpp: what it makes of a class, and what it keeps from crossing the C interface.
#include <holdfast/plugin.hpp>

#include "support/temp_dir.hpp"
#include "support/test_host.hpp"

namespace holdfast::test {
namespace {

using plugin::Channel;
using plugin::describe;
using plugin::fail;
using plugin::Host;
using plugin::Reading;

struct Sampled {
    explicit Sampled(Host given) : host(given) {}
    void sample() {}
    Host host;
};

struct Watching {
    explicit Watching(Host) {}
    int ready(int, std::uint32_t) { return -ENODEV; }
};

template <int code>
struct Failing {
    explicit Failing(Host) {}
    void sample() { fail(code, "sensor"); }
};

struct Refusing {
    explicit Refusing(Host) { fail(EINVAL, "pin: there is no such pin"); }
    void sample() {}
};

struct Particular {
    explicit Particular(Host) {}
    static void check(Host host) {
        if (host.integer("pin") < 0) fail(EINVAL, "pin: is below 0");
    }
    void sample() {}
};

struct Confused {
    explicit Confused(Host) {}
    void sample() { throw std::logic_error("lost"); }
    void ready(int, std::uint32_t) { throw 42; }
};

constexpr holdfast_plugin sampled = describe<Sampled>("sampled", "1", "");
constexpr holdfast_plugin watching = describe<Watching>("watching", "1", "");

TEST(PluginHelper, LeavesOutWhatAClassDoesNotHave) {
    EXPECT_NE(sampled.sample, nullptr);
    EXPECT_EQ(sampled.ready, nullptr);
    EXPECT_EQ(watching.sample, nullptr);
    EXPECT_NE(watching.ready, nullptr);
    EXPECT_EQ(sampled.size, sizeof(holdfast_plugin));
    EXPECT_EQ(sampled.abi, HOLDFAST_PLUGIN_ABI);
}

TEST(PluginHelper, ChecksOptionsWithoutAnInstance) {
    EXPECT_EQ(sampled.check, nullptr);
    const holdfast_plugin particular = describe<Particular>("particular", "1", "");
    TestHost bad(particular, {{"pin", std::int64_t{-1}}});
    EXPECT_EQ(particular.check(bad.table()), -EINVAL);
    EXPECT_TRUE(bad.has_error("pin: is below 0"));
    TestHost good(particular, {{"pin", std::int64_t{1}}});
    EXPECT_EQ(particular.check(good.table()), 0);
    EXPECT_FALSE(good.has_error(""));
}

TEST(PluginHelper, PassesOnTheCodeThatAFunctionReturns) {
    TestHost host(watching);
    ASSERT_EQ(host.open(), 0);
    void* instance = nullptr;
    ASSERT_EQ(watching.open(host.table(), &instance), 0);
    EXPECT_EQ(watching.ready(instance, 0, 0), -ENODEV);
    watching.close(instance);
}

TEST(PluginHelper, TurnsASystemErrorIntoItsCodeAndText) {
    const holdfast_plugin failing = describe<Failing<ENODEV>>("failing", "1", "");
    TestHost host(failing);
    ASSERT_EQ(host.open(), 0);
    EXPECT_EQ(host.sample(), -ENODEV);
    EXPECT_TRUE(host.has_error("sensor: No such device"));
}

TEST(PluginHelper, ReportsNothingWhenThereIsOnlyNoValueNow) {
    const holdfast_plugin failing = describe<Failing<EAGAIN>>("failing", "1", "");
    TestHost host(failing);
    ASSERT_EQ(host.open(), 0);
    EXPECT_EQ(host.sample(), -EAGAIN);
    EXPECT_TRUE(host.errors.empty());
}

TEST(PluginHelper, MakesNoInstanceWhenTheConstructorThrows) {
    const holdfast_plugin refusing = describe<Refusing>("refusing", "1", "");
    TestHost host(refusing);
    EXPECT_EQ(host.open(), -EINVAL);
    EXPECT_TRUE(host.has_error("there is no such pin"));
}

TEST(PluginHelper, LetsNothingThrownCrossTheInterface) {
    const holdfast_plugin confused = describe<Confused>("confused", "1", "");
    TestHost host(confused);
    void* instance = nullptr;
    ASSERT_EQ(confused.open(host.table(), &instance), 0);
    EXPECT_EQ(confused.sample(instance), -EIO);
    EXPECT_TRUE(host.has_error("lost"));
    EXPECT_EQ(confused.ready(instance, 0, 0), -EIO);
    confused.close(instance);
}

TEST(PluginHelper, CarriesEveryTypeTagAndTime) {
    TestHost recorder(sampled);
    const Host host(recorder.table());
    Reading reading;
    reading.set(host.channel<double>("d", "Cel"), 1.5);
    reading.set(host.channel<std::int64_t>("i"), 7);
    reading.set(host.channel<bool>("b"), true);
    reading.set(host.channel<std::string_view>("s"), "text");
    reading.tag("room", "b2");
    reading.seen_at(123);
    host.emit(reading);

    ASSERT_EQ(recorder.readings.size(), 1U);
    const TestHost::Emitted& emitted = recorder.readings[0];
    EXPECT_EQ(emitted.get<double>("d"), 1.5);
    EXPECT_EQ(emitted.get<std::int64_t>("i"), 7);
    EXPECT_TRUE(emitted.get<bool>("b"));
    EXPECT_EQ(emitted.get<std::string>("s"), "text");
    EXPECT_EQ(emitted.tags.at("room"), "b2");
    EXPECT_EQ(emitted.wall_time_us, 123);
    EXPECT_EQ(recorder.channels[0].unit, "Cel");
}

TEST(PluginHelper, ForgetsTheLastReadingOnClear) {
    TestHost recorder(sampled);
    const Host host(recorder.table());
    const auto channel = host.channel<double>("d");
    Reading reading;
    reading.set(channel, 1);
    reading.tag("a", "b");
    reading.seen_at(5);
    reading.clear();
    EXPECT_TRUE(reading.empty());
    reading.set(channel, 2);
    reading.seen_ago(9);
    host.emit(reading);
    EXPECT_EQ(recorder.readings[0].get<double>("d"), 2);
    EXPECT_TRUE(recorder.readings[0].tags.empty());
    EXPECT_FALSE(recorder.readings[0].wall_time_us);
    EXPECT_EQ(recorder.readings[0].age_us, 9);
}

TEST(PluginHelper, ThrowsWhatTheAgentRefuses) {
    TestHost recorder(sampled);
    const Host host(recorder.table());
    const auto channel = host.channel<double>("d");
    EXPECT_THROW(host.channel<bool>("d"), std::system_error);
    EXPECT_THROW(host.channel<double>(""), std::system_error);
    Reading twice;
    twice.set(channel, 1);
    twice.set(channel, 1);
    EXPECT_THROW(host.emit(twice), std::system_error);
}

TEST(PluginExample, ReadsTheFrequencyBelowTheSensorRoot) {
    const TempDir root;
    root.write("sys/devices/system/cpu/cpu2/cpufreq/scaling_cur_freq", "1500000\n");
    const PluginFile example(HOLDFAST_EXAMPLE);
    TestHost host(example.descriptor(), {{"cpu", std::int64_t{2}}});
    host.sensor_root = root.path();
    ASSERT_EQ(host.open(), 0);
    ASSERT_EQ(host.sample(), 0);
    EXPECT_EQ(host.readings.at(0).get<double>("frequency"), 1.5e9);
    EXPECT_EQ(host.channels.at(0).unit, "Hz");
}

TEST(PluginExample, SaysWhichFileItCannotRead) {
    const TempDir root;
    const PluginFile example(HOLDFAST_EXAMPLE);
    TestHost host(example.descriptor());
    host.sensor_root = root.path();
    ASSERT_EQ(host.open(), 0);
    EXPECT_EQ(host.sample(), -ENOENT);
    EXPECT_TRUE(host.has_error("cpu0/cpufreq/scaling_cur_freq"));
}

}  // namespace
}  // namespace holdfast::test
