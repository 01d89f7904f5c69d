// A board's GPIO chips below a directory, and the gpio input on them with the kernel's side played by a fake.
#pragma once

#include "fake_gpio.hpp"
#include "gpio/gpio.hpp"
#include "plugin_files.hpp"
#include "support/temp_dir.hpp"

namespace holdfast::test {

inline FakeGpio* fake_gpio = nullptr;    // of the test that runs
inline std::int64_t gpio_now_us = 0;     // CLOCK_MONOTONIC, as the input and the kernel have it
constexpr std::int64_t gpio_asleep_us = 700;      // CLOCK_BOOTTIME less that
constexpr std::uint64_t ms = 1'000'000;  // in nanoseconds, as the kernel stamps edges

inline std::int64_t gpio_clock(clockid_t clock) {
    return (clock == CLOCK_MONOTONIC ? gpio_now_us : gpio_now_us + gpio_asleep_us) * 1000;
}

struct GpioOnFake : gpio_input::Gpio {
    explicit GpioOnFake(plugin::Host host) : Gpio(host, fake_gpio->control(), gpio_clock) {}
};

inline const holdfast_plugin& gpio_on_fake() {
    static const holdfast_plugin& shipped = shipped_plugin("gpio");
    static const holdfast_plugin made =
        plugin::describe<GpioOnFake>("gpio", "1", "", {shipped.options, shipped.option_count});
    return made;
}

// A board's chips and the input on them.
class GpioBoard {
  public:
    GpioBoard(const std::string& board, const TestHost::Items& lines)
        : host(gpio_on_fake(), TestHost::Options{{"lines", lines}}) {
        fake_gpio = &fake;
        gpio_now_us = 5'000'000'000;
        const auto from = std::filesystem::path(HOLDFAST_FIXTURES) / board / "dev";
        std::filesystem::create_directories(root / "dev");
        for (const auto& node : std::filesystem::directory_iterator(from))
            std::filesystem::copy(node.path(), root / "dev");
        for (const auto& node : std::filesystem::directory_iterator(root / "dev"))
            fake.load(node.path());
        host.sensor_root = root.path();
    }
    ~GpioBoard() { host.close(); }
    FakeGpio::Line& line(std::uint32_t offset, const std::string& chip = "gpiochip0") {
        return fake.line(chip, offset);
    }
    // What the next sample says.
    TestHost::Emitted sample() {
        EXPECT_EQ(host.sample(), 0) << (host.errors.empty() ? "" : host.errors.back());
        return host.readings.back();
    }

    TempDir root;
    FakeGpio fake;
    TestHost host;
};

}  // namespace holdfast::test
