// Buffered capture of the iio input, as it should go.
#include "iio_capture_rig.hpp"

namespace holdfast::test {
namespace {

TEST(IioCapture, SetsTheDeviceUpAndEndsTheCapture) {
    const BoardFiles board("edison-adc");
    const DeviceFile device(board, "iio:device1");
    TestHost::Options options = two_channels();
    options["sampling_frequency"] = 250.5;
    options["watermark"] = std::int64_t{8};
    Rig rig(board, options);
    EXPECT_EQ(rig.iio().sample(), -EAGAIN);
    ASSERT_EQ(rig.host().watched.size(), 1U);
    EXPECT_EQ(rig.host().watched.begin()->second, static_cast<std::uint32_t>(POLLIN));
    const std::pair<std::string, std::string> expected[] = {{edison + "scan_elements/in_voltage0_en", "1"},
                                                            {edison + "scan_elements/in_voltage1_en", "1"},
                                                            {edison + "scan_elements/in_voltage2_en", "0"},
                                                            {edison + "scan_elements/in_timestamp_en", "1"},
                                                            {edison + "trigger/current_trigger", "tick"},
                                                            {edison + "current_timestamp_clock", "boottime"},
                                                            {edison + "buffer/length", "256"},
                                                            {edison + "buffer/watermark", "8"},
                                                            {edison + "buffer/enable", "1"},
                                                            {trigger + "sampling_frequency", "250.5"}};
    for (const auto& [file, text] : expected)
        EXPECT_EQ(content(board, file), text) << file;
    // Nothing to do while it runs.
    EXPECT_EQ(rig.iio().sample(), -EAGAIN);
    EXPECT_EQ(rig.host().watched.size(), 1U);
    rig.stop();
    EXPECT_EQ(content(board, edison + "buffer/enable"), "0");
    EXPECT_TRUE(rig.host().watched.empty());
    EXPECT_TRUE(rig.host().errors.empty());
}

TEST(IioCapture, KeepsTheKernelsTimeOfEachScan) {
    const BoardFiles board("edison-adc");
    const DeviceFile device(board, "iio:device1");
    Rig rig(board, two_channels());
    rig.iio().sample();
    device.write(scan(606, 1967, boot_ns - 500'000'000) + scan(1000, 2000, boot_ns - 490'000'000));
    rig.take();
    ASSERT_EQ(rig.host().readings.size(), 2U);
    expect_equal(numbers(rig.host().readings[0]), {{"ads7951.voltage0", 606 * 2.442002442 / 1000},
                                                   {"ads7951.voltage1", 1967 * 2.442002442 / 1000},
                                                   {"ads7951.lost_scans", 0}});
    expect_equal(numbers(rig.host().readings[1]),
                 {{"ads7951.voltage0", 2.442002442}, {"ads7951.voltage1", 2 * 2.442002442}});
    EXPECT_EQ(rig.host().readings[0].boot_time_us, boot_ns / 1000 - 500'000);
    EXPECT_EQ(rig.host().readings[1].boot_time_us, boot_ns / 1000 - 490'000);
    EXPECT_EQ(units(rig.host()).at("ads7951.voltage0"), "V");
}

TEST(IioCapture, TakesTheClockThatTheDeviceHas) {
    const BoardFiles board("edison-adc");
    const DeviceFile device(board, "iio:device1");
    // It does not let itself be set, and is that of old kernels then.
    board.remove(edison + "current_timestamp_clock");
    Rig rig(board, two_channels());
    rig.iio().sample();
    device.write(scan(1, 2, boot_ns + 1000 * second - 250'000'000));
    // From before the machine was started, by a clock that was set.
    device.write(scan(1, 2, 0));
    rig.take();
    ASSERT_EQ(rig.host().readings.size(), 2U);
    EXPECT_EQ(rig.host().readings[0].boot_time_us, boot_ns / 1000 - 250'000);
    EXPECT_EQ(rig.host().readings[1].boot_time_us, 1);
}

TEST(IioCapture, PutsScansTogetherThatComeInParts) {
    const BoardFiles board("edison-adc");
    const DeviceFile device(board, "iio:device1");
    Rig rig(board, two_channels());
    rig.iio().sample();
    const Bytes all = scan(1, 2, boot_ns) + scan(3, 4, boot_ns) + scan(5, 6, boot_ns);
    for (std::size_t at = 0; at < all.size(); at += 7) {
        device.write(Bytes(all.begin() + static_cast<std::ptrdiff_t>(at),
                           all.begin() + static_cast<std::ptrdiff_t>(std::min(at + 7, all.size()))));
        rig.take();
    }
    ASSERT_EQ(rig.host().readings.size(), 3U);
    EXPECT_EQ(rig.host().readings[2].get<double>("ads7951.voltage1"), 6 * 2.442002442 / 1000);
    // Woken for nothing.
    rig.take();
    EXPECT_EQ(rig.host().readings.size(), 3U);
}

TEST(IioCapture, CountsScansThatTheKernelHadNoRoomFor) {
    const BoardFiles board("edison-adc");
    const DeviceFile device(board, "iio:device1");
    Rig rig(board, two_channels());
    rig.iio().sample();
    // The trigger says 100 a second.
    Bytes scans;
    for (const std::int64_t ms : {0, 10, 20, 50, 60, 90})
        scans = scans + scan(1, 2, boot_ns - second + ms * 1'000'000);
    device.write(scans);
    rig.take();
    std::vector<std::int64_t> counts;
    for (const TestHost::Emitted& reading : rig.host().readings)
        if (reading.values.count("ads7951.lost_scans") > 0)
            counts.push_back(reading.get<std::int64_t>("ads7951.lost_scans"));
    EXPECT_EQ(counts, (std::vector<std::int64_t>{0, 2, 4}));
    EXPECT_EQ(rig.host().errors.size(), 1U);
    EXPECT_TRUE(rig.host().has_error("ads7951: lost 4 scans"));
}

// A device whose clock can't be chosen stamps its scans by the wall clock.
TEST(IioCapture, TakesNoStepOfTheWallClockForALossOrAnAge) {
    constexpr std::int64_t ms = 1'000'000;
    const BoardFiles board("edison-adc");
    const DeviceFile device(board, "iio:device1");
    board.remove(edison + "current_timestamp_clock");
    for (const std::int64_t step : {2 * second, -2 * second}) {
        Rig rig(board, two_channels());
        rig.iio().sample();
        const auto scan_of_now = [&] {
            boot_ns += 10 * ms;  // the trigger says 100 a second
            device.write(scan(1, 2, boot_ns + wall_ahead_ns));
        };
        scan_of_now();
        rig.take();
        scan_of_now();
        wall_ahead_ns += step;
        scan_of_now();
        rig.take();
        scan_of_now();
        scan_of_now();
        rig.take();
        ASSERT_EQ(rig.host().readings.size(), 5U);
        std::vector<std::int64_t> ages;
        for (const TestHost::Emitted& reading : rig.host().readings)
            ages.push_back(reading.boot_time_us > 0 ? boot_ns / 1000 - reading.boot_time_us : reading.age_us);
        // The second and the third may be from before the step or after it: of when they were read.
        EXPECT_EQ(ages, (std::vector<std::int64_t>{40'000, 10'000, 0, 10'000, 0}));
        EXPECT_TRUE(rig.host().errors.empty()) << rig.host().errors.front();
    }
}

TEST(IioCapture, TakesNoPauseOfAForeignTriggerForALoss) {
    // As the kernel's iio_dummy has it with a trigger of iio-trig-sysfs: the device's rate says nothing of
    // when that comes.
    for (const auto& [name, count] : {std::pair("sysfstrig1", 1U), std::pair("ads7951-dev1", 2U)}) {
        const BoardFiles board("edison-adc");
        const DeviceFile device(board, "iio:device1");
        board.remove(trigger + "sampling_frequency");
        board.write(trigger + "name", std::string(name) + "\n");
        board.write(edison + "sampling_frequency", "100\n");
        auto options = two_channels();
        options["trigger"] = name;
        Rig rig(board, options);
        rig.iio().sample();
        device.write(scan(1, 2, boot_ns - second) + scan(1, 2, boot_ns));
        rig.take();
        ASSERT_EQ(rig.host().readings.size(), 2U);
        EXPECT_EQ(rig.host().readings[0].values.count("ads7951.lost_scans") +
                      rig.host().readings[1].values.count("ads7951.lost_scans"),
                  count)
            << name;
        EXPECT_EQ(rig.host().errors.size(), count - 1) << name;
    }
}

TEST(IioCapture, TakesADeviceWithoutTriggerAndTimestamp) {
    const BoardFiles board("beaglebone-adc");
    const DeviceFile device(board, "iio:device0");
    Rig rig(board, buffered({{"channels", TestHost::list({"voltage1", "voltage4"})},
                             {"buffer_length", std::int64_t{4}}}));
    EXPECT_EQ(rig.iio().sample(), -EAGAIN);
    device.write({0xA8, 0x0A, 0x2A, 0x08, 0xA9, 0x0A, 0x2B, 0xF8});
    rig.take();
    ASSERT_EQ(rig.host().readings.size(), 2U);
    expect_equal(numbers(rig.host().readings[1]),
                 {{"ti-am335x-adc.voltage1", 2729}, {"ti-am335x-adc.voltage4", 2091}});
    EXPECT_TRUE(rig.host().errors.empty());
    // As much as the kernel can hold: there may have been more.
    device.write(Bytes(16, 0));
    rig.take();
    EXPECT_EQ(rig.host().readings.size(), 6U);
    EXPECT_TRUE(rig.host().has_error("the buffer was full"));
}

TEST(IioCapture, GoesByTheRateWithoutTimestamps) {
    const BoardFiles board("beaglebone-adc");
    board.write("sys/bus/iio/devices/iio:device0/sampling_frequency", "1000\n");
    const DeviceFile device(board, "iio:device0");
    Rig rig(board, buffered({{"channels", TestHost::list({"voltage1"})}}));
    rig.iio().sample();
    device.write({1, 0, 2, 0, 3, 0});
    rig.take();
    ASSERT_EQ(rig.host().readings.size(), 3U);
    EXPECT_EQ(rig.host().readings[0].age_us, 2000);
    EXPECT_EQ(rig.host().readings[2].age_us, 0);
}

TEST(IioCapture, GivesEachPartOfARepeatedElementAChannel) {
    const BoardFiles board("edison-adc");
    const DeviceFile device(board, "iio:device1");
    board.write(edison + "scan_elements/in_rot_quaternion_en", "0\n");
    board.write(edison + "scan_elements/in_rot_quaternion_index", "0\n");
    board.write(edison + "scan_elements/in_rot_quaternion_type", "be:s16/16X4>>0\n");
    board.write(edison + "scan_elements/in_timestamp_index", "1\n");
    board.write(edison + "in_rot_scale", "0.5\n");
    Rig rig(board, buffered({{"channels", TestHost::list({"rot*"})}}));
    rig.iio().sample();
    Bytes bytes = {0, 2, 0xFF, 0xFE, 0, 4, 0, 6};
    put(bytes, static_cast<std::uint64_t>(boot_ns), 8);
    device.write(bytes);
    rig.take();
    ASSERT_EQ(rig.host().readings.size(), 1U);
    expect_equal(numbers(rig.host().readings[0]), {{"ads7951.rot_quaternion.0", 1},
                                                   {"ads7951.rot_quaternion.1", -1},
                                                   {"ads7951.rot_quaternion.2", 2},
                                                   {"ads7951.rot_quaternion.3", 3},
                                                   {"ads7951.lost_scans", 0}});
}

TEST(IioCapture, LeavesADeviceAsItIsOnDemand) {
    const BoardFiles board("edison-adc");
    const DeviceFile device(board, "iio:device1");
    TestHost::Options options = buffered({{"configure", std::int64_t{0}}});
    Rig off(board, options);
    EXPECT_EQ(off.failure().first, EIO);
    EXPECT_TRUE(off.host().has_error("its buffer is off"));
    for (const char* file :
         {"buffer/enable", "scan_elements/in_voltage2_en", "scan_elements/in_timestamp_en"})
        board.write(edison + file, "1\n");
    Rig rig(board, options);
    EXPECT_EQ(rig.iio().sample(), -EAGAIN);
    Bytes bytes;
    put(bytes, 83, 8);
    put(bytes, static_cast<std::uint64_t>(boot_ns + 1000 * second - 1000), 8);
    device.write(bytes);
    rig.take();
    rig.stop();
    expect_equal(numbers(rig.host().readings.at(0)),
                 {{"ads7951.voltage2", 83 * 2.442002442 / 1000}, {"ads7951.lost_scans", 0}});
    EXPECT_EQ(rig.host().readings[0].boot_time_us, boot_ns / 1000 - 1);
    EXPECT_EQ(content(board, edison + "buffer/enable"), "1");
    EXPECT_EQ(content(board, edison + "buffer/length"), "2");
    EXPECT_EQ(content(board, edison + "current_timestamp_clock"), "realtime");
}

TEST(IioCapture, TakesBufferZeroOfANewKernel) {
    const BoardFiles board("edison-adc");
    const DeviceFile device(board, "iio:device1");
    std::filesystem::rename(board / (edison + "scan_elements"), board / (edison + "buffer0"));
    for (const char* file : {"enable", "length", "watermark"})
        std::filesystem::rename(board / (edison + "buffer/" + file), board / (edison + "buffer0/" + file));
    Rig rig(board, two_channels());
    EXPECT_EQ(rig.iio().sample(), -EAGAIN);
    EXPECT_EQ(content(board, edison + "buffer0/enable"), "1");
}

TEST(IioCapture, RunsAsTheHostRunsIt) {
    const BoardFiles board("edison-adc");
    DeviceFile device(board, "iio:device1");
    TestHost host(shipped_plugin("iio"), two_channels());
    host.sensor_root = board.path();
    ASSERT_EQ(host.open(), 0);
    EXPECT_EQ(host.sample(), -EAGAIN);
    for (std::uint16_t i = 0; i < 100; ++i)
        device.write(scan(i, i, plugin::clock_ns(CLOCK_BOOTTIME)));
    EXPECT_TRUE(host.run_until([&] { return host.readings.size() == 100; }));
    EXPECT_EQ(host.readings[99].get<double>("ads7951.voltage1"), 99 * 2.442002442 / 1000);
    host.close();
    EXPECT_TRUE(host.watched.empty());
    EXPECT_EQ(content(board, edison + "buffer/enable"), "0");
}

}  // namespace
}  // namespace holdfast::test
