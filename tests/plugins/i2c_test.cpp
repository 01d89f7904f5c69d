// The i2c input: finding the bus, what it says when something is missing, and one chip shared by several
// inputs.
#include <fcntl.h>

#include "i2c_board.hpp"

namespace holdfast::test {
namespace {

const Transaction ask_lm75{{0x00}, {0x19, 0x00}};

Transaction failing(int code) {
    return {{0x00}, {}, -code};
}

TEST(I2c, FindsItsBusByNumberNamePathAndAdapter) {
    for (const char* bus : {"1", "i2c-1", "/dev/i2c-1", "bcm2835 (i2c@7e804000)"}) {
        I2cBoard board(pi, {{"chip", "lm75"}, {"bus", bus}});
        EXPECT_EQ(board.open({ask_lm75}), 0) << bus;
        EXPECT_EQ(board.sample({ask_lm75}).get<double>("temperature"), 25);
    }
}

TEST(I2c, WaitsForABusThatIsNotThere) {
    for (const char* bus : {"7", "/dev/i2c-7", "SMBus stub driver"}) {
        I2cBoard board(pi, {{"chip", "lm75"}, {"bus", bus}});
        EXPECT_EQ(board.open(), -ENODEV);
        EXPECT_TRUE(board.host.has_error("there is no I2C bus '" + std::string(bus) +
                                         "', only i2c-1 (bcm2835 (i2c@7e804000))"))
            << board.host.errors.at(0);
    }
    I2cBoard bare(pi, {{"chip", "lm75"}});
    std::filesystem::remove_all(bare.root / "dev");
    std::filesystem::remove_all(bare.root / "sys");
    EXPECT_EQ(bare.open(), -ENODEV);
    EXPECT_TRUE(bare.host.has_error("nor any other"));
}

TEST(I2c, SaysThatTheModuleForItsNodeIsMissing) {
    I2cBoard board(pi, {{"chip", "lm75"}});
    std::filesystem::remove(board.root / "dev/i2c-1");
    EXPECT_EQ(board.open(), -ENODEV);
    EXPECT_TRUE(board.host.has_error("the package holdfast-bus-i2c shows it to the service"));
    board.root.write("dev/i2c-1", "");
    EXPECT_EQ(board.open({ask_lm75}), 0);
}

TEST(I2c, DoesNotGuessAmongAdaptersOfOneName) {
    I2cBoard board(pi, {{"chip", "lm75"}, {"bus", "bcm2835 (i2c@7e804000)"}});
    board.root.write("sys/bus/i2c/devices/i2c-11/name", "bcm2835 (i2c@7e804000)\n");
    EXPECT_EQ(board.open(), -ENOTUNIQ);
    EXPECT_TRUE(board.host.has_error("the buses i2c-1 and i2c-11 are both called"));
}

TEST(I2c, NamesTheDriverThatHasTheChip) {
    I2cBoard board(pi, {{"chip", "bme280"}});
    std::filesystem::create_directories(board.root / "sys/bus/i2c/devices/1-0076");
    std::filesystem::create_symlink("../../drivers/bmp280", board.root / "sys/bus/i2c/devices/1-0076/driver");
    board.fake.has_driver = true;
    EXPECT_EQ(board.open(), -EBUSY);
    EXPECT_TRUE(
        board.host.has_error("0x76 on i2c-1 belongs to the kernel's driver 'bmp280': read it through the "
                             "input hwmon or iio, or unbind the driver"));
}

TEST(I2c, WaitsForAChipThatDoesNotAnswer) {
    for (const int code : {ENXIO, EREMOTEIO}) {
        I2cBoard board(pi, {{"chip", "lm75"}});
        EXPECT_EQ(board.open({failing(code), failing(code), failing(code)}), -ENODEV);
        EXPECT_TRUE(board.host.has_error("there is no answer from 0x48 on i2c-1"));
        EXPECT_TRUE(board.fake.script.empty());
        EXPECT_EQ(board.open({ask_lm75}), 0);
    }
}

TEST(I2c, IsGoneWhenTheChipNoLongerAnswersOrTheBusIsAway) {
    I2cBoard board(pi, {{"chip", "lm75"}});
    ASSERT_EQ(board.open({ask_lm75}), 0);
    EXPECT_EQ(board.failing_sample({failing(EREMOTEIO), failing(EREMOTEIO), failing(EREMOTEIO)}), -ENODEV);
    EXPECT_EQ(board.failing_sample({failing(ENODEV)}), -ENODEV);
    EXPECT_TRUE(board.host.has_error("the bus is gone"));
}

TEST(I2c, TriesAgainAndCountsWhatFailed) {
    for (const int code : {EIO, ETIMEDOUT, EAGAIN, EREMOTEIO, EPROTO}) {
        I2cBoard board(pi, {{"chip", "lm75"}});
        ASSERT_EQ(board.open({ask_lm75}), 0);
        const auto seen = board.sample({failing(code), failing(code), ask_lm75});
        EXPECT_EQ(seen.get<double>("temperature"), 25);
        EXPECT_EQ(seen.get<std::int64_t>("bus_errors"), 2);
        EXPECT_TRUE(board.host.errors.empty());
        EXPECT_EQ(board.sample({ask_lm75}).get<std::int64_t>("bus_errors"), 2);
    }
}

TEST(I2c, GivesUpAfterThreeTimesWithTheRegisterAndTheReason) {
    I2cBoard board(pi, {{"chip", "lm75"}});
    ASSERT_EQ(board.open({ask_lm75}), 0);
    EXPECT_EQ(board.failing_sample({failing(ETIMEDOUT), failing(ETIMEDOUT), failing(ETIMEDOUT)}), -EIO);
    EXPECT_TRUE(board.host.has_error("0x48 on i2c-1: reading register 0x00: Connection timed out"));
    EXPECT_EQ(board.sample({ask_lm75}).get<std::int64_t>("bus_errors"), 3);
}

TEST(I2c, DoesNotTryAgainWhatTheBusCannotDo) {
    I2cBoard board(pi, {{"chip", "lm75"}});
    EXPECT_EQ(board.open({failing(EOPNOTSUPP)}), -EOPNOTSUPP);
    EXPECT_TRUE(board.fake.script.empty());
}

TEST(I2c, RefusesOptionsBeforeItLooksAtTheHardware) {
    const std::pair<TestHost::Options, const char*> wrong[] = {
        {{{"chip", "sht2x"}}, "chip: there is no 'sht2x', only sht3x, sht4x, bme280"},
        {{{"chip", "lm75"}, {"address", "0x78"}},
         "address: is a number from 0x08 to 0x77, written with 0x, such as 0x48, and not '0x78'"},
        {{{"chip", "lm75"}, {"address", "7"}}, "address: is a number"},
        {{{"chip", "lm75"}, {"address", "48"}}, "address: is a number"},
        {{{"chip", "lm75"}, {"bus", ""}}, "bus: names none"},
        {{{"chip", "lm75"}, {"address", "0x"}}, "address: is a number"},
        {{{"chip", "lm75"}, {"address", "-72"}}, "address: is a number"},
        {{{"chip", "lm75"}, {"address", "0x48 "}}, "address: is a number"},
        {{{"chip", "lm75"}, {"address", "48h"}}, "address: is a number"},
        {{{"chip", "lm75"}, {"address", "99999999999"}}, "address: is a number"},
    };
    for (const auto& [options, text] : wrong) {
        I2cBoard board(pi, options);
        std::filesystem::remove_all(board.root / "dev");
        EXPECT_EQ(board.open(), -EINVAL);
        EXPECT_TRUE(board.host.has_error(text)) << board.host.errors.at(0);
    }
}

// Another input that is within a conversation with an address.
class OtherInput {
  public:
    OtherInput(const std::filesystem::path& node, off_t address)
        : fd_(::open(node.c_str(), O_RDWR | O_CLOEXEC)) {
        range_.l_type = F_WRLCK;
        range_.l_whence = SEEK_SET;
        range_.l_start = address;
        range_.l_len = 1;
        EXPECT_EQ(::fcntl(fd_.get(), F_OFD_SETLK, &range_), 0);
    }
    void end() { fd_ = device::Fd(); }

  private:
    device::Fd fd_;
    struct flock range_ {};
};

TEST(I2c, WaitsForAnotherInputThatTalksToTheSameChip) {
    I2cBoard board(pi, {{"chip", "lm75"}});
    OtherInput other(board.root / "dev/i2c-1", 0x48);
    int pauses = 0;
    board.fake.on_pause = [&] {
        EXPECT_EQ(board.fake.script.size(), 1U) << "talked while another one did";
        if (++pauses == 3) other.end();
    };
    EXPECT_EQ(board.open({ask_lm75}), 0);
    EXPECT_EQ(pauses, 3);
}

TEST(I2c, DoesNotWaitForOneThatTalksToAnotherChip) {
    I2cBoard board(pi, {{"chip", "lm75"}});
    const OtherInput other(board.root / "dev/i2c-1", 0x49);
    board.fake.on_pause = [] { ADD_FAILURE() << "waited"; };
    EXPECT_EQ(board.open({ask_lm75}), 0);
}

TEST(I2c, DoesNotWaitForEver) {
    I2cBoard board(pi, {{"chip", "lm75"}});
    const OtherInput other(board.root / "dev/i2c-1", 0x48);
    EXPECT_EQ(board.open(), -EBUSY);
    EXPECT_TRUE(board.host.has_error("0x48 on i2c-1 has been held by another input for more than 2 s"));
    EXPECT_GE(board.fake.waited_us, 2'000'000);
    EXPECT_LE(board.fake.waited_us, 2'100'000);
}

TEST(I2c, HoldsTheChipFromTheCommandToTheAnswerAndNoLonger) {
    I2cBoard board(pi, {{"chip", "sht3x"}});
    const auto is_held = [&] {
        struct flock range {};
        range.l_type = F_WRLCK;
        range.l_start = 0x44;
        range.l_len = 1;
        const device::Fd fd(::open((board.root / "dev/i2c-1").c_str(), O_RDWR | O_CLOEXEC));
        EXPECT_EQ(::fcntl(fd.get(), F_OFD_GETLK, &range), 0);
        return range.l_type != F_UNLCK;
    };
    int pauses = 0;
    board.fake.on_pause = [&] {
        ++pauses;
        EXPECT_TRUE(is_held());
    };
    ASSERT_EQ(board.open({{{0xF3, 0x2D}, {}}, {{}, {0x80, 0x10, 0xE1}}}), 0);
    EXPECT_FALSE(is_held());
    board.sample({{{0x24, 0x00}, {}}, {{}, {0x66, 0x66, 0x93, 0x80, 0x00, 0xA2}}});
    EXPECT_FALSE(is_held());
    EXPECT_EQ(pauses, 2);
    EXPECT_EQ(board.failing_sample({{{0x24, 0x00}, {}, -EOPNOTSUPP}}), -EOPNOTSUPP);
    EXPECT_FALSE(is_held());
}

}  // namespace
}  // namespace holdfast::test
