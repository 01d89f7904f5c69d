// How the gpio input finds its lines, and what it says when it does not get them.
#include "gpio_board.hpp"

namespace holdfast::test {
namespace {

TEST(Gpio, TellsWhoHasALineThatIsInUse) {
    GpioBoard pi("raspberry-pi-4", {{"select", "SPI_CE0_N"}});
    EXPECT_EQ(pi.host.open(), -EBUSY);
    EXPECT_TRUE(pi.host.has_error("lines.select: gpiochip0:8 (SPI_CE0_N) is in use by 'spi0 CS0'"));
    pi.line(8).consumer.clear();
    EXPECT_EQ(pi.host.open(), 0);
}

TEST(Gpio, WaitsForAChipThatIsNotThere) {
    GpioBoard pi("raspberry-pi-4", {{"valve", "gpiochip7:0"}});
    EXPECT_EQ(pi.host.open(), -ENODEV);
    EXPECT_TRUE(
        pi.host.has_error("lines.valve: there is no GPIO chip 'gpiochip7', only gpiochip0 "
                          "(pinctrl-bcm2711), gpiochip1 (raspberrypi-exp-gpio)"));
    pi.root.write("dev/gpiochip7", "usb-expander\nio0\n");
    EXPECT_EQ(pi.host.open(), 0);
    EXPECT_FALSE(pi.sample().get<bool>("valve"));
}

TEST(Gpio, SaysWhereItLookedWhenThereIsNoChipAtAll) {
    for (const char* line : {"GPIO17", "gpiochip0:17", "/dev/gpiochip0:17"}) {
        GpioBoard pi("raspberry-pi-4", {{"door", line}});
        std::filesystem::remove_all(pi.root / "dev");
        EXPECT_EQ(pi.host.open(), -ENODEV);
        EXPECT_TRUE(pi.host.has_error("below " + pi.root.path().string() + "/dev")) << pi.host.errors.at(0);
    }
}

TEST(Gpio, SaysWhyALineCannotBeFound) {
    const std::pair<const char*, const char*> missing[] = {
        {"GPIO99", "there is no line named 'GPIO99' on any GPIO chip"},
        {"gpiochip1:GPIO17", "there is no line named 'GPIO17' on gpiochip1"},
        {"gpiochip1:8", "gpiochip1 has the lines 0 to 7, there is no 8"},
    };
    for (const auto& [line, text] : missing) {
        GpioBoard pi("raspberry-pi-4", {{"door", line}});
        EXPECT_EQ(pi.host.open(), -ENODEV);
        EXPECT_TRUE(pi.host.has_error(text)) << pi.host.errors.at(0);
    }
}

TEST(Gpio, DoesNotGuessAmongLinesOrChipsOfOneName) {
    GpioBoard bone("beaglebone-black", {{"x", "NC"}});
    EXPECT_EQ(bone.host.open(), -ENOTUNIQ);
    EXPECT_TRUE(bone.host.has_error("two lines are named 'NC', gpiochip0:24 (NC) and gpiochip0:25 (NC)"));
    GpioBoard pi("raspberry-pi-4", {{"x", "usb-expander:0"}});
    pi.root.write("dev/gpiochip2", "usb-expander\nio0\n");
    pi.root.write("dev/gpiochip3", "usb-expander\nio0\n");
    EXPECT_EQ(pi.host.open(), -ENOTUNIQ);
    EXPECT_TRUE(pi.host.has_error("gpiochip2 and gpiochip3 are both labelled 'usb-expander'"));
}

TEST(Gpio, TakesAChipWithTwoNodesForOne) {
    GpioBoard pi("raspberry-pi-4", {{"door", "GPIO27"}});
    std::filesystem::create_symlink("gpiochip0", pi.root / "dev/gpiochip4");
    EXPECT_EQ(pi.host.open(), 0);
}

TEST(Gpio, PassesOverNodesThatAreNoChips) {
    GpioBoard pi("raspberry-pi-4", {{"door", "GPIO27"}});
    pi.root.write("dev/gpiochip9", "");
    EXPECT_EQ(pi.host.open(), 0);
}

TEST(Gpio, SaysWhenALineRaisesNoInterrupts) {
    for (const char* line : {"BT_ON edges", "BT_ON counter", "BT_ON debounce=5ms"}) {
        GpioBoard pi("raspberry-pi-4", {{"door", line}});
        pi.line(0, "gpiochip1").has_interrupt = false;
        EXPECT_EQ(pi.host.open(), -ENXIO);
        EXPECT_TRUE(pi.host.has_error("gpiochip1:0 (BT_ON) raises no interrupts"));
    }
}

TEST(Gpio, SaysWhenTheKernelIsTooOld) {
    GpioBoard pi("raspberry-pi-4", {{"door", "GPIO27"}});
    pi.fake.knows_version_2 = false;
    EXPECT_EQ(pi.host.open(), -EOPNOTSUPP);
    EXPECT_TRUE(pi.host.has_error("5.10"));
}

TEST(Gpio, RefusesOptionsBeforeItLooksAtTheHardware) {
    const std::pair<TestHost::Items, const char*> wrong[] = {
        {{}, "lines: names no line"},
        {{{"door", "GPIO27 edgse"}}, "lines.door: there is no 'edgse' here"},
        {{{"a", "GPIO5"}, {"b", "17"}}, "lines.b: the offset 17 needs its chip"},
    };
    for (const auto& [lines, text] : wrong) {
        GpioBoard pi("raspberry-pi-4", lines);
        std::filesystem::remove_all(pi.root / "dev");
        EXPECT_EQ(pi.host.open(), -EINVAL);
        EXPECT_TRUE(pi.host.has_error(text));
    }
}

TEST(Gpio, RefusesOneLineUnderTwoNamesAndTooMany) {
    GpioBoard pi("raspberry-pi-4", {{"a", "GPIO17"}, {"b", "/dev/gpiochip0:17"}});
    EXPECT_EQ(pi.host.open(), -EINVAL);
    EXPECT_TRUE(pi.host.has_error("lines.a and lines.b are both gpiochip0:17 (GPIO17)"));
    TestHost::Items many;
    for (int i = 0; i < 65; ++i)
        many.emplace_back("line" + std::to_string(i), "gpiochip0:" + std::to_string(i));
    GpioBoard crowd("raspberry-pi-4", many);
    EXPECT_EQ(crowd.host.open(), -EINVAL);
    EXPECT_TRUE(crowd.host.has_error("more than 64 lines"));
}

TEST(Gpio, RefusesAChannelThatTwoLinesWouldMake) {
    GpioBoard pi("raspberry-pi-4", {{"water", "GPIO17 counter"}, {"water.rate", "GPIO27"}});
    EXPECT_EQ(pi.host.open(), -EINVAL);
    EXPECT_TRUE(pi.host.has_error("'water.rate' cannot be declared"));
}

}  // namespace
}  // namespace holdfast::test
