#include "base/json_writer.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace holdfast {
namespace {

TEST(JsonWriter, PutsCommasWhereTheyBelong) {
    std::string out;
    JsonWriter json(out);
    json.begin_object();
    json.key("a").number(1);
    json.key("b").begin_array().end_array();
    json.key("c")
        .begin_array()
        .number(1U)
        .text("x")
        .null()
        .boolean(true)
        .begin_object()
        .end_object()
        .end_array();
    json.key("d").begin_object().key("e").boolean(false).end_object();
    json.end_object();
    EXPECT_EQ(out, R"({"a":1,"b":[],"c":[1,"x",null,true,{}],"d":{"e":false}})");
}

TEST(JsonWriter, IsNotMisledByTextThatLooksLikeJson) {
    std::string out;
    JsonWriter json(out);
    json.begin_array().text("[").text(":").text("{").text("").end_array();
    EXPECT_EQ(out, R"(["[",":","{",""])");
}

TEST(JsonWriter, AppendsToWhatIsThere) {
    std::string out = "data: ";
    JsonWriter(out).begin_array().number(1).number(2).end_array();
    EXPECT_EQ(out, "data: [1,2]");
}

TEST(JsonWriter, TakesJsonThatIsMadeAlready) {
    std::string out;
    JsonWriter(out).begin_object().raw("\"k\":").number(1).raw("\"l\":2").end_object();
    EXPECT_EQ(out, R"({"k":1,"l":2})");
}

TEST(JsonWriter, EscapesQuotesBackslashesAndControlCharacters) {
    std::string out;
    JsonWriter(out).text(std::string_view("\"\\/\b\f\n\r\t\x01\x1F\0z", 12));
    EXPECT_EQ(out, R"("\"\\/\b\f\n\r\t\u0001\u001f\u0000z")");
}

TEST(JsonWriter, PassesUtf8Through) {
    std::string out;
    JsonWriter(out).text("\xC3\xBC\xE2\x82\xAC\xF0\x9F\x8C\x8A\x7F");
    EXPECT_EQ(out, "\"\xC3\xBC\xE2\x82\xAC\xF0\x9F\x8C\x8A\x7F\"");
}

TEST(JsonWriter, ReplacesWhatIsNotUtf8InAnyText) {
    std::string out;
    JsonWriter(out)
        .begin_array()
        .any_text("a\xFF\xC3\xBC\xC3")
        .any_text("fine")
        .any_text("\xE2\x82")
        .end_array();
    EXPECT_EQ(out, "[\"a\xEF\xBF\xBD\xC3\xBC\xEF\xBF\xBD\",\"fine\",\"\xEF\xBF\xBD\xEF\xBF\xBD\"]");
}

TEST(JsonWriter, WritesTheShortestNumberThatReadsBack) {
    std::string out;
    JsonWriter json(out);
    json.begin_array().number(0.1).number(3.0).number(-100000.0).number(-0.0).number(1e300).number(5e-324);
    json.number(std::numeric_limits<std::int64_t>::min())
        .number(std::numeric_limits<std::uint64_t>::max())
        .end_array();
    EXPECT_EQ(out, "[0.1,3,-100000,-0.0,1e+300,5e-324,-9223372036854775808,18446744073709551615]");
}

TEST(JsonWriter, CountsNonFiniteNumbersAndWritesNull) {
    std::string out;
    JsonWriter json(out);
    json.begin_array()
        .number(std::numeric_limits<double>::infinity())
        .number(std::nan(""))
        .number(1.5)
        .end_array();
    EXPECT_EQ(out, "[null,null,1.5]");
    EXPECT_EQ(json.non_finite(), 2U);
}

}  // namespace
}  // namespace holdfast
