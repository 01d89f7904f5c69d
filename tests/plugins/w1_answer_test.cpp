// What thermometers answer, good and hostile.
#include "w1/answer.hpp"

#include <gtest/gtest.h>

namespace holdfast::test {
namespace {

constexpr const char* power_on =
    "50 05 4b 46 7f ff 0c 10 1c : crc=1c YES\n50 05 4b 46 7f ff 0c 10 1c t=85000\n";
constexpr const char* well = "91 01 4b 46 7f ff 0f 10 25 : crc=25 YES\n91 01 4b 46 7f ff 0f 10 25 t=25062\n";

struct Case {
    const char* text;
    const char* id;
    const char* failure;  // a part of it; "": a temperature
    double celsius = 0;
};

TEST(W1Answer, IsATemperatureOrSaysWhyNot) {
    constexpr const char* b20 = "28-000004e1a947";
    constexpr const char* s20 = "10-000802b4ba7d";
    const Case cases[] = {
        {well, b20, "", 25.062},
        {power_on, b20, "85 degrees"},
        // A measured 85: byte 6 is 10h.
        {"50 05 4b 46 7f ff 10 10 0d : crc=0d YES\n50 05 4b 46 7f ff 10 10 0d t=85000\n", b20, "", 85},
        {"aa 00 4b 46 ff ff 0c 10 87 : crc=87 YES\naa 00 4b 46 ff ff 0c 10 87 t=85000\n", s20, "85 degrees"},
        {"aa 00 4b 46 ff ff 0b 10 c2 : crc=c2 YES\naa 00 4b 46 ff ff 0b 10 c2 t=85062\n", s20, "", 85.062},
        // 10.625 of a DS18B20 has the bytes of a DS18S20's 85.
        {"aa 00 4b 46 7f ff 0c 10 5b : crc=5b YES\naa 00 4b 46 7f ff 0c 10 5b t=10625\n", b20, "", 10.625},
        {"ff 07 4b 46 7f ff 0c 10 f3 : crc=f3 YES\nff 07 4b 46 7f ff 0c 10 f3 t=127937\n", b20, "127.94"},
        {"91 01 4b 46 7f ff 0f 10 26 : crc=25 NO\n91 01 4b 46 7f ff 0f 10 25 t=25062\n", b20, "CRC"},
        {"ff ff ff ff ff ff ff ff ff : crc=c9 NO\n00 00 00 00 00 00 00 00 00 t=-62\n", b20, "CRC"},
        {"00 00 00 00 00 00 00 00 00 : crc=00 YES\n00 00 00 00 00 00 00 00 00 t=0\n", b20, "shorted"},
        {"00 f9 4b 46 7f ff 10 10 c0 : crc=c0 YES\n00 f9 4b 46 7f ff 10 10 c0 t=-112000\n", b20,
         "can't measure"},
        {"00 40 4b 46 7f ff 10 10 c0 : crc=c0 YES\n00 40 4b 46 7f ff 10 10 c0 t=1024000\n", "3b-000000198f51",
         "", 1024},
        {"", b20, "did not answer"},
        {"\n", b20, "did not answer"},
        {"YES\nt=20000\n", b20, "not as w1_therm"},
        {"91 01 4b 46 7f ff 0f 10 : crc=25 YES\nt=20000\n", b20, "not as w1_therm"},
        {"91 01 4b 46 7f ff 0f 10 125 : crc=25 YES\nt=20000\n", b20, "not as w1_therm"},
        {"91 01 4b 46 7f ff 0f 10 zz : crc=25 YES\nt=20000\n", b20, "not as w1_therm"},
        {"91 01 4b 46 7f ff 0f 10 25 : YES\nt=20000\n", b20, "not as w1_therm"},
        {"91 01 4b 46 7f ff 0f 10 25 : crc=25 YES", b20, "no temperature"},
        {"91 01 4b 46 7f ff 0f 10 25 : crc=25 YES\n91 01 4b 46 7f ff 0f 10 25\n", b20, "no temperature"},
        {"91 01 4b 46 7f ff 0f 10 25 : crc=25 YES\n91 t=\n", b20, "no number"},
        {"91 01 4b 46 7f ff 0f 10 25 : crc=25 YES\n91 t=2x\n", b20, "no number"},
        {"91 01 4b 46 7f ff 0f 10 25 : crc=25 YES\n91 t=99999999999999999999\n", b20, "no number"},
        {"91 01 4b 46 7f ff 0f 10 25 : crc=25 YES\n91 t=9223372036854775807\n", b20, "can't measure"},
    };
    for (const Case& each : cases) {
        const w1_input::Answer answer = w1_input::parse_w1_slave(each.text, each.id);
        EXPECT_EQ(answer.celsius.has_value(), answer.failure.empty()) << each.text;
        EXPECT_EQ(answer.celsius.has_value(), std::string(each.failure).empty())
            << each.text << answer.failure;
        EXPECT_NE(answer.failure.find(each.failure), std::string::npos) << each.text << answer.failure;
        EXPECT_DOUBLE_EQ(answer.celsius.value_or(0), each.celsius);
    }
}

TEST(W1Answer, OfTheNewerAttributeLikewise) {
    constexpr const char* b20 = "28-000004e1a947";
    const Case cases[] = {
        {"23000\n", b20, "", 23},       {"-62\n", b20, "", -0.062},  {"23000", b20, "", 23},
        {"85000\n", b20, "85 degrees"}, {"", b20, "did not answer"}, {"\n", b20, "did not answer"},
        {"twenty\n", b20, "no number"}, {"1 2\n", b20, "no number"}, {"200000\n", b20, "can't measure"}};
    for (const Case& each : cases) {
        const w1_input::Answer answer = w1_input::parse_temperature(each.text, each.id);
        EXPECT_EQ(answer.celsius.has_value(), std::string(each.failure).empty()) << each.text;
        EXPECT_NE(answer.failure.find(each.failure), std::string::npos) << each.text;
        EXPECT_DOUBLE_EQ(answer.celsius.value_or(0), each.celsius);
    }
}

// Every text that differs from a good one in one byte, or ends early.
TEST(W1Answer, SurvivesAnyOneByteChanged) {
    const std::string good = well;
    for (std::size_t i = 0; i < good.size(); ++i) {
        w1_input::parse_w1_slave(good.substr(0, i), "28-000004e1a947");
        for (int byte = 0; byte < 256; ++byte) {
            std::string text = good;
            text[i] = static_cast<char>(byte);
            const w1_input::Answer answer = w1_input::parse_w1_slave(text, "28-000004e1a947");
            ASSERT_EQ(answer.celsius.has_value(), answer.failure.empty());
            if (answer.celsius) {
                ASSERT_GE(*answer.celsius, -55);
                ASSERT_LE(*answer.celsius, 125);
            }
        }
    }
}

}  // namespace
}  // namespace holdfast::test
