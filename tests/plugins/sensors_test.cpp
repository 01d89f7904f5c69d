// What the inputs of sensors share: files below the sensor root, patterns, names that last.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <system_error>

#include "shared/sensors/device_names.hpp"
#include "shared/sensors/hwmon_tree.hpp"
#include "shared/sensors/patterns.hpp"
#include "support/temp_dir.hpp"

namespace holdfast::test {
namespace {

using sensors::Device;
using sensors::Naming;
using sensors::Patterns;
using sensors::SensorFiles;

TEST(SensorFiles, SayWhyAReadFailed) {
    const TempDir root;
    // The one file of a running system whose first byte can't be read.
    std::filesystem::create_symlink("/proc/self/mem", root / "eio");
    ASSERT_EQ(::mkfifo((root / "eagain").c_str(), 0600), 0);
    const int writer = ::open((root / "eagain").c_str(), O_RDWR | O_CLOEXEC);
    ASSERT_GE(writer, 0);
    SensorFiles files(root.path());
    EXPECT_FALSE(files.read({"/eio"}));
    EXPECT_EQ(files.error(), EIO);
    EXPECT_FALSE(files.read({"/eagain"}));
    EXPECT_EQ(files.error(), EAGAIN);
    EXPECT_FALSE(files.read({"/enoent"}));
    EXPECT_EQ(files.error(), ENOENT);
    root.write("well", "7\n");
    EXPECT_EQ(files.read_word({"/well"}), "7");
    EXPECT_EQ(files.error(), 0);
    ::close(writer);
}

TEST(SensorFiles, AWordEndsBeforeTheNulThatSomeFilesHave) {
    TempDir root;
    std::ofstream(root.path() / "clock") << std::string_view("boottime\n\0", 10);
    SensorFiles files(root.path());
    EXPECT_EQ(files.read_word({"/clock"}), "boottime");
}

TEST(SensorFiles, WriteReplacesWhatIsThereAndMakesNothing) {
    const TempDir root;
    root.write("enable", "100\n");
    SensorFiles files(root.path());
    EXPECT_EQ(files.write({"/enable"}, "1"), 0);
    EXPECT_EQ(files.read({"/enable"}), "1");
    EXPECT_EQ(files.write({"/nowhere"}, "1"), ENOENT);
    EXPECT_FALSE(files.exists({"/nowhere"}));
}

TEST(SensorFiles, ResolveWithoutTheRoot) {
    const TempDir root;
    std::filesystem::create_directories(root / "sys/devices/pci0000:00/0000:00:1d.0");
    std::filesystem::create_directories(root / "sys/class/x");
    std::filesystem::create_symlink("../../devices/pci0000:00/0000:00:1d.0", root / "sys/class/x/device");
    SensorFiles files(root.path());
    EXPECT_EQ(files.resolve({"/sys/class/x/device"}), "/sys/devices/pci0000:00/0000:00:1d.0");
    EXPECT_EQ(files.link_target({"/sys/class/x/device"}), "../../devices/pci0000:00/0000:00:1d.0");
    EXPECT_FALSE(files.resolve({"/sys/class/y"}));
    EXPECT_FALSE(files.link_target({"/sys/class/x"}));
}

TEST(Patterns, TakeAndLeaveOut) {
    struct Case {
        std::vector<std::string> patterns;
        const char* name;
        bool selected;
    };
    const Case cases[] = {
        {{"*"}, "", true},
        {{"*"}, "nct6775", true},
        {{"coretemp"}, "coretemp", true},
        {{"coretemp"}, "coretemp2", false},
        {{"Core ?"}, "core 0", true},
        {{"core ?"}, "core 10", false},
        {{"a*b*c"}, "aXXbYYbZc", true},
        {{"a*b*c"}, "aXXcYYb", false},
        {{"**?"}, "x", true},
        {{"**?"}, "", false},
        {{"*", "!nvme*"}, "nvme", false},
        {{"!nvme*"}, "nvme", false},
        {{"!nvme*"}, "coretemp", true},
        {{"!nvme*", "core*"}, "k10temp", false},
        {{"!!"}, "!", false},
    };
    for (const Case& each : cases)
        EXPECT_EQ(Patterns("chips", each.patterns).select({each.name}), each.selected)
            << each.patterns[0] << " on " << each.name;
}

TEST(Patterns, SelectByNameWhatOtherThanAPatternForAllSelects) {
    for (const std::vector<std::string>& all :
         {std::vector<std::string>{"*"}, {"**"}, {"!nvme"}, {"*", "!nvme"}})
        EXPECT_FALSE(Patterns("chips", all).select_by_name({"w1_slave_temp", "w1_slave_temp_28-0"}));
    for (const char* named : {"w1_slave_temp", "w1*", "*28-0", "?*"})
        EXPECT_TRUE(Patterns("chips", {"*", named}).select_by_name({"w1_slave_temp", "w1_slave_temp_28-0"}))
            << named;
    EXPECT_FALSE(
        Patterns("chips", {"w1*", "!*28-0"}).select_by_name({"w1_slave_temp", "w1_slave_temp_28-0"}));
}

TEST(Patterns, AskForAllNamesOfAThing) {
    const Patterns patterns("sensors", {"temp1", "!secret"});
    EXPECT_TRUE(patterns.select({"Composite", "temp1"}));
    EXPECT_FALSE(patterns.select({"Secret", "temp1"}));
    EXPECT_FALSE(patterns.select({"Composite", "temp2"}));
}

TEST(Patterns, TakeNoTimeOnManyStars) {
    std::string pattern;
    for (int i = 0; i < 50; ++i)
        pattern += "*a";
    EXPECT_FALSE(Patterns("chips", {pattern + "b"}).select({std::string(5000, 'a')}));
}

TEST(Patterns, RefuseNothing) {
    using List = std::vector<std::string>;
    for (const List& patterns : {List{}, List{""}, List{"a", "!"}}) {
        try {
            const Patterns made("chips", patterns);
            FAIL() << "took an empty pattern";
        } catch (const std::system_error& error) {
            EXPECT_EQ(error.code().value(), EINVAL);
            EXPECT_NE(std::string(error.what()).find("chips: "), std::string::npos);
        }
    }
}

// Two disks whose driver numbers them as they come, a sensor on I2C, one of no device at all.
class DeviceWords : public ::testing::Test {
  protected:
    DeviceWords() {
        disk("0000:01:00.0", "nvme1", "hwmon0");
        disk("0000:02:00.0", "nvme0", "hwmon1");
        const std::string bus = "sys/devices/platform/soc/fe804000.i2c/i2c-1/1-0048";
        std::filesystem::create_directories(root_ / bus);
        std::filesystem::create_symlink("../../../../../../bus/i2c", root_ / (bus + "/subsystem"));
        std::filesystem::create_directories(root_ / "sys/class/hwmon/hwmon2");
        std::filesystem::create_symlink("../../../devices/platform/soc/fe804000.i2c/i2c-1/1-0048",
                                        root_ / "sys/class/hwmon/hwmon2/device");
    }
    void disk(const std::string& address, const std::string& number, const std::string& hwmon) {
        const std::string place = "sys/devices/pci0000:00/" + address;
        std::filesystem::create_directories(root_ / (place + "/nvme/" + number));
        std::filesystem::create_symlink("../../../bus/pci", root_ / (place + "/subsystem"));
        std::filesystem::create_symlink("../../../../../class/nvme",
                                        root_ / (place + "/nvme/" + number + "/subsystem"));
        std::filesystem::create_directories(root_ / ("sys/class/hwmon/" + hwmon));
        std::filesystem::create_symlink("../../../devices/pci0000:00/" + address + "/nvme/" + number,
                                        root_ / ("sys/class/hwmon/" + hwmon + "/device"));
    }
    std::vector<std::string> words(const std::vector<Device>& devices,
                                   Naming naming = Naming::short_where_unique) {
        SensorFiles files(root_.path());
        return sensors::device_words(files, devices, naming);
    }
    static Device chip(const std::string& number, const std::string& name, const std::string& label = "") {
        const std::string directory = "/sys/class/hwmon/" + number;
        return {directory, directory + "/device", name, label};
    }

    const TempDir root_;
};

TEST_F(DeviceWords, AreNamesWhereThoseAreUnique) {
    EXPECT_EQ(words({chip("hwmon0", "nvme"), chip("hwmon2", "LM75")}),
              (std::vector<std::string>{"nvme", "lm75"}));
}

TEST_F(DeviceWords, HaveTheBusIdWhereTwoHaveOneName) {
    const std::vector<std::string> both = {"nvme_0000_01_00_0", "nvme_0000_02_00_0"};
    EXPECT_EQ(words({chip("hwmon0", "nvme"), chip("hwmon1", "nvme")}), both);
    EXPECT_EQ(words({chip("hwmon1", "nvme"), chip("hwmon0", "nvme")}),
              (std::vector<std::string>{both[1], both[0]}));
}

TEST_F(DeviceWords, PreferTheBoardsLabelToTheBusId) {
    EXPECT_EQ(words({chip("hwmon0", "nvme", "system disk"), chip("hwmon1", "nvme")}),
              (std::vector<std::string>{"nvme_system_disk", "nvme_0000_02_00_0"}));
}

TEST_F(DeviceWords, AreNumberedWhenNothingElseTellsThemApart) {
    EXPECT_EQ(words({chip("hwmon8", "acpitz"), chip("hwmon9", "acpitz")}),
              (std::vector<std::string>{"acpitz", "acpitz_2"}));
}

TEST_F(DeviceWords, AlwaysHaveTheBusIdWhenAsked) {
    EXPECT_EQ(words({chip("hwmon2", "lm75")}, Naming::always_long),
              (std::vector<std::string>{"lm75_1-0048"}));
}

}  // namespace
}  // namespace holdfast::test
