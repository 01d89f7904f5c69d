// The gpio input on a chip that the kernel simulates (gpio-sim, Documentation/admin-guide/gpio/gpio-sim.rst):
// skipped where the module or the right to make a chip is missing.
#include <sched.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <thread>

#include <holdfast/plugin.hpp>

#include "plugin_files.hpp"

namespace holdfast::test {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

// A chip of eight lines, of which number 3 is named; gone with the object.
class SimulatedChip {
  public:
    SimulatedChip() {
        fs::create_directories(device_ / "bank0/line3");
        write(device_ / "bank0/num_lines", "8");
        write(device_ / "bank0/label", "holdfast-test");
        write(device_ / "bank0/line3/name", "holdfast-door");
        write(device_ / "live", "1");
        name_ = read(device_ / "bank0/chip_name");
        lines_ = fs::path("/sys/devices/platform") / read(device_ / "dev_name") / name_;
    }
    ~SimulatedChip() {
        write(device_ / "live", "0");
        for (const char* directory : {"bank0/line3", "bank0", ""})
            ::rmdir((device_ / directory).c_str());
    }
    static std::string missing() {
        if (!fs::exists("/sys/kernel/config/gpio-sim"))
            return "no /sys/kernel/config/gpio-sim: the kernel's gpio-sim is not loaded";
        if (::geteuid() != 0) return "only root makes chips of gpio-sim";
        return "";
    }
    const std::string& name() const { return name_; }
    // One file for a line, kept open, as a thousand edges a second go through it.
    std::ofstream pull(int line) const {
        return std::ofstream(lines_ / ("sim_gpio" + std::to_string(line)) / "pull");
    }
    void unplug() { write(device_ / "live", "0"); }

  private:
    static void write(const fs::path& file, const std::string& text) { std::ofstream(file) << text; }
    static std::string read(const fs::path& file) {
        std::string word;
        std::ifstream(file) >> word;
        return word;
    }

    fs::path device_ = "/sys/kernel/config/gpio-sim/holdfast-test-" + std::to_string(::getpid());
    std::string name_;
    fs::path lines_;
};

void set(std::ofstream& pull, bool up) {
    pull.seekp(0);
    pull << (up ? "pull-up" : "pull-down") << std::flush;
}

// The kernel numbers an edge in a thread (edge_irq_thread, drivers/gpio/gpiolib-cdev.c), and makes one of two
// edges when that had no turn between them. On one processor with the test, which it goes before as it is a
// real-time thread, it takes each edge before the write that made it returns.
void share_a_processor_with_the_edge_thread() {
    cpu_set_t first;
    CPU_ZERO(&first);
    CPU_SET(0, &first);
    int threads = 0;
    for (const auto& entry : fs::directory_iterator("/proc")) {
        std::string name;
        std::ifstream(entry.path() / "comm") >> name;
        if (!name.starts_with("irq/") || name.find("-hold") == std::string::npos) continue;
        ASSERT_EQ(::sched_setaffinity(std::stoi(entry.path().filename()), sizeof first, &first), 0) << name;
        ++threads;
    }
    ASSERT_GT(threads, 0);
    ASSERT_EQ(::sched_setaffinity(0, sizeof first, &first), 0);
}

class GpioSim : public testing::Test {
  protected:
    void SetUp() override {
        if (const std::string missing = SimulatedChip::missing(); !missing.empty()) GTEST_SKIP() << missing;
        chip.emplace();
    }
    void TearDown() override { chip.reset(); }
    std::optional<SimulatedChip> chip;
};

TEST_F(GpioSim, ReadsLevelsByNameOffsetAndLabel) {
    TestHost host(shipped_plugin("gpio"), {{"lines", TestHost::Items{{"door", "holdfast-door"},
                                                                     {"gate", chip->name() + ":4 active-low"},
                                                                     {"hatch", "holdfast-test:5 pull-up"}}}});
    ASSERT_EQ(host.open(), 0) << host.errors.at(0);
    auto pull = chip->pull(3);
    set(pull, true);
    ASSERT_EQ(host.sample(), 0);
    EXPECT_TRUE(host.readings.back().get<bool>("door"));
    EXPECT_TRUE(host.readings.back().get<bool>("gate"));
    EXPECT_TRUE(host.readings.back().get<bool>("hatch"));
}

TEST_F(GpioSim, EmitsEdgesWithinAMillisecondOfTheKernelsTime) {
    TestHost host(shipped_plugin("gpio"), {{"lines", TestHost::Items{{"door", "holdfast-door edges"}}}});
    ASSERT_EQ(host.open(), 0) << host.errors.at(0);
    auto pull = chip->pull(3);
    std::vector<std::pair<Clock::time_point, Clock::time_point>> made;
    std::vector<Clock::time_point> seen;
    host.on_emit = [&] {
        const auto asleep = std::chrono::nanoseconds(-plugin::ahead_of_boot_ns(CLOCK_MONOTONIC));
        seen.push_back(Clock::time_point(std::chrono::microseconds(host.readings.back().boot_time_us) - asleep));
    };
    for (std::size_t i = 1; i <= 20; ++i) {
        const auto before = Clock::now();
        set(pull, i % 2 == 1);
        ASSERT_TRUE(host.run_until([&] { return seen.size() == i; }));
        made.emplace_back(before, Clock::now());
        EXPECT_EQ(host.readings.back().get<bool>("door"), i % 2 == 1);
        // The kernel stamped it after it was made and before it was read.
        EXPECT_GE(seen.back(), made.back().first - std::chrono::milliseconds(1));
        EXPECT_LE(seen.back(), made.back().second + std::chrono::milliseconds(1));
    }
}

TEST_F(GpioSim, CountsTenThousandEdgesAtOneKilohertzExactly) {
    TestHost host(shipped_plugin("gpio"), {{"lines", TestHost::Items{{"water", "holdfast-door counter"}}}});
    ASSERT_EQ(host.open(), 0) << host.errors.at(0);
    share_a_processor_with_the_edge_thread();
    auto pull = chip->pull(3);
    auto next = Clock::now();
    for (int i = 0; i < 10'000; ++i)
        for (const bool up : {true, false}) {
            std::this_thread::sleep_until(next += std::chrono::microseconds(500));  // makes the 1 kHz
            set(pull, up);
        }
    ASSERT_TRUE(host.run_until([&] {
        EXPECT_EQ(host.sample(), 0);
        return host.readings.back().get<std::int64_t>("water.count") >= 10'000;
    }));
    EXPECT_EQ(host.readings.back().get<std::int64_t>("water.count"), 10'000);
    EXPECT_TRUE(host.errors.empty());
}

TEST_F(GpioSim, TellsThatAnotherHasTheLine) {
    const TestHost::Options options{{"lines", TestHost::Items{{"door", "holdfast-door"}}}};
    TestHost first(shipped_plugin("gpio"), options);
    TestHost second(shipped_plugin("gpio"), options);
    ASSERT_EQ(first.open(), 0) << first.errors.at(0);
    EXPECT_EQ(second.open(), -EBUSY);
    EXPECT_TRUE(second.has_error("is in use by 'holdfast'")) << second.errors.at(0);
}

TEST_F(GpioSim, IsGoneWhenTheChipIs) {
    TestHost host(shipped_plugin("gpio"), {{"lines", TestHost::Items{{"door", "holdfast-door edges"}}}});
    ASSERT_EQ(host.open(), 0) << host.errors.at(0);
    chip->unplug();
    EXPECT_EQ(host.sample(), -ENODEV);
    host.close();
}

}  // namespace
}  // namespace holdfast::test
