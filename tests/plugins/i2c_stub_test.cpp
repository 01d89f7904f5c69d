// The i2c input on a bus that the kernel simulates (i2c-stub, Documentation/i2c/i2c-stub.rst), with registers
// at 0x48: skipped where it is not loaded so, or may not be written to. It speaks SMBus only, so an SHT is
// not here.
#include <fcntl.h>
#include <linux/i2c-dev.h>
#include <linux/i2c.h>

#include <filesystem>
#include <fstream>

#include "plugin_files.hpp"
#include "shared/device/control.hpp"
#include "shared/device/fd.hpp"

namespace holdfast::test {
namespace {

class I2cStub : public testing::Test {
  protected:
    void SetUp() override {
        std::error_code none;
        for (const auto& entry : std::filesystem::directory_iterator("/sys/bus/i2c/devices", none)) {
            std::string name;
            std::ifstream file(entry.path() / "name");
            if (std::getline(file, name) && name == "SMBus stub driver") bus = entry.path().filename();
        }
        if (bus.empty()) GTEST_SKIP() << "no bus of i2c-stub: modprobe i2c-stub chip_addr=0x48";
        fd = device::Fd(::open(("/dev/" + bus).c_str(), O_RDWR | O_CLOEXEC));
        if (fd.get() < 0) GTEST_SKIP() << "/dev/" << bus << ": " << ::strerror(errno);
        const int result = device::control(fd.get(), I2C_SLAVE, reinterpret_cast<void*>(0x48));
        if (result < 0 || !write_byte(0, 0)) GTEST_SKIP() << "nothing to be written to at 0x48 of " << bus;
    }
    bool smbus(std::uint8_t reg, std::uint32_t size, i2c_smbus_data& data) const {
        i2c_smbus_ioctl_data call{I2C_SMBUS_WRITE, reg, size, &data};
        return device::control(fd.get(), I2C_SMBUS, &call) >= 0;
    }
    bool write_byte(std::uint8_t reg, std::uint8_t value) const {
        i2c_smbus_data data{};
        data.byte = value;
        return smbus(reg, I2C_SMBUS_BYTE_DATA, data);
    }
    // High byte first, as the chips have it.
    void write_word(std::uint8_t reg, std::uint16_t value) const {
        i2c_smbus_data data{};
        data.word = static_cast<std::uint16_t>(value << 8 | value >> 8);
        EXPECT_TRUE(smbus(reg, I2C_SMBUS_WORD_DATA, data));
    }
    TestHost::Emitted sample(TestHost::Options options) const {
        options["address"] = "0x48";
        options["bus"] = bus;
        TestHost host(shipped_plugin("i2c"), options);
        EXPECT_EQ(host.open(), 0) << (host.errors.empty() ? "" : host.errors[0]);
        EXPECT_EQ(host.sample(), 0) << (host.errors.empty() ? "" : host.errors[0]);
        return host.readings.empty() ? TestHost::Emitted() : host.readings.back();
    }

    std::string bus;
    device::Fd fd;
};

TEST_F(I2cStub, ReadsThermometers) {
    write_word(0, 0x1980);
    EXPECT_EQ(sample({{"chip", "lm75"}}).get<double>("temperature"), 25.5);
    write_word(0, 0xE700);
    EXPECT_EQ(sample({{"chip", "tmp102"}}).get<double>("temperature"), -25);
    write_word(5, 0xC194);
    write_word(6, 0x0054);
    write_word(7, 0x0400);
    EXPECT_EQ(sample({{"chip", "mcp9808"}}).get<double>("temperature"), 25.25);
}

TEST_F(I2cStub, ReadsVoltagesAndCurrents) {
    write_word(0, 0x019F);
    write_word(1, 0x07D0);
    write_word(2, 0x5D98);
    EXPECT_DOUBLE_EQ(sample({{"chip", "ina219"}, {"shunt", 0.002}}).get<double>("power"), 119.8);
    write_word(0, 0x4000);
    EXPECT_DOUBLE_EQ(sample({{"chip", "ads1115"}, {"inputs", TestHost::list({"a0"})}}).get<double>("a0"),
                     2.048);
}

TEST_F(I2cStub, ReadsPressureAndHumidity) {
    // As in i2c_chips_test.cpp.
    const std::pair<std::uint8_t, std::vector<std::uint8_t>> registers[] = {
        {0xD0, {0x60}},
        {0x88, {0x70, 0x6B, 0x43, 0x67, 0x18, 0xFC, 0x7D, 0x8E, 0x43, 0xD6, 0xD0, 0x0B,
                0x27, 0x0B, 0x8C, 0x00, 0xF9, 0xFF, 0x8C, 0x3C, 0xF8, 0xC6, 0x70, 0x17}},
        {0xA1, {75}},
        {0xE1, {0x6A, 0x01, 0x00, 0x13, 0x2B, 0x03, 0x1E}},
        {0xF3, {0x00}},
        {0xF7, {0x65, 0x5A, 0xC0, 0x7E, 0xED, 0x00, 0x80, 0x01}}};
    for (const auto& [first, values] : registers)
        for (std::size_t i = 0; i < values.size(); ++i)
            ASSERT_TRUE(write_byte(static_cast<std::uint8_t>(first + i), values[i]));
    const auto seen = sample({{"chip", "bme280"}});
    EXPECT_NEAR(seen.get<double>("temperature"), 25.08, 0.005);
    EXPECT_NEAR(seen.get<double>("pressure"), 100653.27, 0.01);
    EXPECT_NEAR(seen.get<double>("humidity"), 69.65, 0.02);
}

TEST_F(I2cStub, ReadsRegisters) {
    for (std::uint8_t i = 0; i < 4; ++i)
        ASSERT_TRUE(write_byte(static_cast<std::uint8_t>(0x40 + i), static_cast<std::uint8_t>(i + 1)));
    const TestHost::Items registers = {{"a", "0x40 u32"}, {"b", "0x41 u8 scale=10"}};
    const auto seen = sample({{"chip", "registers"}, {"registers", registers}});
    EXPECT_EQ(seen.get<double>("a"), 0x01020304);
    EXPECT_EQ(seen.get<double>("b"), 20);
}

TEST_F(I2cStub, SaysWhatTheBusCannotDoAndWhenNobodyAnswers) {
    TestHost sht(shipped_plugin("i2c"), {{"chip", "sht3x"}, {"bus", bus}, {"address", "0x48"}});
    EXPECT_EQ(sht.open(), -EOPNOTSUPP);
    EXPECT_TRUE(sht.has_error("plain I2C transfers"));
    TestHost nobody(shipped_plugin("i2c"), {{"chip", "lm75"}, {"bus", bus}, {"address", "0x23"}});
    EXPECT_EQ(nobody.open(), -ENODEV);
}

}  // namespace
}  // namespace holdfast::test
