// The converters, thermometers and plain registers that the i2c input knows, with what goes over the bus as
// their data sheets have it.
#include <cmath>

#include "i2c_board.hpp"

namespace holdfast::test {
namespace {

// 0x8583 is what the configuration holds after a reset (ADS111x data sheet, 9.6.3).
TEST(I2cAds1115, ConvertsEachInputAndWaitsForIt) {
    I2cBoard board(pi, {{"chip", "ads1115"}, {"inputs", TestHost::list({"a0", "a3", "a0-a1"})}});
    ASSERT_EQ(board.open({{{0x01}, {0x85, 0x83}}}), 0);
    const auto seen = board.sample({{{0x01, 0xC3, 0x83}, {}},
                                    {{0x01}, {0xC3, 0x83}, 0, 8600},
                                    {{0x00}, {0x7F, 0xFF}},
                                    {{0x01, 0xF3, 0x83}, {}},
                                    {{0x01}, {0x73, 0x83}},
                                    {{0x01}, {0xF3, 0x83}},
                                    {{0x00}, {0x00, 0x01}},
                                    {{0x01, 0x83, 0x83}, {}},
                                    {{0x01}, {0x83, 0x83}},
                                    {{0x00}, {0x80, 0x00}}});
    EXPECT_DOUBLE_EQ(seen.get<double>("a0"), 4.096 * 32767 / 32768);
    EXPECT_DOUBLE_EQ(seen.get<double>("a3"), 125e-6);
    EXPECT_DOUBLE_EQ(seen.get<double>("a0-a1"), -4.096);
    EXPECT_EQ(units(board.host).at("a0-a1"), "V");
}

TEST(I2cAds1115, TakesFullScaleAndRateFromItsOptions) {
    I2cBoard board(pi, {{"chip", "ads1115"},
                        {"inputs", TestHost::list({"a2"})},
                        {"full_scale", 0.256},
                        {"rate", std::int64_t{8}}});
    ASSERT_EQ(board.open({{{0x01}, {0x85, 0x83}}}), 0);
    const auto seen =
        board.sample({{{0x01, 0xEB, 0x03}, {}}, {{0x01}, {0xEB, 0x03}, 0, 137'500}, {{0x00}, {0x40, 0x00}}});
    EXPECT_DOUBLE_EQ(seen.get<double>("a2"), 0.128);
}

TEST(I2cAds1115, RefusesOptionsThatItHasNot) {
    const std::pair<TestHost::Options, const char*> wrong[] = {
        {{{"inputs", TestHost::list({"a4"})}}, "inputs: there is no 'a4', only a0-a1, a0-a3"},
        {{{"inputs", TestHost::list({"a0", "a0"})}}, "inputs: 'a0' is there twice"},
        {{{"inputs", TestHost::list({})}}, "inputs: names none of"},
        {{{"full_scale", 3.3}}, "full_scale: is 6.144, 4.096"},
        {{{"rate", std::int64_t{0}}}, "rate: is 8, 16, 32"},
    };
    for (auto [options, text] : wrong) {
        options["chip"] = "ads1115";
        I2cBoard board(pi, options);
        EXPECT_EQ(board.open(), -EINVAL);
        EXPECT_TRUE(board.host.has_error(text));
    }
}

// "Configure/Measure/Calculate Example" of the INA219 data sheet: 10 A through 2 milliohms, 11.98 V, 119.8 W.
TEST(I2cIna219, ReadsTheWorkedExampleOfItsDataSheet) {
    I2cBoard board(pi, {{"chip", "ina219"}, {"shunt", 0.002}});
    ASSERT_EQ(board.open({{{0x00}, {0x01, 0x9F}}}), 0);
    const auto seen = board.sample({{{0x01}, {0x07, 0xD0}}, {{0x02}, {0x5D, 0x98}}});
    EXPECT_DOUBLE_EQ(seen.get<double>("shunt_voltage"), 0.02);
    EXPECT_DOUBLE_EQ(seen.get<double>("bus_voltage"), 11.98);
    EXPECT_DOUBLE_EQ(seen.get<double>("current"), 10);
    EXPECT_DOUBLE_EQ(seen.get<double>("power"), 119.8);
    const Units expected = {
        {"shunt_voltage", "V"}, {"bus_voltage", "V"}, {"current", "A"}, {"power", "W"}, {"bus_errors", ""}};
    EXPECT_EQ(units(board.host), expected);
}

TEST(I2cIna219, WakesAChipThatDoesNotMeasureAndReadsCurrentThatFlowsBack) {
    I2cBoard board(pi, {{"chip", "ina219"}});
    ASSERT_EQ(board.open({{{0x00}, {0x39, 0x98}}, {{0x00, 0x39, 0x9F}, {}}}), 0);
    const auto seen = board.sample({{{0x01}, {0x83, 0x00}}, {{0x02}, {0x00, 0x02}}});
    EXPECT_DOUBLE_EQ(seen.get<double>("shunt_voltage"), -0.32);
    EXPECT_DOUBLE_EQ(seen.get<double>("current"), -3.2);
    EXPECT_EQ(seen.get<double>("bus_voltage"), 0);
}

TEST(I2cIna219, RefusesAShuntOfNothing) {
    for (const double shunt : {0.0, -0.1, std::nan("")}) {
        I2cBoard board(pi, {{"chip", "ina219"}, {"shunt", shunt}});
        EXPECT_EQ(board.open(), -EINVAL);
        EXPECT_TRUE(board.host.has_error("shunt: is the resistance in ohms"));
    }
}

struct Degrees {
    const char* chip;
    Bytes word;
    double expected;
};

// Rows of the tables in the data sheets: LM75 7.3.2, LM75B 7.4.3, TMP102 6.5.2 (the last three in extended
// mode), MCP9808 5.1.3.
TEST(I2cThermometers, ReadTheTablesOfTheirDataSheets) {
    const Degrees rows[] = {
        {"lm75", {0x7D, 0x00}, 125},        {"lm75", {0x19, 0x00}, 25},
        {"lm75", {0x00, 0x80}, 0.5},        {"lm75", {0x00, 0x7F}, 0},
        {"lm75", {0xFF, 0x80}, -0.5},       {"lm75", {0xC9, 0x00}, -55},
        {"lm75b", {0x7F, 0x00}, 127},       {"lm75b", {0x00, 0x20}, 0.125},
        {"lm75b", {0xFF, 0xE0}, -0.125},    {"lm75b", {0xE6, 0xE0}, -25.125},
        {"tmp102", {0x7F, 0xF0}, 127.9375}, {"tmp102", {0x19, 0x00}, 25},
        {"tmp102", {0x00, 0x40}, 0.25},     {"tmp102", {0xFF, 0xC0}, -0.25},
        {"tmp102", {0xC9, 0x00}, -55},      {"tmp102", {0x4B, 0x01}, 150},
        {"tmp102", {0x0C, 0x81}, 25},       {"tmp102", {0xE4, 0x81}, -55},
        {"mcp9808", {0xC1, 0x90}, 25},      {"mcp9808", {0x01, 0x94}, 25.25},
        {"mcp9808", {0x1F, 0xFC}, -0.25},   {"mcp9808", {0x1C, 0x90}, -55},
        {"mcp9808", {0x07, 0xD0}, 125},
    };
    for (const Degrees& row : rows) {
        I2cBoard board(pi, {{"chip", row.chip}});
        const bool has_ids = std::string(row.chip) == "mcp9808";
        const int code = has_ids ? board.open({{{0x06}, {0x00, 0x54}}, {{0x07}, {0x04, 0x00}}})
                                 : board.open({{{0x00}, {0x00, 0x00}}});
        ASSERT_EQ(code, 0);
        const std::uint8_t reg = has_ids ? 5 : 0;
        EXPECT_EQ(board.sample({{{reg}, row.word}}).get<double>("temperature"), row.expected)
            << row.chip << " " << testing::PrintToString(row.word);
        EXPECT_EQ(board.host.channels.at(0).unit, "Cel");
        EXPECT_EQ(board.fake.address, has_ids ? 0x18U : 0x48U);
    }
}

TEST(I2cThermometers, TellAnotherChipFromAnMcp9808) {
    I2cBoard board(pi, {{"chip", "mcp9808"}});
    EXPECT_EQ(board.open({{{0x06}, {0x00, 0x54}}, {{0x07}, {0x02, 0x00}}}), -ENODEV);
    EXPECT_TRUE(board.host.has_error("the chip at 0x18 on i2c-1 is no MCP9808: its ids are 0x54 and 0x0200"));
}

TEST(I2cThermometers, WorkOnASmbusThatCannotDoMore) {
    I2cBoard box("x86-box", {{"chip", "lm75"}, {"bus", "0"}});
    ASSERT_EQ(box.open({{{0x00}, {0x19, 0x00}}}), 0);
    EXPECT_EQ(box.sample({{{0x00}, {0x19, 0x80}}}).get<double>("temperature"), 25.5);
}

TEST(I2cRegisters, ReadEachWidthOrderAndSign) {
    const TestHost::Items registers = {{"a", "0x10"},
                                       {"b", "0x11 s8 offset=-40 unit=Cel"},
                                       {"c", "0x20 u16"},
                                       {"d", "32 s16 le scale=0.5"},
                                       {"e", "0x30 u24"},
                                       {"f", "0x30 s24 le"},
                                       {"g", "0x40 s32 scale=-1"},
                                       {"h", "0x40 u32 le"}};
    I2cBoard board(pi, {{"chip", "registers"}, {"address", "0x29"}, {"registers", registers}});
    ASSERT_EQ(board.open({{{0x10}, {0x00}}}), 0);
    const auto seen = board.sample({{{0x10}, {0xFE}},
                                    {{0x11}, {0xFE}},
                                    {{0x20}, {0x12, 0x34}},
                                    {{0x20}, {0xFE, 0xFF}},
                                    {{0x30}, {0x01, 0x02, 0x03}},
                                    {{0x30}, {0xFE, 0xFF, 0xFF}},
                                    {{0x40}, {0x80, 0x00, 0x00, 0x00}},
                                    {{0x40}, {0x01, 0x00, 0x00, 0x80}}});
    const std::pair<const char*, double> expected[] = {{"a", 254},          {"b", -42},       {"c", 0x1234},
                                                       {"d", -1},           {"e", 0x010203},  {"f", -2},
                                                       {"g", 2147483648.0}, {"h", 2147483649}};
    for (const auto& [channel, value] : expected)
        EXPECT_EQ(seen.get<double>(channel), value) << channel;
    EXPECT_EQ(units(board.host).at("b"), "Cel");
}

TEST(I2cRegisters, NeedOptionsThatSayWhatToRead) {
    const std::pair<TestHost::Options, const char*> wrong[] = {
        {{{"chip", "registers"}}, "address: is a number from 0x08 to 0x77"},
        {{{"chip", "registers"}, {"address", "0x29"}}, "registers: names none"},
        {{{"chip", "registers"}, {"address", "0x29"}, {"registers", TestHost::Items{{"x", "0x100"}}}},
         "registers.x: it begins with the register, a number from 0x00 to 0xff, and not with '0x100'"},
        {{{"chip", "lm75"}, {"registers", TestHost::Items{{"x", "0x10"}}}},
         "registers: is only for chip = \"registers\""},
    };
    for (const auto& [options, text] : wrong) {
        I2cBoard board(pi, options);
        EXPECT_EQ(board.open(), -EINVAL);
        EXPECT_TRUE(board.host.has_error(text)) << board.host.errors.at(0);
    }
}

}  // namespace
}  // namespace holdfast::test
