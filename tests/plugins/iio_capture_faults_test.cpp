// Buffered capture of the iio input from devices that are not as they should be, go away, or send anything.
#include <random>

#include "iio_capture_rig.hpp"

namespace holdfast::test {
namespace {

TEST(IioCaptureFaults, SaysWhatIsNotAsItShouldBe) {
    struct Case {
        std::function<void(const BoardFiles&)> spoil;
        int code;
        const char* text;
    };
    const std::string elements = edison + "scan_elements/";
    const Case cases[] = {
        {[&](const BoardFiles& b) { b.remove("dev"); }, ENODEV,
         "/dev/iio:device1: No such file or directory"},
        {[&](const BoardFiles& b) { b.remove(edison + "buffer"); }, EIO,
         "ads7951 has no buffer; use mode = \"poll\""},
        {[&](const BoardFiles& b) { b.break_file(edison + "buffer/enable"); }, EIO,
         "enable: Input/output error"},
        {[&](const BoardFiles& b) { b.break_file(elements + "in_voltage0_en"); }, EIO,
         "in_voltage0_en: Input/output"},
        // Takes a name and does not keep it, as the kernel does with one that it does not know.
        {[&](const BoardFiles& b) {
             b.remove(edison + "trigger/current_trigger");
             std::filesystem::create_symlink("/dev/null", b / (edison + "trigger/current_trigger"));
         },
         EIO, "there is no trigger 'tick', only tick"},
        {[&](const BoardFiles& b) { b.write(elements + "in_voltage1_type", "le:s12/13>>0\n"); }, EIO,
         "in_voltage1_type: 'le:s12/13>>0' is not stored in 8, 16, 32 or 64 bits"},
        {[&](const BoardFiles& b) { b.remove(elements + "in_voltage1_type"); }, EIO, "in_voltage1_type: "},
        {[&](const BoardFiles& b) { b.write(elements + "in_voltage1_index", "one\n"); }, EIO,
         "in_voltage1_index: holds no number"},
        {[&](const BoardFiles& b) { b.write(elements + "in_voltage1_index", "0\n"); }, EIO,
         "voltage0 and voltage1 have one index"},
        {[&](const BoardFiles& b) {
             b.remove(elements + "in_voltage0_en");
             b.remove(elements + "in_voltage1_en");
         },
         EIO, "`channels` selects none that can be captured"},
        {[&](const BoardFiles& b) { b.remove("sys/bus/iio/devices/iio:device1"); }, ENODEV,
         "there is no device below"},
    };
    for (const Case& each : cases) {
        const BoardFiles board("edison-adc");
        const DeviceFile device(board, "iio:device1");
        each.spoil(board);
        Rig rig(board, two_channels());
        const auto [code, text] = rig.failure();
        EXPECT_EQ(code, each.code) << each.text;
        EXPECT_NE(text.find(each.text), std::string::npos) << text;
        EXPECT_TRUE(rig.host().watched.empty());
        // Once it is mended, it runs.
        board.overlay("edison-adc");
        const DeviceFile again(board, "iio:device1");
        EXPECT_EQ(rig.iio().sample(), -EAGAIN) << each.text;
    }
}

TEST(IioCaptureFaults, LeavesOutDevicesThatCannotCapture) {
    const BoardFiles board("raspberry-pi-iio");
    const DeviceFile device(board, "iio:device1");
    Rig rig(board, buffered());
    EXPECT_EQ(rig.iio().sample(), -EAGAIN);
    EXPECT_EQ(rig.host().watched.size(), 1U);
    EXPECT_TRUE(rig.host().errors.empty());
}

TEST(IioCaptureFaults, SetsNoRateWhereThereIsNone) {
    const BoardFiles board("beaglebone-adc");
    const DeviceFile device(board, "iio:device0");
    Rig rig(board, buffered({{"sampling_frequency", 10.0}}));
    EXPECT_EQ(rig.failure().first, EIO);
    EXPECT_TRUE(rig.host().has_error("there is no sampling_frequency to set"));
}

TEST(IioCaptureFaults, IsGoneWithTheDevice) {
    const BoardFiles board("edison-adc");
    DeviceFile device(board, "iio:device1");
    Rig rig(board, two_channels());
    rig.iio().sample();
    const int fd = rig.host().watched.begin()->first;
    device.unplug();
    try {
        rig.take(fd);
        FAIL();
    } catch (const std::system_error& error) {
        EXPECT_EQ(error.code().value(), ENODEV);
    }
    EXPECT_TRUE(rig.host().watched.empty());
}

TEST(IioCaptureFaults, GoesOnWithTheOtherDevices) {
    const BoardFiles board("edison-adc");
    board.overlay("beaglebone-adc");
    const DeviceFile first(board, "iio:device0");
    Rig rig(board, buffered({{"channels", TestHost::list({"voltage0"})}}));
    // One of two that can't be captured yet.
    EXPECT_EQ(rig.iio().sample(), -EAGAIN);
    EXPECT_TRUE(rig.host().has_error("/dev/iio:device1"));
    const int first_fd = rig.host().watched.begin()->first;
    auto second_device = std::make_unique<DeviceFile>(board, "iio:device1");
    EXPECT_EQ(rig.iio().sample(), -EAGAIN);
    ASSERT_EQ(rig.host().watched.size(), 2U);
    const int second_fd = rig.host().watched.begin()->first == first_fd ? rig.host().watched.rbegin()->first
                                                                        : rig.host().watched.begin()->first;
    second_device.reset();
    rig.iio().ready(second_fd, POLLHUP);
    EXPECT_TRUE(rig.host().has_error("iio:device1: the device is gone"));
    first.write({7, 0});
    rig.take(first_fd);
    EXPECT_EQ(rig.host().readings.at(0).get<double>("ti-am335x-adc.voltage0"), 7);
    // A descriptor that is none of ours any more.
    rig.take(second_fd);
    EXPECT_EQ(rig.host().readings.size(), 1U);
}

TEST(IioCaptureFaults, BeginsAgainWhenItsBufferWasSwitchedOffOrSetUpAnew) {
    const std::function<void(const BoardFiles&)> deeds[] = {
        [](const BoardFiles& b) { b.write(edison + "buffer/enable", "0\n"); },
        [](const BoardFiles& b) { b.write(edison + "scan_elements/in_voltage2_en", "1\n"); },
        [](const BoardFiles& b) { b.write(edison + "scan_elements/in_voltage0_type", "le:s12/32>>0\n"); },
        [](const BoardFiles& b) { b.remove(edison + "scan_elements/in_voltage0_index"); },
    };
    for (const auto& deed : deeds) {
        const BoardFiles board("edison-adc");
        const DeviceFile device(board, "iio:device1");
        Rig rig(board, two_channels());
        rig.iio().sample();
        EXPECT_EQ(rig.iio().sample(), -EAGAIN);
        EXPECT_TRUE(rig.host().errors.empty()) << rig.host().errors.front();
        deed(board);
        rig.failure();
        EXPECT_TRUE(rig.host().has_error("ads7951: its buffer was switched off or set up anew"));
        board.overlay("edison-adc");
        EXPECT_EQ(rig.iio().sample(), -EAGAIN);
        EXPECT_EQ(rig.host().watched.size(), 1U);
        EXPECT_EQ(content(board, edison + "buffer/enable"), "1");
    }
}

// Whatever the device sends is numbers and a time; the agent takes it.
TEST(IioCaptureFaults, SurvivesAnyBytes) {
    const BoardFiles board("edison-adc");
    const DeviceFile device(board, "iio:device1");
    Rig rig(board, two_channels());
    rig.iio().sample();
    std::mt19937 random(7);
    std::size_t sent = 0;
    for (int i = 0; i < 200; ++i) {
        Bytes bytes(1 + random() % 300);
        for (std::uint8_t& byte : bytes)
            byte = static_cast<std::uint8_t>(i % 3 == 0 ? 0x80 : random());
        sent += bytes.size();
        device.write(bytes);
        rig.take();
    }
    EXPECT_EQ(rig.host().readings.size(), sent / 16);
}

}  // namespace
}  // namespace holdfast::test
