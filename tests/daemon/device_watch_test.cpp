// The watch over devices, on files of a directory and on what this machine's kernel says.
#include "daemon/device_watch.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "support/poll_event_loop.hpp"
#include "support/temp_dir.hpp"

namespace holdfast {
namespace {

class DeviceWatchTest : public testing::Test {
  protected:
    // Whether the watch tells of something after this.
    [[nodiscard]] bool told() {
        const int before = told_;
        return loop_.run_until([&] { return told_ > before; });
    }

    test::PollEventLoop loop_;
    test::TempDir nodes_;
    int told_ = 0;
};

TEST_F(DeviceWatchTest, TellsOfANodeThatIsMadeAndOfOneThatIsGranted) {
    const DeviceWatch watch(loop_, nodes_.path(), [this] { ++told_; });
    const auto node = nodes_.write("i2c-1", "");
    EXPECT_TRUE(told());
    ::chmod(node.c_str(), 0660);
    EXPECT_TRUE(told());
    const auto elsewhere = nodes_.write("below/i2c-2", "");
    EXPECT_TRUE(told());
    std::filesystem::rename(elsewhere, nodes_ / "i2c-2");
    EXPECT_TRUE(told());
}

TEST_F(DeviceWatchTest, DoesWithoutADirectoryOfNodes) {
    const DeviceWatch watch(loop_, nodes_ / "nothing", [this] { ++told_; });
    EXPECT_EQ(told_, 0);
}

// The kernel repeats the event of a device when root asks for it; udev has it for its cold plug.
TEST_F(DeviceWatchTest, TellsOfADeviceThatTheKernelReports) {
    const char* uevent = "/sys/devices/virtual/mem/null/uevent";
    const DeviceWatch watch(loop_, nodes_ / "nothing", [this] { ++told_; });
    std::ofstream ask(uevent);
    if (!(ask << "add" << std::flush)) GTEST_SKIP() << "cannot write " << uevent;
    EXPECT_TRUE(told());
}

TEST(Uevents, ThatBringADeviceAreToldFromTheOthers) {
    using std::string_view_literals::operator""sv;
    for (const auto text : {"add@/devices/w1_bus_master1/28-0316a2797e0f\0ACTION=add\0"sv, "bind@/d\0"sv,
                            "online@/devices/system/cpu/cpu1\0"sv, "move@/devices/virtual/net/can1\0"sv})
        EXPECT_TRUE(brings_a_device(text)) << text;
    for (const auto text : {"remove@/devices/add\0ACTION=add\0"sv, "change@/devices/bat0\0"sv,
                            "unbind@/d\0"sv, "libudev\0"sv, "@"sv, ""sv, "add"sv.substr(0, 2)})
        EXPECT_FALSE(brings_a_device(text)) << text;
}

}  // namespace
}  // namespace holdfast
