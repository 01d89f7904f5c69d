// Checksums, compensation and register specs of the i2c input.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "i2c/bme280_formula.hpp"
#include "i2c/crc.hpp"
#include "i2c/register_spec.hpp"
#include "shared/text/spec.hpp"

namespace holdfast::test {
namespace {

using i2c_input::Calibration;

TEST(I2cCrc, IsTheOneOfTheDataSheet) {
    constexpr std::uint8_t example[] = {0xBE, 0xEF};
    EXPECT_EQ(i2c_input::sensirion_crc(example), 0x92);
    constexpr std::uint8_t zeros[] = {0, 0};
    EXPECT_EQ(i2c_input::sensirion_crc(zeros), 0x81);
}

// BMP280 data sheet, 3.12; the constants for humidity are those of a chip that was read.
Calibration example() {
    return {27504, 26435,  -1000, 36477, -10685, 3024, 2855, 140, -7,
            15500, -14600, 6000,  75,    362,    0,    315,  50,  30};
}

TEST(Bme280Formula, GivesTheWorkedExampleOfTheDataSheet) {
    const double fine = i2c_input::fine_temperature(example(), 519888);
    EXPECT_NEAR(fine, 128422.287, 0.001);
    EXPECT_NEAR(i2c_input::celsius(fine), 25.08, 0.005);
    EXPECT_NEAR(i2c_input::pascals(example(), fine, 415148), 100653.27, 0.005);
}

// The data sheet has the humidity a second time, in whole numbers (BME280, 4.2.3): 1/1024 %.
double humidity_in_integers(const Calibration& c, std::int32_t fine, std::int32_t raw) {
    const std::int32_t t = fine - 76800;
    const std::int32_t above = (((raw << 14) - (std::int32_t{c.h4} << 20) - c.h5 * t) + 16384) >> 15;
    const std::int32_t bent = ((((t * c.h6) >> 10) * (((t * c.h3) >> 11) + 32768)) >> 10) + 2097152;
    std::int32_t x = above * ((bent * c.h2 + 8192) >> 14);
    x -= ((((x >> 15) * (x >> 15)) >> 7) * c.h1) >> 4;
    return std::clamp(x, 0, 419430400) / 4096 / 1024.0;
}

TEST(Bme280Formula, AgreesWithItsIntegerFormOfTheDataSheet) {
    const double fine = i2c_input::fine_temperature(example(), 519888);
    EXPECT_NEAR(humidity_in_integers(example(), 128422, 32768), 71319 / 1024.0, 0.001);
    for (std::int32_t raw = 20'000; raw < 40'000; raw += 500)
        EXPECT_NEAR(i2c_input::humidity_percent(example(), fine, raw),
                    humidity_in_integers(example(), 128422, raw), 0.02)
            << raw;
    EXPECT_EQ(i2c_input::humidity_percent(example(), fine, 0), 0);
    EXPECT_EQ(i2c_input::humidity_percent(example(), fine, 65535), 100);
}

TEST(Bme280Formula, TakesConstantsOfTwelveBitsWithTheirSign) {
    constexpr std::uint8_t registers[7] = {0x6A, 0xFF, 0x07, 0xFF, 0xE1, 0x80, 0x80};
    Calibration calibration;
    i2c_input::read_humidity(75, registers, calibration);
    EXPECT_EQ(calibration.h1, 75);
    EXPECT_EQ(calibration.h2, -150);
    EXPECT_EQ(calibration.h3, 7);
    EXPECT_EQ(calibration.h4, -15);
    EXPECT_EQ(calibration.h5, -2034);
    EXPECT_EQ(calibration.h6, -128);
}

TEST(Bme280Formula, GivesNoNumberInsteadOfDividingByZero) {
    Calibration empty = example();
    empty.p1 = 0;
    EXPECT_TRUE(std::isnan(i2c_input::pascals(empty, 128422, 415148)));
}

TEST(I2cRegisterSpec, TakesItsPartsApart) {
    const auto spec = i2c_input::parse_register_spec(" 0x1F  s24 le scale=0.0625 offset=-273.15 unit=Cel ");
    EXPECT_EQ(spec.number, 0x1F);
    EXPECT_EQ(spec.bytes, 3U);
    EXPECT_TRUE(spec.is_signed);
    EXPECT_EQ(spec.order, i2c_input::ByteOrder::low_first);
    EXPECT_EQ(spec.scale, 0.0625);
    EXPECT_EQ(spec.offset, -273.15);
    EXPECT_EQ(spec.unit, "Cel");
    EXPECT_EQ(i2c_input::parse_register_spec("255").number, 255);
    EXPECT_EQ(i2c_input::parse_register_spec("0").bytes, 1U);
}

TEST(I2cRegisterSpec, SaysWhatIsWrongAndWhatIsAllowed) {
    const std::pair<const char*, const char*> refused[] = {
        {"", "begins with the register, a number from 0x00 to 0xff"},
        {"  ", "begins with the register"},
        {"u16", "begins with the register, a number from 0x00 to 0xff, and not with 'u16'"},
        {"256", "and not with '256'"},
        {"0x100", "and not with '0x100'"},
        {"-1", "and not with '-1'"},
        {"0x", "and not with '0x'"},
        {"0xfg", "and not with '0xfg'"},
        {"0x10u16", "and not with '0x10u16'"},
        {"99999999999999999999", "begins with the register"},
        {"0x10 u12", "no 'u12' here, only u8, s8, u16"},
        {"0x10 u16 s16", "not two of them"},
        {"0x10 u16 u16", "'u16' is there twice"},
        {"0x10 u16 be le", "be or le, and not both"},
        {"0x10 u8 le", "more than one byte"},
        {"0x10 be", "more than one byte"},
        {"0x10 u16=1", "'u16' takes no value"},
        {"0x10 scale", "'scale' takes a value, as in scale=0.1"},
        {"0x10 scale=", "'scale' takes a value"},
        {"0x10 scale=x", "scale= takes a number"},
        {"0x10 scale=0", "and not 0"},
        {"0x10 scale=1e400", "scale= takes a number"},
        {"0x10 offset=nan", "offset= takes a number"},
        {"0x10 'u16", "a ' is opened and not closed"},
        {"0x10\x01", "control character"},
    };
    for (const auto& [text, part] : refused)
        try {
            i2c_input::parse_register_spec(text);
            ADD_FAILURE() << "took: " << text;
        } catch (const plugin_text::SpecError& error) {
            EXPECT_NE(std::string(error.what()).find(part), std::string::npos)
                << text << ": " << error.what();
        }
}

}  // namespace
}  // namespace holdfast::test
