// What lines of each format say, and how lines are cut out of a stream.
#include <cmath>

#include <gtest/gtest.h>

#include "shared/lines/line_reader.hpp"
#include "shared/lines/record.hpp"
#include "shared/lines/text.hpp"

namespace lines {
namespace {

Record parsed(Parser parser, std::string_view line) {
    Record record;
    parser(line, record);
    return record;
}

template <typename T>
T value(const Record& record, const std::string& channel) {
    for (const Field& field : record.fields)
        if (field.channel == channel) return std::get<T>(field.value);
    throw std::out_of_range(channel);
}

// What the parser says of a wrong line; empty when it takes the line.
std::string complaint(Parser parser, std::string_view line) {
    try {
        parsed(parser, line);
        return "";
    } catch (const LineError& error) {
        return error.what();
    }
}

TEST(JsonLine, GivesAChannelPerMember) {
    const Record record =
        parsed(parse_json, R"( {"a":1, "b" : -2.5e3,"c":true,"d":false,"e":"text","f":null} )");
    EXPECT_EQ(value<double>(record, "a"), 1);
    EXPECT_EQ(value<double>(record, "b"), -2500);
    EXPECT_EQ(value<bool>(record, "c"), true);
    EXPECT_EQ(value<bool>(record, "d"), false);
    EXPECT_EQ(value<std::string>(record, "e"), "text");
    EXPECT_NO_THROW(value<Null>(record, "f"));
    EXPECT_FALSE(record.wall_time_us);
}

TEST(JsonLine, FlattensObjectsWithDots) {
    const Record record =
        parsed(parse_json, R"({"tank":{"level":3,"pump":{"on":true},"none":{}},"ok":true})");
    EXPECT_EQ(value<double>(record, "tank.level"), 3);
    EXPECT_EQ(value<bool>(record, "tank.pump.on"), true);
    EXPECT_EQ(record.fields.size(), 3U);
}

TEST(JsonLine, DecodesEscapes) {
    const Record record =
        parsed(parse_json, R"({"s":"\"\\\/\b\f\n\r\t\u00b0\u20AC\ud83d\ude00","k\u00e9y":1})");
    EXPECT_EQ(value<std::string>(record, "s"), "\"\\/\b\f\n\r\t\u00b0\u20ac\U0001f600");
    EXPECT_EQ(value<double>(record, "k\u00e9y"), 1);
}

TEST(JsonLine, TakesTheTimeInMilliseconds) {
    EXPECT_EQ(parsed(parse_json, R"({"ts":1795371137123,"a":1})").wall_time_us, 1795371137123000);
    EXPECT_EQ(parsed(parse_json, R"({"ts":1795371137123.25,"a":1})").wall_time_us, 1795371137123250);
    EXPECT_EQ(parsed(parse_json, R"({"ts":null,"a":1})").wall_time_us, std::nullopt);
    EXPECT_EQ(parsed(parse_json, R"({"ts":1,"a":1})").fields.size(), 1U);
}

TEST(JsonLine, TakesTheTimeAsRfc3339) {
    EXPECT_EQ(parsed(parse_json, R"({"ts":"2026-11-22T18:12:17.123Z","a":1})").wall_time_us,
              1795371137123000);
}

TEST(JsonLine, LeavesATsWithinAnObjectAlone) {
    EXPECT_EQ(value<double>(parsed(parse_json, R"({"a":{"ts":5}})"), "a.ts"), 5);
}

TEST(JsonLine, RefusesWhatIsNotJson) {
    for (const char* line : {"5",
                             "[1]",
                             "{",
                             "}",
                             "{}",
                             R"({"ts":5})",
                             R"({"a":})",
                             R"({"a" 1})",
                             R"({"a":1,})",
                             R"({a:1})",
                             R"({"a":1}x)",
                             R"({"a":01})",
                             R"({"a":+1})",
                             R"({"a":1.})",
                             R"({"a":.5})",
                             R"({"a":1e})",
                             R"({"a":NaN})",
                             R"({"a":Infinity})",
                             R"({"a":tru})",
                             R"({"a":"x})",
                             R"({"a":"\x"})",
                             R"({"a":"\u12g4"})",
                             R"({"a":"\ud83d"})",
                             R"({"a":"\ude00"})",
                             "{\"a\":\"\t\"}",
                             R"({"a":1e999})",
                             R"({"a":[1]})",
                             R"({"ts":-1,"a":1})",
                             R"({"ts":"today","a":1})",
                             R"({"ts":1,"ts":2,"a":1})",
                             R"({"ts":1e300,"a":1})",
                             R"({"a\u0000b":1})",
                             R"({'a':1})",
                             "{\"a\":1",
                             "{\"a\":\"\\"})
        EXPECT_NE(complaint(parse_json, line), "") << line;
}

TEST(JsonLine, SaysWhereItWentWrong) {
    EXPECT_EQ(complaint(parse_json, R"({"a" 1})"), "json: expected ':' after the key at byte 6");
    EXPECT_EQ(complaint(parse_json, R"({"a":[1]})"),
              "json: channel 'a' is an array, which no channel can hold");
}

TEST(JsonLine, RefusesObjectsTooDeepInsteadOfRecursing) {
    std::string line;
    for (int i = 0; i < 20'000; ++i)
        line += R"({"a":)";
    EXPECT_NE(complaint(parse_json, line), "");
}

TEST(InfluxLine, GivesAChannelPerFieldAndItsTags) {
    const Record record = parsed(
        parse_influx,
        R"(weather,station=b2,room=5 temp=21.5,wind=3i,gust=4u,rain=t,dry=FALSE,text="wet, \"very\" \\" 1795371137123456789)");
    EXPECT_EQ(value<double>(record, "weather.temp"), 21.5);
    EXPECT_EQ(value<std::int64_t>(record, "weather.wind"), 3);
    EXPECT_EQ(value<std::int64_t>(record, "weather.gust"), 4);
    EXPECT_EQ(value<bool>(record, "weather.rain"), true);
    EXPECT_EQ(value<bool>(record, "weather.dry"), false);
    EXPECT_EQ(value<std::string>(record, "weather.text"), R"(wet, "very" \)");
    const std::vector<std::pair<std::string, std::string>> tags = {{"station", "b2"}, {"room", "5"}};
    EXPECT_EQ(record.tags, tags);
    EXPECT_EQ(record.wall_time_us, 1795371137123456);
}

TEST(InfluxLine, DecodesEscapesInNames) {
    const Record record = parsed(parse_influx, R"(my\ me\,as,ta\=g=va\ lue fi\,eld\ x=1)");
    EXPECT_EQ(value<double>(record, "my me,as.fi,eld x"), 1);
    EXPECT_EQ(record.tags.at(0), (std::pair<std::string, std::string>("ta=g", "va lue")));
}

TEST(InfluxLine, TakesNumbersOfAllNotations) {
    EXPECT_EQ(value<double>(parsed(parse_influx, "m f=-1.5e-3"), "m.f"), -0.0015);
    EXPECT_EQ(value<double>(parsed(parse_influx, "m f=+2"), "m.f"), 2);
    EXPECT_EQ(value<std::int64_t>(parsed(parse_influx, "m f=-9223372036854775808i"), "m.f"), INT64_MIN);
}

TEST(InfluxLine, SaysNothingForBlanksAndComments) {
    EXPECT_TRUE(parsed(parse_influx, "# a comment").fields.empty());
    EXPECT_TRUE(parsed(parse_influx, "   ").fields.empty());
}

TEST(InfluxLine, RefusesWhatIsNoLineProtocol) {
    for (const char* line : {"m",
                             "m ",
                             ",t=1 f=1",
                             "m, f=1",
                             "m,t f=1",
                             "m,t= f=1",
                             "m f",
                             "m f=",
                             "m =1",
                             "m f=1,",
                             "m f=1,g",
                             "m f=x",
                             "m f=nan",
                             "m f=1e999",
                             "m f=1.5i",
                             "m f=-1u",
                             "m f=18446744073709551615u",
                             "m f=\"x",
                             "m f=1 x",
                             "m f=1 -5",
                             "m f=1 1.5",
                             "m f=\"a\"b",
                             "m f=1 5 5"})
        EXPECT_NE(complaint(parse_influx, line), "") << line;
}

TEST(ValueLine, IsABareNumber) {
    EXPECT_EQ(value<double>(parsed(parse_value, " 21.5 \r"), "value"), 21.5);
    EXPECT_EQ(value<double>(parsed(parse_value, "-3"), "value"), -3);
    EXPECT_EQ(value<double>(parsed(parse_value, "+1e3"), "value"), 1000);
    for (const char* none : {"nan", "NaN", "null"})
        EXPECT_NO_THROW(value<Null>(parsed(parse_value, none), "value"));
    EXPECT_TRUE(parsed(parse_value, " \t").fields.empty());
}

TEST(ValueLine, RefusesAnythingElse) {
    for (const char* line :
         {"x", "1 2", "1,5", "0x10", "inf", "-inf", "+-1", "1e999", "--1", "1C", "nan nan"})
        EXPECT_NE(complaint(parse_value, line), "") << line;
}

TEST(Rfc3339, GivesMicrosecondsSince1970) {
    EXPECT_EQ(parse_rfc3339("1970-01-01T00:00:00Z"), 0);
    EXPECT_EQ(parse_rfc3339("2000-02-29T12:00:00z"), 951825600000000);
    EXPECT_EQ(parse_rfc3339("2026-11-22 19:12:17.123456789+01:00"), 1795371137123456);
    EXPECT_EQ(parse_rfc3339("2026-11-22t12:42:17.1-05:30"), 1795371137100000);
    EXPECT_EQ(parse_rfc3339("2016-12-31T23:59:60Z"), 1483228800000000);
    EXPECT_EQ(parse_rfc3339("9999-12-31T23:59:59.999999Z"), latest_time_us);
    EXPECT_EQ(parse_rfc3339("1969-12-31T23:59:59Z"), -1000000);
}

TEST(Rfc3339, RefusesTimesThatThereAreNot) {
    for (const char* text :
         {"", "2026", "2026-11-22", "2026-11-22T18:12:17", "2026-13-01T00:00:00Z", "2026-00-01T00:00:00Z",
          "2025-02-29T00:00:00Z", "1900-02-29T00:00:00Z", "2026-01-01T24:00:00Z", "2026-01-01T00:60:00Z",
          "2026-01-01T00:00:61Z", "2026-01-01T00:00:00.Z", "2026-01-01T00:00:00+24:00",
          "2026-01-01T00:00:00+0100", "2026-01-01T00:00:00Zx", "26-01-01T00:00:00Z", "2026-1-1T00:00:00Z"})
        EXPECT_EQ(parse_rfc3339(text), std::nullopt) << text;
}

// Feeds the bytes in pieces of each size; what comes out must not depend on it.
std::vector<std::string> cut(const std::string& bytes, std::size_t most, std::size_t piece) {
    LineReader reader(most);
    std::vector<std::string> lines;
    const auto line = [&](std::string_view text) { lines.emplace_back(text); };
    for (std::size_t at = 0; at < bytes.size(); at += piece)
        reader.feed(std::string_view(bytes).substr(at, piece), line, [&] { lines.emplace_back("TOO LONG"); });
    reader.finish(line);
    return lines;
}

TEST(LineReader, CutsTheSameLinesHoweverTheBytesArrive) {
    const std::vector<std::string> expected = {"one", "two", "TOO LONG", "five5", "last"};
    for (std::size_t piece = 1; piece < 30; ++piece)
        EXPECT_EQ(cut("one\r\ntwo\n\nfour44444444444\nfive5\nlast", 5, piece), expected) << piece;
}

TEST(LineReader, TakesALineOfExactlyTheMost) {
    const std::string most(65536, 'x');
    EXPECT_EQ(cut(most + "\n", 65536, 1000), std::vector<std::string>{most});
    EXPECT_EQ(cut(most + "\r\n", 65536, 1000), std::vector<std::string>{most});
    EXPECT_EQ(cut(most + "x\n", 65536, 1000), std::vector<std::string>{"TOO LONG"});
}

TEST(Text, KnowsUtf8) {
    for (const char* good : {"", "abc", "\u00b0\u20ac\U0001f600", "\xf4\x8f\xbf\xbf"})
        EXPECT_TRUE(is_utf8(good)) << good;
    for (const char* bad : {"\x80", "\xc0\x80", "\xc3", "\xe0\x80\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80",
                            "\xf5\x80\x80\x80", "\xe2\x82", "\xff"})
        EXPECT_FALSE(is_utf8(bad));
}

TEST(Text, ShowsNoControlCharactersAndNothingBroken) {
    EXPECT_EQ(printable("a\x1b[1m\xff\xc2\x85 \u00b0", 100), "a?[1m?? \u00b0");
    EXPECT_EQ(printable("0123456789", 4), "0123...");
    EXPECT_EQ(printable("\u00b0\u00b0", 3), "\u00b0...");
}

}  // namespace
}  // namespace lines
