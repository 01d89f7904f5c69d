// The chips for temperature, humidity and pressure that the i2c input knows, with what goes over the bus as
// their data sheets have it.
#include "i2c_board.hpp"

namespace holdfast::test {
namespace {

// SHT3x-DIS: 0x6666 is 25 degrees (45 + 25 of 175 are 0.4 of 65535, rounded), 0x8000 half of all there is.
TEST(I2cSht3x, MeasuresOnceASampleAndWaitsForIt) {
    I2cBoard board(pi, {{"chip", "sht3x"}});
    ASSERT_EQ(board.open({{{0xF3, 0x2D}, {}}, {{}, {0x80, 0x10, 0xE1}, 0, 1000}}), 0);
    EXPECT_EQ(board.fake.address, 0x44U);
    const auto seen =
        board.sample({{{0x24, 0x00}, {}}, {{}, {0x66, 0x66, 0x93, 0x80, 0x00, 0xA2}, 0, 15'500}});
    EXPECT_NEAR(seen.get<double>("temperature"), 25, 0.002);
    EXPECT_NEAR(seen.get<double>("humidity"), 50, 0.001);
    EXPECT_EQ(seen.get<std::int64_t>("bus_errors"), 0);
    EXPECT_EQ(units(board.host), (Units{{"temperature", "Cel"}, {"humidity", "%RH"}, {"bus_errors", ""}}));
}

TEST(I2cSht3x, AsksAgainAfterAWrongChecksum) {
    I2cBoard board(pi, {{"chip", "sht3x"}});
    ASSERT_EQ(board.open({{{0xF3, 0x2D}, {}}, {{}, {0x80, 0x10, 0xE1}}}), 0);
    const auto seen = board.sample({{{0x24, 0x00}, {}},
                                    {{}, {0x66, 0x67, 0x93, 0x80, 0x00, 0xA2}},
                                    {{0x24, 0x00}, {}},
                                    {{}, {0x66, 0x66, 0x93, 0x80, 0x00, 0xA2}}});
    EXPECT_NEAR(seen.get<double>("temperature"), 25, 0.002);
    EXPECT_EQ(seen.get<std::int64_t>("bus_errors"), 1);
    EXPECT_TRUE(board.host.errors.empty());
}

TEST(I2cSht3x, GivesUpAfterThreeWrongChecksums) {
    I2cBoard board(pi, {{"chip", "sht3x"}});
    ASSERT_EQ(board.open({{{0xF3, 0x2D}, {}}, {{}, {0x80, 0x10, 0xE1}}}), 0);
    const Transaction ask{{0x24, 0x00}, {}};
    const Transaction wrong{{}, {0x66, 0x66, 0x93, 0x80, 0x00, 0xA3}};
    EXPECT_EQ(board.failing_sample({ask, wrong, ask, wrong, ask, wrong}), -EIO);
    EXPECT_TRUE(board.host.has_error("0x44 on i2c-1: an answer with a wrong checksum"));
    EXPECT_TRUE(board.host.readings.empty());
    EXPECT_EQ(board.sample({ask, {{}, {0x66, 0x66, 0x93, 0x80, 0x00, 0xA2}}}).get<std::int64_t>("bus_errors"),
              3);
}

TEST(I2cSht3x, TakesAnAnswerThatIsCutShortForAnError) {
    I2cBoard board(pi, {{"chip", "sht3x"}});
    ASSERT_EQ(board.open({{{0xF3, 0x2D}, {}}, {{}, {0x80, 0x10, 0xE1}}}), 0);
    const Transaction ask{{0x24, 0x00}, {}};
    const Transaction cut{{}, {0x66, 0x66, 0x93}};
    EXPECT_EQ(board.failing_sample({ask, cut, ask, cut, ask, cut}), -EIO);
    EXPECT_TRUE(board.host.has_error("fetching an answer: the bus did not do it"));
}

TEST(I2cSht3x, SaysThatTheBusCannotDoWhatItNeeds) {
    I2cBoard box("x86-box", {{"chip", "sht3x"}, {"bus", "0"}});
    EXPECT_EQ(box.open(), -EOPNOTSUPP);
    EXPECT_TRUE(
        box.host.has_error("the chip needs plain I2C transfers (I2C_RDWR), which i2c-0 (SMBus I801 adapter "
                           "at efa0) cannot do"));
}

TEST(I2cSht4x, MeasuresWithItsOwnCommandAndFormula) {
    I2cBoard board(pi, {{"chip", "sht4x"}, {"address", "0x45"}});
    ASSERT_EQ(board.open({{{0x89}, {}}, {{}, {0xBE, 0xEF, 0x92, 0xBE, 0xEF, 0x92}, 0, 1000}}), 0);
    EXPECT_EQ(board.fake.address, 0x45U);
    auto seen = board.sample({{{0xFD}, {}}, {{}, {0x66, 0x66, 0x93, 0x80, 0x00, 0xA2}, 0, 8300}});
    EXPECT_NEAR(seen.get<double>("temperature"), 25, 0.002);
    EXPECT_NEAR(seen.get<double>("humidity"), 56.5, 0.002);
    seen = board.sample({{{0xFD}, {}}, {{}, {0xFF, 0xFF, 0xAC, 0xFF, 0xFF, 0xAC}}});
    EXPECT_DOUBLE_EQ(seen.get<double>("temperature"), 130);
    EXPECT_EQ(seen.get<double>("humidity"), 100);
    seen = board.sample({{{0xFD}, {}}, {{}, {0x00, 0x00, 0x81, 0x00, 0x00, 0x81}}});
    EXPECT_DOUBLE_EQ(seen.get<double>("temperature"), -45);
    EXPECT_EQ(seen.get<double>("humidity"), 0);
}

// The calibration and the raw values of the worked example in the BMP280 data sheet, 3.12.
const Bytes bosch_calibration = {0x70, 0x6B, 0x43, 0x67, 0x18, 0xFC, 0x7D, 0x8E, 0x43, 0xD6, 0xD0, 0x0B,
                                 0x27, 0x0B, 0x8C, 0x00, 0xF9, 0xFF, 0x8C, 0x3C, 0xF8, 0xC6, 0x70, 0x17};
const Bytes bosch_sample = {0x65, 0x5A, 0xC0, 0x7E, 0xED, 0x00};

TEST(I2cBmp280, ReadsTheWorkedExampleOfItsDataSheet) {
    I2cBoard board(pi, {{"chip", "bmp280"}});
    ASSERT_EQ(board.open({{{0xD0}, {0x58}}, {{0x88}, bosch_calibration}}), 0);
    EXPECT_EQ(board.fake.address, 0x76U);
    const auto seen = board.sample({{{0xF4, 0x25}, {}}, {{0xF3}, {0x00}, 0, 9300}, {{0xF7}, bosch_sample}});
    EXPECT_NEAR(seen.get<double>("temperature"), 25.08, 0.005);
    EXPECT_NEAR(seen.get<double>("pressure"), 100653.27, 0.01);
    EXPECT_EQ(units(board.host), (Units{{"temperature", "Cel"}, {"pressure", "Pa"}, {"bus_errors", ""}}));
}

TEST(I2cBmp280, WaitsWhileItMeasuresButNotForEver) {
    I2cBoard board(pi, {{"chip", "bmp280"}});
    ASSERT_EQ(board.open({{{0xD0}, {0x58}}, {{0x88}, bosch_calibration}}), 0);
    board.sample({{{0xF4, 0x25}, {}},
                  {{0xF3}, {0x08}},
                  {{0xF3}, {0x08}, 0, 1000},
                  {{0xF3}, {0x00}},
                  {{0xF7}, bosch_sample}});
    for (int attempt = 0; attempt < 3; ++attempt) {
        board.fake.expect({{{0xF4, 0x25}, {}}});
        for (int polls = 0; polls <= 10; ++polls)
            board.fake.expect({{{0xF3}, {0x08}}});
    }
    EXPECT_EQ(board.failing_sample({}), -EIO);
    EXPECT_TRUE(board.host.has_error("0x76 on i2c-1: the measurement did not end"));
}

TEST(I2cBmp280, DoesNotTakeTheResetValueForAMeasurement) {
    I2cBoard board(pi, {{"chip", "bmp280"}});
    ASSERT_EQ(board.open({{{0xD0}, {0x58}}, {{0x88}, bosch_calibration}}), 0);
    const Transaction ask{{0xF4, 0x25}, {}};
    const Transaction done{{0xF3}, {0x00}};
    const Transaction nothing{{0xF7}, {0x80, 0x00, 0x00, 0x80, 0x00, 0x00}};
    EXPECT_EQ(board.failing_sample({ask, done, nothing, ask, done, nothing, ask, done, nothing}), -EIO);
    EXPECT_TRUE(board.host.has_error("the chip did not measure"));
}

TEST(I2cBme280, ReadsHumidityToo) {
    I2cBoard board(pi, {{"chip", "bme280"}, {"address", "0x77"}});
    // H1 = 75, H2 = 362, H3 = 0, H4 = 315, H5 = 50, H6 = 30: E4 and E5 hold H4, E5 and E6 hold H5.
    ASSERT_EQ(board.open({{{0xD0}, {0x60}},
                          {{0x88}, bosch_calibration},
                          {{0xE1}, {0x6A, 0x01, 0x00, 0x13, 0x2B, 0x03, 0x1E}},
                          {{0xA1}, {75}}}),
              0);
    const auto seen = board.sample({{{0xF2, 0x01}, {}},
                                    {{0xF4, 0x25}, {}},
                                    {{0xF3}, {0x00}, 0, 9300},
                                    {{0xF7}, {0x65, 0x5A, 0xC0, 0x7E, 0xED, 0x00, 0x80, 0x01}}});
    EXPECT_NEAR(seen.get<double>("temperature"), 25.08, 0.005);
    EXPECT_NEAR(seen.get<double>("pressure"), 100653.27, 0.01);
    EXPECT_NEAR(seen.get<double>("humidity"), 69.65, 0.02);
    EXPECT_EQ(units(board.host).at("humidity"), "%RH");
}

TEST(I2cBme280, SaysWhichChipIsThereInstead) {
    const std::tuple<const char*, std::uint8_t, const char*> chips[] = {
        {"bme280", 0x58, "has the id 0x58: it is a BMP280, chip = \"bmp280\""},
        {"bmp280", 0x60, "has the id 0x60: it is a BME280, chip = \"bme280\""},
        {"bmp280", 0x61, "has the id 0x61: it is neither a BME280 nor a BMP280"},
    };
    for (const auto& [chip, id, text] : chips) {
        I2cBoard board(pi, {{"chip", chip}});
        EXPECT_EQ(board.open({{{0xD0}, {id}}}), -ENODEV);
        EXPECT_TRUE(board.host.has_error(text)) << board.host.errors.at(0);
    }
}

TEST(I2cBme280, RefusesAnEmptyOrShortCalibration) {
    I2cBoard empty(pi, {{"chip", "bmp280"}});
    const Transaction zeros{{0x88}, Bytes(24)};
    EXPECT_EQ(empty.open({{{0xD0}, {0x58}}, zeros, zeros, zeros}), -EIO);
    EXPECT_TRUE(empty.host.has_error("calibration is empty"));
    I2cBoard cut(pi, {{"chip", "bmp280"}});
    const Transaction short_one{{0x88}, Bytes(23)};
    EXPECT_EQ(cut.open({{{0xD0}, {0x58}}, short_one, short_one, short_one}), -EIO);
    EXPECT_TRUE(cut.host.has_error("register 0x88 gave 23 bytes and not 24"));
}

}  // namespace
}  // namespace holdfast::test
