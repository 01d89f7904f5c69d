// The system input on the kernel files of two boards, and on such as change under it.
#include <sys/statvfs.h>

#include <filesystem>

#include "system_board.hpp"

namespace holdfast::test {
namespace {

// Disk space is that of the file system the test runs on: looked at elsewhere.
const std::vector<std::string> all_but_disks = {"cpu",     "cores",       "memory", "load",    "diskio",
                                                "network", "temperature", "uptime", "pressure"};

TEST(System, ReadsARaspberryPi4) {
    Board board("raspberry-pi-4", all_but_disks);
    board.start();
    board.change();
    expect_equal(board.sample(), {{"cpu.usage", 22},
                                  {"cpu.user", 15},
                                  {"cpu.nice", 1},
                                  {"cpu.system", 5},
                                  {"cpu.idle", 75},
                                  {"cpu.iowait", 3},
                                  {"cpu.irq", 0},
                                  {"cpu.softirq", 1},
                                  {"cpu.steal", 0},
                                  {"cpu.core0.usage", 64},
                                  {"cpu.core1.usage", 100.0 * 190 / 1000},
                                  {"cpu.core2.usage", 5},
                                  {"cpu.core3.usage", 0},
                                  {"memory.total", 3884376.0 * 1024},
                                  {"memory.free", 2101380.0 * 1024},
                                  {"memory.available", 3337712.0 * 1024},
                                  {"memory.buffers", 70508.0 * 1024},
                                  {"memory.cached", 1243884.0 * 1024},
                                  {"memory.used", 546664.0 * 1024},
                                  {"swap.total", 102396.0 * 1024},
                                  {"swap.free", 102396.0 * 1024},
                                  {"swap.used", 0},
                                  {"load.1", 0.21},
                                  {"load.5", 0.13},
                                  {"load.15", 0.05},
                                  {"uptime", 22290.17},
                                  {"diskio.mmcblk0.read_bytes", 40960},
                                  {"diskio.mmcblk0.write_bytes", 102400},
                                  {"diskio.mmcblk0.reads", 2.5},
                                  {"diskio.mmcblk0.writes", 10},
                                  {"diskio.mmcblk0.busy", 5},
                                  {"net.eth0.rx_bytes", 12500},
                                  {"net.eth0.rx_packets", 10},
                                  {"net.eth0.rx_errors", 0.2},
                                  {"net.eth0.rx_drops", 0.1},
                                  {"net.eth0.tx_bytes", 4000},
                                  {"net.eth0.tx_packets", 5},
                                  {"net.eth0.tx_errors", 0.1},
                                  {"net.eth0.tx_drops", 0.3},
                                  {"net.wlan0.rx_bytes", 0},
                                  {"net.wlan0.rx_packets", 0},
                                  {"net.wlan0.rx_errors", 0},
                                  {"net.wlan0.rx_drops", 0},
                                  {"net.wlan0.tx_bytes", 0},
                                  {"net.wlan0.tx_packets", 0},
                                  {"net.wlan0.tx_errors", 0},
                                  {"net.wlan0.tx_drops", 0},
                                  {"temperature.cpu-thermal", 48.199}});
}

TEST(System, ReadsProcessorsOfAnX86Box) {
    Board board("x86-box", {"cpu", "cores"});
    board.start();
    board.change();
    expect_equal(board.sample(), {{"cpu.usage", 66},
                                  {"cpu.user", 40},
                                  {"cpu.nice", 0},
                                  {"cpu.system", 20},
                                  {"cpu.idle", 30},
                                  {"cpu.iowait", 4},
                                  {"cpu.irq", 0.5},
                                  {"cpu.softirq", 3},
                                  {"cpu.steal", 2.5},
                                  {"cpu.core0.usage", 86},
                                  {"cpu.core1.usage", 46}});
}

TEST(System, ReadsTrafficOfAnX86Box) {
    Board board("x86-box", {"diskio", "network"});
    board.start();
    board.change();
    const Numbers seen = board.sample();
    EXPECT_EQ(seen.at("diskio.nvme0n1.read_bytes"), 10240);
    EXPECT_EQ(seen.at("diskio.nvme0n1.busy"), 100);
    EXPECT_EQ(seen.at("diskio.dm-0.writes"), 4);
    EXPECT_EQ(seen.at("diskio.sda.writes"), 0);
    EXPECT_EQ(seen.at("net.enp1s0.rx_bytes"), 1000);
    EXPECT_EQ(seen.at("net.enp1s0.tx_packets"), 20);
    EXPECT_EQ(seen.at("net.br-lan.rx_packets"), 0.5);
    // Three disks with 5 values, two interfaces with 8: no partition, no image, no memory, no end of a
    // container's line.
    EXPECT_EQ(seen.size(), 3U * 5 + 2U * 8);
}

TEST(System, ReadsTemperaturesOfAnX86Box) {
    Board board("x86-box", {"temperature"});
    // A read of a 1-Wire thermometer takes as long as a conversion.
    board.root().write("sys/class/hwmon/hwmon9/name", "w1_slave_temp\n");
    board.root().write("sys/class/hwmon/hwmon9/temp1_input", "21500\n");
    board.start();
    expect_equal(board.sample(), {{"temperature.acpitz", 27.8},
                                  {"temperature.acpitz_2", 29.8},
                                  {"temperature.x86_pkg_temp", 51},
                                  {"temperature.coretemp.package_id_0", 51},
                                  {"temperature.coretemp.core_0", 49},
                                  {"temperature.coretemp.core_1", 50.5},
                                  {"temperature.nvme.composite", 38.85},
                                  {"temperature.nct6775.temp2", -5}});
}

TEST(System, ReadsPressureOfAnX86Box) {
    Board board("x86-box", {"pressure"});
    board.start();
    const Numbers seen = board.sample();
    EXPECT_EQ(seen.at("pressure.cpu.some.avg10"), 1.53);
    EXPECT_EQ(seen.at("pressure.memory.full.total"), 900);
    EXPECT_EQ(seen.at("pressure.io.full.avg300"), 1);
    EXPECT_EQ(seen.size(), 24U);
}

TEST(System, ReadsSpaceOfEachFileSystemOnceBelowTheSensorRoot) {
    Board board("raspberry-pi-4", {"disks"});
    std::filesystem::create_directories(board.root() / "boot/firmware");
    std::filesystem::create_directories(board.root() / "var/lib/bind");
    std::filesystem::create_directories(board.root() / "mnt/nas");
    board.start();
    const Numbers seen = board.sample();
    struct statvfs space {};
    ASSERT_EQ(::statvfs(board.root().path().c_str(), &space), 0);
    const double total = static_cast<double>(space.f_blocks) * static_cast<double>(space.f_frsize);
    EXPECT_EQ(seen.at("disk.root.total"), total);
    EXPECT_EQ(seen.at("disk.boot_firmware.total"), total);
    EXPECT_LE(seen.at("disk.root.used"), total);
    EXPECT_LE(seen.at("disk.root.used") + seen.at("disk.root.free"), total);
    EXPECT_GE(seen.at("disk.root.usage"), 0);
    EXPECT_LE(seen.at("disk.root.usage"), 100);
    EXPECT_EQ(seen.size(), 2U * 4);
}

TEST(System, ReadsMountsWithBlanksAndLeavesOutImagesAndWhatIsGone) {
    Board board("x86-box", {"disks"});
    std::filesystem::create_directories(board.root() / "srv/my data");
    std::filesystem::create_directories(board.root() / "snap/core/1");
    board.start();
    const Numbers seen = board.sample();
    EXPECT_EQ(seen.count("disk.root.total"), 1U);
    EXPECT_EQ(seen.count("disk.srv_my_data.total"), 1U);
    EXPECT_EQ(seen.size(), 2U * 4);
}

TEST(System, KeepsOneReadingForEverythingAndAsksForUnits) {
    Board board("raspberry-pi-4");
    board.start();
    board.change();
    board.sample();
    EXPECT_EQ(board.host().readings.size(), 1U);
    std::map<std::string, std::string> units;
    for (const auto& channel : board.host().channels)
        units[channel.name] = channel.unit;
    EXPECT_EQ(units.at("cpu.usage"), "%");
    EXPECT_EQ(units.at("memory.used"), "By");
    EXPECT_EQ(units.at("net.eth0.rx_bytes"), "By/s");
    EXPECT_EQ(units.at("temperature.cpu-thermal"), "Cel");
    EXPECT_EQ(units.at("uptime"), "s");
    EXPECT_EQ(units.at("load.1"), "");
}

TEST(System, WaitsAQuarterOfASecondForTheFirstRates) {
    Board board("raspberry-pi-4", {"cpu"});
    board.start();
    board.change();
    now_us += 50'000;
    EXPECT_EQ(board.input().sample(), -EAGAIN);
    EXPECT_EQ(board.host().sample_after_us, 200'000);
    now_us += 200'000;
    EXPECT_EQ(board.input().sample(), 0);
    EXPECT_EQ(numbers(board.host().readings.at(0)).at("cpu.usage"), 22);
}

// As proc(5) says that it may.
TEST(System, TakesIowaitThatFellForNone) {
    Board board("x86-box", {"cpu", "cores"});
    board.root().write("proc/stat", "cpu  100 0 100 1000 50 0 0 0 0 0\ncpu0 100 0 100 1000 50 0 0 0 0 0\n");
    board.start();
    board.root().write("proc/stat", "cpu  110 0 110 1080 49 0 0 0 0 0\ncpu0 110 0 110 1080 49 0 0 0 0 0\n");
    const Numbers seen = board.sample();
    EXPECT_EQ(seen.at("cpu.usage"), 20);
    EXPECT_EQ(seen.at("cpu.iowait"), 0);
    EXPECT_EQ(seen.at("cpu.core0.usage"), 20);
}

TEST(System, TakesCountersThatWentBackwardsForANewBaseLine) {
    Board board("raspberry-pi-4", {"network", "uptime"});
    board.start();
    board.root().write("proc/net/dev", "a\nb\n eth0: 100 1 0 0 0 0 0 0 100 1 0 0 0 0 0 0\n");
    EXPECT_EQ(board.sample().count("net.eth0.rx_bytes"), 0U);
    board.root().write("proc/net/dev", "a\nb\n eth0: 1100 2 0 0 0 0 0 0 100 1 0 0 0 0 0 0\n");
    EXPECT_EQ(board.sample().at("net.eth0.rx_bytes"), 100);
}

TEST(System, TakesADeviceThatWasAwayForANewOne) {
    Board board("raspberry-pi-4", {"network", "uptime"});
    const auto with = [&](const std::string& counters) {
        board.root().write("proc/net/dev", "a\nb\n" + counters);
    };
    board.start();
    with("");
    EXPECT_EQ(board.sample().size(), 1U);
    with(" eth0: 99999999999 1 0 0 0 0 0 0 99999999999 1 0 0 0 0 0 0\n");
    EXPECT_EQ(board.sample().size(), 1U);
    with(" eth0: 99999999999 1 0 0 0 0 0 0 99999999999 1 0 0 0 0 0 0\n");
    EXPECT_EQ(board.sample().at("net.eth0.tx_bytes"), 0);
}

TEST(System, SurvivesGarbageInEveryFile) {
    for (const std::string garbage :
         {"", "\n", "cpu", "cpu \xff\xfe x y\n:::\n", "1 2 3 4 5 6 7 8 9\n\n\n99999999999999999999\n"}) {
        Board board("x86-box");
        for (const auto& entry : std::filesystem::recursive_directory_iterator(board.root().path()))
            if (entry.is_regular_file()) std::filesystem::remove(entry.path());
        board.root().write("proc/uptime", "5 5\n");
        for (const char* file : {"stat", "meminfo", "loadavg", "diskstats", "net/dev", "net/wireless",
                                 "1/mounts", "pressure/io"})
            board.root().write(std::string("proc/") + file, garbage);
        for (const char* file :
             {"thermal/thermal_zone0/type", "thermal/thermal_zone0/temp", "hwmon/hwmon0/temp1_input"})
            board.root().write(std::string("sys/class/") + file, garbage);
        board.start();
        EXPECT_EQ(board.sample().at("uptime"), 5);
        EXPECT_EQ(board.sample().at("uptime"), 5);
    }
}

TEST(System, IsInErrorOnlyWhenNothingAtAllIsThere) {
    const TempDir root;
    TestHost host(shipped_plugin("system"));
    host.sensor_root = root.path();
    host.interval_us = 0;
    ASSERT_EQ(host.open(), 0);
    EXPECT_EQ(host.sample(), -ENODATA);
    EXPECT_TRUE(host.has_error(root.path().string() + "/proc"));
    root.write("proc/uptime", "1.5 1\n");
    EXPECT_EQ(host.sample(), 0);
}

TEST(System, RefusesAGroupThatThereIsNot) {
    TestHost host(shipped_plugin("system"), {{"collect", TestHost::list({"cpu", "gpu"})}});
    EXPECT_EQ(host.open(), -EINVAL);
    EXPECT_TRUE(host.has_error("'gpu'"));
    EXPECT_TRUE(host.has_error("temperature"));
}

TEST(System, LeavesOutWhatTheAgentTakesNoChannelsFor) {
    Board board("raspberry-pi-4", {"network", "uptime"});
    std::string interfaces = "a\nb\n";
    for (int i = 0; i < 600; ++i)
        interfaces += " if" + std::to_string(i) + ": 1 1 1 1 0 0 0 0 1 1 1 1 0 0 0 0\n";
    board.root().write("proc/net/dev", interfaces);
    board.start();
    EXPECT_EQ(board.sample().size(), 4096U);
    EXPECT_EQ(board.sample().size(), 4096U);
    EXPECT_EQ(board.host().logs.size(), 1U);
}

TEST(System, ReadsThisVeryMachine) {
    TestHost host(shipped_plugin("system"),
                  {{"collect", TestHost::list({"memory", "load", "uptime", "disks"})}});
    host.interval_us = 0;
    ASSERT_EQ(host.open(), 0);
    ASSERT_EQ(host.sample(), 0);
    const Numbers seen = numbers(host.readings.at(0));
    EXPECT_GT(seen.at("memory.total"), 0);
    EXPECT_GT(seen.at("uptime"), 0);
    EXPECT_GT(seen.at("disk.root.total"), 0);
}

}  // namespace
}  // namespace holdfast::test
