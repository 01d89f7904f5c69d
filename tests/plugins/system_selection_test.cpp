// What options select of a board: interfaces, disks, mounts, processes; and what only some boards have.
#include <unistd.h>

#include <fstream>

#include "system_board.hpp"

namespace holdfast::test {
namespace {

TestHost::Options option(const std::string& key, const std::vector<std::string>& items) {
    return {{key, TestHost::list(items)}};
}

// Whether any channel begins so.
bool has(const Numbers& seen, const std::string& beginning) {
    return std::any_of(seen.begin(), seen.end(),
                       [&](const auto& value) { return value.first.starts_with(beginning); });
}

TEST(SystemSelection, TakesTheInterfacesThatAreNamed) {
    Board board("raspberry-pi-4", {"network", "wireless"}, option("interfaces", {"wlan*", "lo"}));
    board.start();
    const Numbers seen = board.sample();
    EXPECT_EQ(seen.count("net.wlan0.rx_bytes"), 1U);
    EXPECT_EQ(seen.count("net.lo.rx_bytes"), 1U);
    EXPECT_EQ(seen.count("wireless.wlan0.signal"), 1U);
    EXPECT_FALSE(has(seen, "net.eth0."));
}

TEST(SystemSelection, LeavesOutTheInterfacesThatAreNamedSo) {
    Board board("raspberry-pi-4", {"network", "wireless", "uptime"}, option("interfaces", {"!wlan*"}));
    board.start();
    const Numbers seen = board.sample();
    EXPECT_TRUE(has(seen, "net.eth0.") && has(seen, "net.lo."));
    EXPECT_FALSE(has(seen, "net.wlan0.") || has(seen, "wireless."));
}

TEST(SystemSelection, TakesTheDisksThatAreNamed) {
    Board board("x86-box", {"diskio"}, option("disks", {"nvme*", "sd?", "!sda"}));
    board.start();
    const Numbers seen = board.sample();
    EXPECT_TRUE(has(seen, "diskio.nvme0n1."));
    EXPECT_FALSE(has(seen, "diskio.sda.") || has(seen, "diskio.dm-0."));
}

TEST(SystemSelection, TakesTheMountsThatAreNamed) {
    Board board("raspberry-pi-4", {"disks"}, option("mounts", {"/boot*"}));
    std::filesystem::create_directories(board.root() / "boot/firmware");
    board.start();
    const Numbers seen = board.sample();
    EXPECT_TRUE(has(seen, "disk.boot_firmware."));
    EXPECT_FALSE(has(seen, "disk.root."));
}

TEST(SystemSelection, RefusesListsThatSelectNothing) {
    for (const char* key : {"interfaces", "disks", "mounts"}) {
        TestHost host(shipped_plugin("system"), option(key, {}));
        EXPECT_EQ(host.open(), -EINVAL) << key;
        EXPECT_TRUE(host.has_error(key)) << key;
    }
}

TEST(SystemWireless, ReadsSignalAndNoiseWhereTheDriverKnowsThem) {
    Board pi("raspberry-pi-4", {"wireless"});
    pi.start();
    expect_equal(pi.sample(), {{"wireless.wlan0.quality", 49}, {"wireless.wlan0.signal", -61}});
    Board box("x86-box", {"wireless"});
    box.start();
    expect_equal(box.sample(), {{"wireless.wlp2s0.quality", 70},
                                {"wireless.wlp2s0.signal", -38},
                                {"wireless.wlp2s0.noise", -95},
                                {"wireless.wlp3s0.quality", 0}});
}

TEST(SystemPower, TellsUnderVoltageOfARaspberryPi) {
    Board board("raspberry-pi-4", {"power"});
    board.start();
    expect_equal(board.sample(), {{"power.under_voltage", 0}});
    board.root().write("sys/class/hwmon/hwmon1/in0_lcrit_alarm", "1\n");
    expect_equal(board.sample(), {{"power.under_voltage", 1}});
}

TEST(SystemThrottling, ReadsTheFirmwaresFlags) {
    Board board("raspberry-pi-4", {"throttling"});
    board.start();
    const Numbers expected = {{"throttling.under_voltage", 1},      {"throttling.frequency_capped", 0},
                              {"throttling.throttled", 1},          {"throttling.temperature_limit", 0},
                              {"throttling.under_voltage_seen", 1}, {"throttling.frequency_capped_seen", 0},
                              {"throttling.throttled_seen", 1},     {"throttling.temperature_limit_seen", 0}};
    expect_equal(board.sample(), expected);
}

TEST(SystemThrottling, FindsTheFirmwareWhereverABoardHasIt) {
    Board board("raspberry-pi-4", {"throttling", "uptime"});
    const std::string file =
        "sys/bus/platform/drivers/raspberrypi-firmware/soc@107c000000:firmware/get_throttled";
    board.start();
    board.root().write(file, "80008\n");
    const Numbers seen = board.sample();
    EXPECT_EQ(seen.at("throttling.temperature_limit"), 1);
    EXPECT_EQ(seen.at("throttling.under_voltage"), 0);
    for (const char* garbage : {"", "\n", "0x", "100000000\n", "-1\n", "5 5\n", "throttled=0x0\n"}) {
        board.root().write(file, garbage);
        EXPECT_EQ(board.sample().size(), 1U) << garbage;
    }
}

TEST(SystemProcesses, SumsTheProcessesOfAName) {
    Board board("raspberry-pi-4", {"uptime"},
                option("processes", {"mosquitto", "node-*", "a) (b", "absent", "mosquitto_sub"}));
    board.start();
    board.change();
    Numbers seen = board.sample();
    seen.erase("uptime");
    const double page = static_cast<double>(::sysconf(_SC_PAGESIZE));
    const double tick_percent = 100.0 / static_cast<double>(::sysconf(_SC_CLK_TCK)) / 10;
    expect_equal(seen, {{"process.mosquitto.count", 1},
                        {"process.mosquitto.memory", 1640 * page},
                        {"process.mosquitto.cpu", 80 * tick_percent},
                        {"process.node-.count", 2},
                        {"process.node-.memory", 27100 * page},
                        // The second is another one than ten seconds ago, of the same id.
                        {"process.node-.cpu", 500 * tick_percent},
                        {"process.a___b.count", 1},
                        {"process.a___b.memory", 10 * page},
                        {"process.a___b.cpu", 0},
                        {"process.absent.count", 0},
                        {"process.absent.memory", 0},
                        {"process.absent.cpu", 0},
                        // It has ended, and its parent has not looked yet.
                        {"process.mosquitto_sub.count", 0},
                        {"process.mosquitto_sub.memory", 0},
                        {"process.mosquitto_sub.cpu", 0}});
}

TEST(SystemProcesses, KnowsNamesThatTheKernelCutsOff) {
    Board board("x86-box", {"uptime"}, option("processes", {"systemd-resolved", "meter-collector.py"}));
    board.root().write("proc/uptime", "1 1\n");
    board.start();
    const Numbers seen = board.sample();
    EXPECT_EQ(seen.at("process.systemd-resolved.count"), 1);
    EXPECT_EQ(seen.at("process.meter-collector_py.count"), 1);
}

TEST(SystemProcesses, SaysOnceThatTheyAreHidden) {
    Board board("raspberry-pi-4", {"uptime"}, option("processes", {"mosquitto"}));
    std::filesystem::remove_all(board.root() / "proc/1");
    board.start();
    EXPECT_EQ(board.sample().size(), 1U);
    EXPECT_EQ(board.sample().size(), 1U);
    ASSERT_EQ(board.host().errors.size(), 1U);
    EXPECT_TRUE(board.host().has_error("ProtectProc=default"));
}

TEST(SystemProcesses, SkipsWhatIsNoStatOfAProcess) {
    Board board("raspberry-pi-4", {"uptime"}, option("processes", {"x", "9*"}));
    const std::string good = "9 (x) S 1 9 9 0 -1 0 0 0 0 0 7 7 0 0 20 0 1 0 5 0 3 0";
    int id = 5000;
    for (const std::string& text :
         {std::string(), std::string("9"), std::string("()"), std::string(")("), std::string("9 (x)"),
          std::string("9 (x) S"), good.substr(0, good.size() - 6),
          std::string("9 (x) S a b c d e f g h i j k l"),
          std::string("9 (x) S 1 9 9 0 -1 0 0 0 0 0 -7 7 0 0 20 0 1 0 5 0 3 0"), std::string("\xff(\0)", 4)})
        board.root().write("proc/" + std::to_string(id++) + "/stat", text);
    board.root().write("proc/4999/stat", good);
    board.start();
    EXPECT_EQ(board.sample().at("process.x.count"), 1);
}

TEST(SystemProcesses, CountsThisVeryProcess) {
    std::ifstream file("/proc/self/comm");
    std::string name;
    std::getline(file, name);
    TestHost host(shipped_plugin("system"),
                  {{"processes", TestHost::list({name + "*"})}, {"collect", TestHost::list({"uptime"})}});
    host.interval_us = 0;
    ASSERT_EQ(host.open(), 0);
    ASSERT_EQ(host.sample(), 0);
    const Numbers seen = numbers(host.readings.at(0));
    EXPECT_GE(seen.at("process." + name + ".count"), 1);
    EXPECT_GT(seen.at("process." + name + ".memory"), 0);
}

TEST(SystemProcesses, RefusesNamesThatNameNothing) {
    for (const char* name : {"", "*", "!x"}) {
        TestHost host(shipped_plugin("system"), option("processes", {name}));
        EXPECT_EQ(host.open(), -EINVAL) << name;
        EXPECT_TRUE(host.has_error("processes:"));
    }
}

}  // namespace
}  // namespace holdfast::test
