// The w1 input on the kernel files of two boards (fixtures/README.md says where those come from), and on
// thermometers that fail, come and go, or take long. No test waits: the clock is the test's.
#include "w1/w1.hpp"

#include "board_files.hpp"
#include "plugin_files.hpp"
#include "readings.hpp"

namespace holdfast::test {
namespace {

std::int64_t now_us = 0;
std::int64_t look_us = 0;  // what each look at the clock takes

// The input on a board, with a clock that a test moves.
class Input {
  public:
    explicit Input(const BoardFiles& board, TestHost::Options options = {})
        : host_(shipped_plugin("w1"), std::move(options)) {
        now_us = 1'000'000;
        look_us = 0;
        host_.sensor_root = board.path();
        host_.interval_us = 10'000'000;
        w1_.emplace(plugin::Host(host_.table()), [] { return now_us += look_us; });
    }
    // Calls until the round is over, as the host does, `between` calls; returns the last answer.
    int round(const std::function<void()>& between = [] {}) {
        host_.readings.clear();
        for (calls_ = 1;; ++calls_) {
            host_.sample_after_us.reset();
            const int code = w1_->sample();
            if (code != 0 || host_.sample_after_us.value_or(1'000'000) > 200'000) return code;
            now_us += *host_.sample_after_us;
            between();
        }
    }
    // All that the round saw; no channel twice.
    Numbers seen() {
        Numbers all;
        for (const TestHost::Emitted& reading : host_.readings)
            for (const auto& [name, value] : numbers(reading))
                EXPECT_TRUE(all.emplace(name, value).second) << name << " twice";
        return all;
    }
    int calls() const { return calls_; }
    TestHost& host() { return host_; }
    w1_input::W1& w1() { return *w1_; }

  private:
    TestHost host_;
    std::optional<w1_input::W1> w1_;
    int calls_ = 0;
};

TestHost::Options one_by_one() {
    return {{"bulk_read", std::int64_t{0}}};
}

const std::string devices = "sys/bus/w1/devices/";
constexpr const char* power_on =
    "50 05 4b 46 7f ff 0c 10 1c : crc=1c YES\n50 05 4b 46 7f ff 0c 10 1c t=85000\n";
constexpr const char* well = "91 01 4b 46 7f ff 0f 10 25 : crc=25 YES\n91 01 4b 46 7f ff 0f 10 25 t=25062\n";

TEST(W1, ReadsTwoBusesOfARaspberryPi) {
    const BoardFiles board("raspberry-pi-w1");
    Input input(board);
    EXPECT_EQ(input.round(), 0);
    expect_equal(input.seen(), {{"temperature.28-000004e1a947", 23},
                                {"temperature.28-000004ef4b1b", 20.687},
                                {"temperature.28-0316a2797e0f", -25.375}});
    EXPECT_EQ(units(input.host()).at("temperature.28-000004e1a947"), "Cel");
    EXPECT_TRUE(input.host().errors.empty());
}

TEST(W1, ReadsEachFamilyOnABeagleBoneWithAnOldKernel) {
    const BoardFiles board("beaglebone-w1");
    Input input(board);
    EXPECT_EQ(input.round(), 0);
    expect_equal(input.seen(), {{"temperature.28-000005abb69d", 26.062},
                                {"temperature.10-000802b4ba7d", 25.25},
                                {"temperature.22-0000001a2b3c", 10.125},
                                {"temperature.42-000000c5d6e7", 25},
                                {"temperature.3b-000000198f51", -16}});
    // Each of its own time.
    EXPECT_EQ(input.host().readings.size(), 5U);
    // There is no bulk read: nothing to say.
    EXPECT_TRUE(input.host().logs.empty());
    EXPECT_TRUE(input.host().errors.empty());
}

TEST(W1, ReadsABusAtOnceWhereItMayHaveItConvert) {
    const BoardFiles board("raspberry-pi-w1");
    Input input(board);
    EXPECT_EQ(input.round(), 0);
    std::ifstream file(board / "sys/devices/w1_bus_master1/therm_bulk_read");
    std::string written((std::istreambuf_iterator<char>(file)), {});
    EXPECT_EQ(written, "trigger\n");
    ASSERT_EQ(input.host().readings.size(), 2U);
    EXPECT_EQ(input.host().readings[0].values.size(), 2U);
    EXPECT_EQ(input.host().readings[1].values.size(), 1U);
}

TEST(W1, StampsABusWithTheTimeOfItsConversion) {
    const BoardFiles board("raspberry-pi-w1");
    Input input(board);
    look_us = 7'000;
    EXPECT_EQ(input.round(), 0);
    ASSERT_EQ(input.host().readings.size(), 2U);
    // Looked at: conversion, before each of two reads, before the next bus; emitted then.
    EXPECT_GE(input.host().readings[0].age_us, 3 * 7'000);
    EXPECT_EQ(input.host().readings[1].age_us, 0);
}

TEST(W1, ReadsOneByOneWhereItMayNotWrite) {
    const BoardFiles board("raspberry-pi-w1");
    // Whoever runs the tests may write anything but a directory; EISDIR is an error, EACCES is not.
    board.remove("sys/devices/w1_bus_master1/therm_bulk_read");
    std::filesystem::create_directories(board / "sys/devices/w1_bus_master1/therm_bulk_read");
    Input input(board);
    EXPECT_EQ(input.round(), 0);
    EXPECT_EQ(input.seen().size(), 3U);
    EXPECT_EQ(input.host().readings.size(), 3U);
    EXPECT_TRUE(input.host().has_error("therm_bulk_read: Is a directory"));
}

TEST(W1, ReadsOneByOneOnDemandOrWhenTheKernelDidNotConvert) {
    for (const bool on_demand : {true, false}) {
        const BoardFiles board("raspberry-pi-w1");
        const std::string bulk = "sys/devices/w1_bus_master1/therm_bulk_read";
        if (!on_demand) {
            // Takes what is written, and does not say then that anything is converted.
            board.remove(bulk);
            std::filesystem::create_symlink("/dev/null", board / bulk);
        }
        Input input(board, on_demand ? one_by_one() : TestHost::Options());
        EXPECT_EQ(input.round(), 0);
        EXPECT_EQ(input.seen().size(), 3U);
        EXPECT_EQ(input.host().readings.size(), 3U);
        EXPECT_TRUE(input.host().errors.empty());
    }
}

TEST(W1, NamesThermometersAsMapped) {
    const BoardFiles board("raspberry-pi-w1");
    TestHost::Options options;
    options["names"] = TestHost::Items{{"28-000004E1A947", "boiler"}};
    Input input(board, options);
    EXPECT_EQ(input.round(), 0);
    EXPECT_EQ(input.seen().at("temperature.boiler"), 23);
    EXPECT_EQ(input.seen().size(), 3U);
    options["only_named"] = std::int64_t{1};
    Input named(board, options);
    EXPECT_EQ(named.round(), 0);
    expect_equal(named.seen(), {{"temperature.boiler", 23}});
}

TEST(W1, CountsANamedThermometerThatIsMissing) {
    const BoardFiles board("raspberry-pi-w1");
    TestHost::Options options;
    options["names"] = TestHost::Items{{"28-0000000000ff", "attic"}};
    Input input(board, options);
    EXPECT_EQ(input.round(), 0);
    EXPECT_EQ(input.seen().size(), 3U);
    EXPECT_EQ(input.host().errors, std::vector<std::string>{"28-0000000000ff (attic): is not on the bus"});
}

TEST(W1, RefusesWrongOptions) {
    using Items = TestHost::Items;
    const std::pair<Items, const char*> wrong[] = {
        {{{"boiler", "28-000004e1a947"}}, "'boiler' is no id"},
        {{{"1d-000004e1a947", "rain"}}, "'1d-000004e1a947' is no id"},
        {{{"28-00004e1a947", "short"}}, "is no id"},
        {{{"28-000004e1a947", "a"}, {"28-000004ef4b1b", "a"}}, "stands twice"},
        {{{"28-000004e1a947", "a"}, {"28-000004E1A947", "b"}}, "stands twice"},
        {{{"28-000004e1a947", "28-000004ef4b1b"}}, "an id"},
        {{{"28-000004e1a947", ""}}, "is empty"},
    };
    for (const auto& [names, text] : wrong) {
        TestHost host(shipped_plugin("w1"), {{"names", names}});
        EXPECT_EQ(host.open(), -EINVAL);
        EXPECT_TRUE(host.has_error(text)) << text;
    }
    for (const std::int64_t retries : {-1, 11}) {
        TestHost host(shipped_plugin("w1"), {{"retries", retries}});
        EXPECT_EQ(host.open(), -EINVAL);
    }
    TestHost host(shipped_plugin("w1"), {{"only_named", std::int64_t{1}}});
    EXPECT_EQ(host.open(), -EINVAL);
}

TEST(W1, TriesAFailedReadAgain) {
    const BoardFiles board("raspberry-pi-w1");
    board.write(devices + "28-000004e1a947/w1_slave", power_on);
    Input input(board, one_by_one());
    EXPECT_EQ(input.round([&] { board.write(devices + "28-000004e1a947/w1_slave", well); }), 0);
    EXPECT_EQ(input.seen().at("temperature.28-000004e1a947"), 25.062);
    EXPECT_EQ(input.calls(), 2);
    EXPECT_TRUE(input.host().errors.empty());
}

TEST(W1, CountsAThermometerThatFailsEachTime) {
    const BoardFiles board("raspberry-pi-w1");
    board.break_file(devices + "28-000004e1a947/w1_slave");
    board.write(devices + "28-000004ef4b1b/w1_slave", power_on);
    Input input(board);
    EXPECT_EQ(input.round(), 0);
    EXPECT_EQ(input.calls(), 3);
    expect_equal(input.seen(), {{"temperature.28-0316a2797e0f", -25.375}});
    EXPECT_EQ(input.host().errors.size(), 2U);
    EXPECT_TRUE(input.host().has_error("28-000004e1a947: Input/output error"));
    EXPECT_TRUE(input.host().has_error("28-000004ef4b1b: answered 85 degrees"));
}

TEST(W1, FailsWhenNoneAnswers) {
    const BoardFiles board("beaglebone-w1");
    for (const char* id :
         {"28-000005abb69d", "10-000802b4ba7d", "22-0000001a2b3c", "42-000000c5d6e7", "3b-000000198f51"})
        board.write(devices + id + "/w1_slave", "");
    Input input(board);
    EXPECT_EQ(input.round(), -EIO);
    EXPECT_EQ(input.host().errors.size(), 5U);
    board.overlay("beaglebone-w1");
    EXPECT_EQ(input.round(), 0);
    EXPECT_EQ(input.seen().size(), 5U);
}

TEST(W1, UsesTheNewerAttributeWhereThereIsNoOther) {
    const BoardFiles board("raspberry-pi-w1");
    for (const char* id : {"28-000004e1a947", "28-000004ef4b1b", "28-0316a2797e0f"})
        board.remove(devices + id + "/w1_slave");
    board.write(devices + "28-000004e1a947/temperature", "85000\n");
    Input input(board);
    EXPECT_EQ(input.round(), 0);
    expect_equal(input.seen(),
                 {{"temperature.28-000004ef4b1b", 20.687}, {"temperature.28-0316a2797e0f", -25.375}});
    EXPECT_TRUE(input.host().has_error("answered 85 degrees"));
}

TEST(W1, FollowsThermometersThatComeAndGo) {
    const BoardFiles board("raspberry-pi-w1");
    Input input(board);
    input.round();
    EXPECT_TRUE(input.host().logs.empty());
    board.remove(devices + "28-0316a2797e0f");
    board.remove("sys/devices/w1_bus_master2/28-0316a2797e0f");
    EXPECT_EQ(input.round(), 0);
    EXPECT_EQ(input.seen().size(), 2U);
    EXPECT_TRUE(input.host().has_log("28-0316a2797e0f: the thermometer is gone"));
    board.overlay("raspberry-pi-w1");
    EXPECT_EQ(input.round(), 0);
    EXPECT_EQ(input.seen().size(), 3U);
    EXPECT_TRUE(input.host().has_log("28-0316a2797e0f: a new thermometer"));
    EXPECT_EQ(input.host().logs.size(), 2U);
    EXPECT_TRUE(input.host().errors.empty());
}

TEST(W1, IsGoneWithoutAThermometer) {
    const BoardFiles board;
    Input input(board);
    try {
        input.w1().sample();
        FAIL();
    } catch (const std::system_error& error) {
        EXPECT_EQ(error.code().value(), ENODEV);
        EXPECT_NE(std::string(error.what()).find(board.path().string() + "/sys/bus/w1/devices"),
                  std::string::npos);
    }
    board.overlay("raspberry-pi-w1");
    EXPECT_EQ(input.round(), 0);
    EXPECT_EQ(input.seen().size(), 3U);
}

TEST(W1, GivesTheHostBackItsTimeAfterASecond) {
    const BoardFiles board("beaglebone-w1");
    Input input(board);
    look_us = 400'000;
    std::size_t before = 0;
    EXPECT_EQ(input.round([&] {
        EXPECT_LE(input.host().readings.size() - before, 2U);
        before = input.host().readings.size();
    }),
              0);
    EXPECT_GE(input.calls(), 3);
    EXPECT_EQ(input.seen().size(), 5U);
    EXPECT_TRUE(input.host().errors.empty());
}

TEST(W1, BeginsTheNextRoundAnIntervalAfterThisOneBegan) {
    const BoardFiles board("beaglebone-w1");
    Input input(board);
    look_us = 400'000;
    std::int64_t call_start = now_us + look_us;
    const std::int64_t round_start = call_start;
    EXPECT_EQ(input.round([&] { call_start = now_us + look_us; }), 0);
    EXPECT_EQ(call_start + input.host().sample_after_us.value(), round_start + 10'000'000);
}

TEST(W1, SaysHowLongARoundTookThatMissedSamples) {
    const BoardFiles board("beaglebone-w1");
    Input input(board);
    input.host().interval_us = 1'000'000;
    look_us = 700'000;
    std::int64_t call_start = now_us + look_us;
    const std::int64_t round_start = call_start;
    EXPECT_EQ(input.round([&] { call_start = now_us + look_us; }), 0);
    ASSERT_EQ(input.host().errors.size(), 1U);
    EXPECT_TRUE(input.host().has_error("samples: reading 5 thermometers took"));
    EXPECT_TRUE(input.host().has_error("with an interval of 1.0 s"));
    const std::int64_t next = call_start + input.host().sample_after_us.value();
    EXPECT_GT(next, now_us);
    EXPECT_EQ((next - round_start) % 1'000'000, 0);
    EXPECT_EQ(input.seen().size(), 5U);
}

}  // namespace
}  // namespace holdfast::test
