// What may stand in the option `lines` of the gpio input, and what is said of what may not.
#include <gtest/gtest.h>

#include <random>

#include "gpio/line_spec.hpp"

namespace holdfast::test {
namespace {

using gpio_input::Bias;
using gpio_input::Edge;
using gpio_input::LineSpec;
using gpio_input::Mode;
using gpio_input::parse_line_spec;

TEST(GpioSpec, TakesAFlowMeterApart) {
    const LineSpec line =
        parse_line_spec("gpiochip0:17 counter pull-up debounce=5ms scale=0.0025 unit=m3 per=h idle=2m");
    EXPECT_EQ(line.chip, "gpiochip0");
    EXPECT_EQ(line.offset, 17U);
    EXPECT_EQ(line.mode, Mode::counter);
    EXPECT_EQ(line.bias, Bias::pull_up);
    EXPECT_EQ(line.debounce_us, 5000);
    EXPECT_EQ(line.scale, 0.0025);
    EXPECT_EQ(line.unit, "m3");
    EXPECT_EQ(line.per, "h");
    EXPECT_EQ(line.idle_us, 120'000'000);
    EXPECT_FALSE(line.active_low);
}

TEST(GpioSpec, TakesWordsInAnyOrderAndAnyNumberOfBlanks) {
    const LineSpec line = parse_line_spec("  GPIO27\t edge=falling   active-low edges  no-pull ");
    EXPECT_EQ(line.chip, "");
    EXPECT_EQ(line.line, "GPIO27");
    EXPECT_FALSE(line.offset);
    EXPECT_EQ(line.mode, Mode::edges);
    EXPECT_EQ(line.edge, Edge::falling);
    EXPECT_EQ(line.bias, Bias::none);
    EXPECT_TRUE(line.active_low);
}

struct Place {
    const char* text;
    const char* chip;
    const char* line;
    std::optional<std::uint32_t> offset;
};

TEST(GpioSpec, KnowsChipLineNameAndOffset) {
    const Place places[] = {
        {"GPIO17", "", "GPIO17", {}},
        {"pinctrl-bcm2711:GPIO17", "pinctrl-bcm2711", "GPIO17", {}},
        {"/dev/gpiochip0:17", "/dev/gpiochip0", "", 17},
        {"/dev/gpio/by-path/pci-0000:00:1f.0:3", "/dev/gpio/by-path/pci-0000:00:1f.0", "", 3},
        {"INT33FC:00:4294967295", "INT33FC:00", "", 4294967295},
        {"'P9_22 [spi0_sclk]'", "", "P9_22 [spi0_sclk]", {}},
        {"gpio-0-31:'P8_35 [lcd d12]'", "gpio-0-31", "P8_35 [lcd d12]", {}},
        {"'my chip':'17'", "my chip", "17", {}},
        {"'17'", "", "17", {}},
        {"'a:b'", "", "a:b", {}},
        {"'counter'", "", "counter", {}},
    };
    for (const Place& place : places) {
        const LineSpec line = parse_line_spec(place.text);
        EXPECT_EQ(line.chip, place.chip) << place.text;
        EXPECT_EQ(line.line, place.line) << place.text;
        EXPECT_EQ(line.offset, place.offset) << place.text;
    }
}

TEST(GpioSpec, SaysWhatIsWrongAndWhatIsAllowed) {
    const std::pair<std::string, const char*> refused[] = {
        {"", "begins with the line: gpiochip0:17"},
        {"   \t ", "begins with the line"},
        {"17", "the offset 17 needs its chip: gpiochip0:17"},
        {":17", "names no chip before its ':'"},
        {"'':17", "names no chip"},
        {"gpiochip0:", "names no line"},
        {"''", "names no line"},
        {"gpiochip0:4294967296", "too large for a line's offset"},
        {"gpiochip0:99999999999999999999999", "too large"},
        {"counter gpiochip0:17", "begins with the line, such as gpiochip0:17, and not with 'counter'"},
        {"debounce=5ms", "begins with the line"},
        {"GPIO1 'edges", "a ' is opened and not closed"},
        {"GPIO1 edges\n", "control character"},
        {std::string("GPIO1\0edges", 11), "control character"},
        {"GPIO1 \x7f", "control character"},
        {"GPIO1 edgse", "no 'edgse' here, only level, edges, counter, active-low, pull-up"},
        {"GPIO1 Edges", "no 'Edges' here"},
        {"GPIO1 activelow", "no 'activelow'"},
        {"GPIO1 =", "no '' here"},
        {"GPIO1 =5ms", "no '' here"},
        {"GPIO1 edges edges", "'edges' is there twice"},
        {"GPIO1 edges counter", "one of level, edges or counter"},
        {"GPIO1 pull-up no-pull", "one of pull-up, pull-down or no-pull"},
        {"GPIO1 active-low=1", "'active-low' takes no value"},
        {"GPIO1 active-low=", "'active-low' takes no value"},
        {"GPIO1 debounce", "'debounce' takes a value, as in debounce=5ms"},
        {"GPIO1 debounce=", "'debounce' takes a value"},
        {"GPIO1 debounce=5", "a whole number of us, ms, s, m or h"},
        {"GPIO1 debounce=0ms", "above zero"},
        {"GPIO1 debounce=-5ms", "a whole number"},
        {"GPIO1 debounce=0.5ms", "a whole number"},
        {"GPIO1 debounce=5 ms", "a whole number"},
        {"GPIO1 debounce=ms", "a whole number"},
        {"GPIO1 debounce=11s", "at most 10s"},
        {"GPIO1 debounce=9223372036854775807h", "a whole number of us"},
        {"GPIO1 debounce=1ms debounce=1ms", "'debounce' is there twice"},
        {"GPIO1 edges edge=up", "edge= is rising, falling or both, and not 'up'"},
        {"GPIO1 edge=rising", "'edge' is only for a line that says edges or counter"},
        {"GPIO1 level edge=both", "'edge' is only for"},
        {"GPIO1 counter scale=0", "above zero"},
        {"GPIO1 counter scale=-1", "above zero"},
        {"GPIO1 counter scale=nan", "scale= takes a number"},
        {"GPIO1 counter scale=inf", "scale= takes a number"},
        {"GPIO1 counter scale=1e999", "scale= takes a number"},
        {"GPIO1 counter scale=0,5", "scale= takes a number, such as scale=0.01, and not '0,5'"},
        {"GPIO1 counter scale=0x10", "scale= takes a number"},
        {"GPIO1 counter unit=m3", "'unit' needs 'scale'"},
        {"GPIO1 counter per=d", "per= is s, min or h, and not 'd'"},
        {"GPIO1 counter idle=0s", "above zero"},
        {"GPIO1 scale=2", "'scale' is only for a line that says counter"},
        {"GPIO1 edges unit=m3", "'unit' is only for"},
        {"GPIO1 edges per=h", "'per' is only for"},
        {"GPIO1 idle=5m", "'idle' is only for"},
    };
    for (const auto& [text, part] : refused)
        try {
            parse_line_spec(text);
            ADD_FAILURE() << "took: " << text;
        } catch (const plugin_text::SpecError& error) {
            EXPECT_NE(std::string(error.what()).find(part), std::string::npos)
                << text << "\n  says: " << error.what() << "\n  not:  " << part;
        }
}

// Whatever it is made of, it is taken or refused in words, and what is taken is within bounds.
TEST(GpioSpec, TakesOrRefusesAnyMixtureOfItsParts) {
    const std::string parts[] = {"gpiochip0", ":",    "17",    " ",         "'",     "edges", "counter",
                                 "pull-up",   "=",    "scale", "debounce=", "5ms",   "\t",    "\xff",
                                 "\xc3\xa4",  "idle", "1e3",   "-",         "per=h", "\0x"};
    std::mt19937 random(5);
    int taken = 0;
    for (int run = 0; run < 50'000; ++run) {
        std::string text;
        for (auto count = random() % 9; count > 0; --count)
            text += parts[random() % std::size(parts)];
        try {
            const LineSpec line = parse_line_spec(text);
            EXPECT_TRUE(line.offset.has_value() != !line.line.empty()) << text;
            EXPECT_TRUE(!line.offset || !line.chip.empty()) << text;
            EXPECT_LE(line.debounce_us, 10'000'000) << text;
            ++taken;
        } catch (const plugin_text::SpecError& error) {
            EXPECT_GT(std::string(error.what()).size(), 10U) << text;
        }
    }
    EXPECT_GT(taken, 100);
}

}  // namespace
}  // namespace holdfast::test
