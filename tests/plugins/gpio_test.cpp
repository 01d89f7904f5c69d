// The gpio input at work, on the chips of two boards.
#include "gpio_board.hpp"

namespace holdfast::test {
namespace {

TEST(Gpio, ReadsLevelsOfARaspberryPi4ByNameOffsetLabelAndPath) {
    GpioBoard pi("raspberry-pi-4", {{"door", "GPIO27"},
                                    {"gate", "gpiochip0:17 active-low"},
                                    {"hatch", "pinctrl-bcm2711:GPIO22"},
                                    {"card", "/dev/gpiochip1:7"}});
    ASSERT_EQ(pi.host.open(), 0);
    pi.line(27).level = true;
    pi.line(22).level = true;
    const auto seen = pi.sample();
    EXPECT_TRUE(seen.get<bool>("door"));
    EXPECT_TRUE(seen.get<bool>("gate"));
    EXPECT_TRUE(seen.get<bool>("hatch"));
    EXPECT_FALSE(seen.get<bool>("card"));
    pi.line(27).level = false;
    EXPECT_FALSE(pi.sample().get<bool>("door"));
    EXPECT_TRUE(pi.host.watched.empty());
}

TEST(Gpio, ReadsLinesOfABeagleBoneWhoseNamesHaveBlanks) {
    GpioBoard bone("beaglebone-black",
                   {{"clock", "'P9_22 [spi0_sclk]'"}, {"led", "gpio-32-63:'P9_14 [ehrpwm1a]'"}});
    ASSERT_EQ(bone.host.open(), 0);
    bone.line(2).level = true;
    bone.line(18, "gpiochip1").level = true;
    const auto seen = bone.sample();
    EXPECT_TRUE(seen.get<bool>("clock"));
    EXPECT_TRUE(seen.get<bool>("led"));
}

TEST(Gpio, AsksTheKernelForWhatTheLineSays) {
    GpioBoard pi("raspberry-pi-4", {{"a", "GPIO5 active-low pull-up debounce=5ms edges"},
                                    {"b", "GPIO6 counter pull-down"},
                                    {"c", "GPIO12 counter no-pull edge=both"},
                                    {"d", "GPIO13 edges edge=falling"},
                                    {"e", "GPIO16"}});
    ASSERT_EQ(pi.host.open(), 0);
    constexpr std::uint64_t in = GPIO_V2_LINE_FLAG_INPUT;
    constexpr std::uint64_t rising = GPIO_V2_LINE_FLAG_EDGE_RISING;
    constexpr std::uint64_t falling = GPIO_V2_LINE_FLAG_EDGE_FALLING;
    const gpio_v2_line_request& a = pi.line(5).request;
    EXPECT_EQ(a.config.flags,
              in | rising | falling | GPIO_V2_LINE_FLAG_ACTIVE_LOW | GPIO_V2_LINE_FLAG_BIAS_PULL_UP);
    EXPECT_EQ(a.config.num_attrs, 1U);
    EXPECT_EQ(a.config.attrs[0].mask, 1U);
    EXPECT_EQ(a.config.attrs[0].attr.id, std::uint32_t{GPIO_V2_LINE_ATTR_ID_DEBOUNCE});
    EXPECT_EQ(a.config.attrs[0].attr.debounce_period_us, 5000U);
    EXPECT_EQ(a.event_buffer_size, 1024U);
    EXPECT_STREQ(a.consumer, "holdfast");
    EXPECT_EQ(pi.line(6).request.config.flags, in | rising | GPIO_V2_LINE_FLAG_BIAS_PULL_DOWN);
    EXPECT_EQ(pi.line(12).request.config.flags, in | rising | falling | GPIO_V2_LINE_FLAG_BIAS_DISABLED);
    EXPECT_EQ(pi.line(13).request.config.flags, in | falling);
    EXPECT_EQ(pi.line(16).request.config.flags, in);
    EXPECT_EQ(pi.line(16).request.config.num_attrs, 0U);
    EXPECT_EQ(pi.line(16).request.event_buffer_size, 0U);
}

TEST(Gpio, EmitsEachEdgeAtOnceWithTheKernelsTime) {
    GpioBoard pi("raspberry-pi-4", {{"door", "GPIO27 edges"}, {"gate", "GPIO17"}});
    ASSERT_EQ(pi.host.open(), 0);
    EXPECT_EQ(pi.host.watched.size(), 1U);
    const auto now_ns = static_cast<std::uint64_t>(gpio_now_us) * 1000;
    FakeGpio::burst(pi.line(27), 3, now_ns - 30 * ms, 10 * ms);
    ASSERT_TRUE(pi.host.run_until([&] { return pi.host.readings.size() == 3; }));
    for (std::size_t i = 0; i < 3; ++i) {
        const auto& edge = pi.host.readings[i];
        EXPECT_EQ(edge.get<bool>("door"), i % 2 == 0);
        EXPECT_EQ(edge.boot_time_us, gpio_now_us + gpio_asleep_us - 30'000 + 10'000 * static_cast<int>(i));
        EXPECT_EQ(edge.values.count("gate"), 0U);
    }
    EXPECT_TRUE(pi.host.errors.empty());
}

TEST(Gpio, TellsTheLevelOfALineWithEdgesOnceAnInterval) {
    GpioBoard pi("raspberry-pi-4", {{"door", "GPIO27 edges"}});
    ASSERT_EQ(pi.host.open(), 0);
    EXPECT_FALSE(pi.sample().get<bool>("door"));
    FakeGpio::burst(pi.line(27), 1, ms, 1);
    EXPECT_TRUE(pi.sample().get<bool>("door"));
    // The edge that was waiting comes before the level that is later.
    ASSERT_EQ(pi.host.readings.size(), 3U);
    EXPECT_EQ(pi.host.readings[1].boot_time_us, 1000 + gpio_asleep_us);
    EXPECT_EQ(pi.host.readings[2].boot_time_us, 0);
}

TEST(Gpio, CountsEdgesThatTheKernelDroppedAsAnError) {
    GpioBoard pi("raspberry-pi-4", {{"door", "GPIO27 edges"}});
    ASSERT_EQ(pi.host.open(), 0);
    FakeGpio::burst(pi.line(27), 1500, 1, ms);
    ASSERT_TRUE(pi.host.run_until([&] { return pi.host.readings.size() == 1024; }));
    ASSERT_EQ(pi.host.errors.size(), 1U);
    EXPECT_TRUE(pi.host.has_error("lines.door: 476 edges were lost"));
    FakeGpio::burst(pi.line(27), 5, 1, ms);
    ASSERT_TRUE(pi.host.run_until([&] { return pi.host.readings.size() == 1029; }));
    EXPECT_EQ(pi.host.errors.size(), 1U);
}

TEST(Gpio, CountsTenThousandPulsesAtOneKilohertzWhoeverIsLate) {
    GpioBoard pi("raspberry-pi-4", {{"water", "GPIO17 counter scale=0.0025 unit=m3"}});
    ASSERT_EQ(pi.host.open(), 0);
    EXPECT_EQ(pi.sample().get<std::int64_t>("water.count"), 0);
    EXPECT_EQ(pi.host.readings.back().get<double>("water.rate"), 0);
    FakeGpio::burst(pi.line(17), 10'000, 1000 * ms, ms);
    gpio_now_us = 11'000'000;
    const auto seen = pi.sample();
    EXPECT_EQ(seen.get<std::int64_t>("water.count"), 10'000);
    EXPECT_DOUBLE_EQ(seen.get<double>("water.total"), 25);
    EXPECT_DOUBLE_EQ(seen.get<double>("water.rate"), 2.5);
    EXPECT_TRUE(pi.host.errors.empty());
    EXPECT_TRUE(pi.host.watched.empty());
    std::map<std::string, std::string> units;
    for (const auto& channel : pi.host.channels)
        units[channel.name] = channel.unit;
    const std::map<std::string, std::string> expected = {
        {"water.count", ""}, {"water.total", "m3"}, {"water.rate", "m3/s"}};
    EXPECT_EQ(units, expected);
}

TEST(Gpio, SaysTheRatePerHourAndWithoutAScaleInPulses) {
    GpioBoard pi("raspberry-pi-4",
                 {{"energy", "GPIO17 counter scale=0.001 unit=kW.h per=h"}, {"fan", "GPIO22 counter"}});
    ASSERT_EQ(pi.host.open(), 0);
    FakeGpio::burst(pi.line(17), 5, 1000 * ms, 3600 * ms);
    FakeGpio::burst(pi.line(22), 5, 1000 * ms, 20 * ms);
    gpio_now_us = 16'000'000;
    const auto seen = pi.sample();
    EXPECT_DOUBLE_EQ(seen.get<double>("energy.rate"), 1);
    EXPECT_DOUBLE_EQ(seen.get<double>("fan.rate"), 50);
    EXPECT_EQ(seen.values.count("fan.total"), 0U);
    EXPECT_EQ(pi.host.channels.at(2).unit, "kW.h/h");
    EXPECT_EQ(pi.host.channels.at(4).unit, "1/s");
}

// As those of an expander do whose bus has trouble.
TEST(Gpio, LeavesOutALineThatCannotBeRead) {
    GpioBoard pi("raspberry-pi-4", {{"door", "GPIO27"}, {"gate", "GPIO17"}, {"water", "GPIO22 counter"}});
    ASSERT_EQ(pi.host.open(), 0);
    pi.line(27).level_error = EIO;
    pi.line(17).level = true;
    const auto seen = pi.sample();
    EXPECT_EQ(seen.values.count("door"), 0U);
    EXPECT_TRUE(seen.get<bool>("gate"));
    EXPECT_EQ(seen.get<std::int64_t>("water.count"), 0);
    EXPECT_EQ(pi.host.errors,
              (std::vector<std::string>{"lines.door: its level cannot be read: Input/output error"}));
    pi.line(27).level_error = ENODEV;
    EXPECT_EQ(pi.host.sample(), -ENODEV);
    EXPECT_EQ(pi.host.readings.size(), 1U);
    pi.line(27).level_error = 0;
    EXPECT_EQ(pi.sample().values.count("door"), 1U);
}

TEST(Gpio, FailsWhenNoLineCanBeRead) {
    GpioBoard pi("raspberry-pi-4", {{"door", "GPIO27"}, {"gate", "GPIO17"}});
    ASSERT_EQ(pi.host.open(), 0);
    pi.line(27).level_error = pi.line(17).level_error = EIO;
    EXPECT_EQ(pi.host.sample(), -EIO);
    EXPECT_EQ(pi.host.errors.size(), 2U);
    EXPECT_TRUE(pi.host.readings.empty());
}

TEST(Gpio, IsGoneWhenItsChipIsUnplugged) {
    for (const char* line : {"GPIO27", "GPIO27 counter", "GPIO27 edges"}) {
        GpioBoard pi("raspberry-pi-4", {{"door", line}});
        ASSERT_EQ(pi.host.open(), 0);
        pi.fake.unplug();
        EXPECT_EQ(pi.host.sample(), -ENODEV) << line;
    }
}

TEST(Gpio, NoticesAtOnceThatTheChipOfAWatchedLineIsUnplugged) {
    GpioBoard pi("raspberry-pi-4", {{"door", "GPIO27 edges"}});
    ASSERT_EQ(pi.host.open(), 0);
    pi.fake.unplug();
    pi.host.serve_once(10'000);
    EXPECT_TRUE(pi.host.has_error("lines.door: its chip is gone: No such device"));
}

TEST(Gpio, EndsTheWatchWhenItIsClosed) {
    GpioBoard pi("raspberry-pi-4", {{"door", "GPIO27 edges"}, {"gate", "GPIO17 edges"}});
    ASSERT_EQ(pi.host.open(), 0);
    EXPECT_EQ(pi.host.watched.size(), 2U);
    pi.host.close();
    EXPECT_TRUE(pi.host.watched.empty());
}

}  // namespace
}  // namespace holdfast::test
