#include "model/frame.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "base/utf8.hpp"
#include "model/wire.hpp"

namespace holdfast::frame {
namespace {

PluginInfo sample_plugin() {
    return {"simulator",
            "1.0",
            "makes readings",
            {{"rate", OptionType::f64, "1", "readings per second", {}},
             {"shape", OptionType::string, "sine", "", {"counter", "sine"}},
             {"command", OptionType::string_list, std::nullopt, "what to run", {}},
             {"environment", OptionType::string_map, "", "", {}}}};
}

Options all_types() {
    return {{"text", std::string("a\nb")},
            {"number", std::int64_t{-5}},
            {"real", 0.25},
            {"yes", true},
            {"list", std::vector<std::string>{"a", "", "c"}},
            {"map", Tags{{"k", "v"}, {"l", ""}}}};
}

Round sample_round() {
    return {
        -19, -5, 3, 1, 7, 2, 1ULL << 40U, 300'000, true, "no answer", "emitted a string that is not UTF-8"};
}

std::vector<std::string> one_of_each_from_host() {
    return {encode(FromHost(Description{sample_plugin()})),
            encode(FromHost(Opened{})),
            encode(FromHost(Readings{"segment"})),
            encode(FromHost(Failed{5, 3, "i/o error"})),
            encode(FromHost(Missed{300})),
            encode(FromHost(Gone{})),
            encode(FromHost(OpenFailed{22, true, "no such option"})),
            encode(FromHost(LogLine{LogLevel::warning, "größer"})),
            encode(FromHost(Beat{})),
            encode(FromHost(Restarted{"exited"})),
            encode(FromHost(Crashed{"f (p.so+0x1)"})),
            encode(FromHost(sample_round())),
            encode(FromHost(Finished{}))};
}

// The frame that `frame` is on the other side.
template <typename Frame>
Frame from_host(const Frame& frame) {
    static std::string bytes;
    bytes = encode(FromHost(frame));
    const auto decoded = decode_from_host(bytes);
    EXPECT_TRUE(decoded);
    return std::get<Frame>(*decoded);
}

TEST(FrameToHost, GivesBackDescribe) {
    const auto decoded = decode_to_host(encode(ToHost(Describe{"/usr/lib/x.so"})));
    ASSERT_TRUE(decoded);
    EXPECT_EQ(std::get<Describe>(*decoded).plugin_path, "/usr/lib/x.so");
}

TEST(FrameToHost, GivesBackConfigureWithEveryTypeOfOption) {
    const auto decoded =
        decode_to_host(encode(ToHost(Configure{"/p.so", "/root", 250'000, all_types(), true})));
    ASSERT_TRUE(decoded);
    const auto& configure = std::get<Configure>(*decoded);
    EXPECT_EQ(configure.plugin_path, "/p.so");
    EXPECT_EQ(configure.sensor_root, "/root");
    EXPECT_EQ(configure.interval_us, 250'000);
    EXPECT_EQ(configure.options, all_types());
    EXPECT_TRUE(configure.trial);
}

TEST(FrameToHost, GivesBackExercise) {
    const auto decoded =
        decode_to_host(encode(ToHost(Exercise{{"/p.so", "", 1'000'000, all_types()}, 200, 3})));
    ASSERT_TRUE(decoded);
    const auto& exercise = std::get<Exercise>(*decoded);
    EXPECT_EQ(exercise.rounds, 200U);
    EXPECT_EQ(exercise.samples, 3U);
    EXPECT_EQ(exercise.configuration.plugin_path, "/p.so");
    EXPECT_EQ(exercise.configuration.options, all_types());
}

TEST(FrameToHost, GivesBackCheck) {
    const auto decoded =
        decode_to_host(encode(ToHost(Check{{"/p.so", "/root", 1'000'000, all_types(), true}})));
    ASSERT_TRUE(decoded);
    const auto& check = std::get<Check>(*decoded);
    EXPECT_EQ(check.configuration.plugin_path, "/p.so");
    EXPECT_EQ(check.configuration.sensor_root, "/root");
    EXPECT_EQ(check.configuration.options, all_types());
    EXPECT_TRUE(check.configuration.trial);
}

TEST(FrameFromHost, GivesBackARound) {
    const Round round = from_host(sample_round());
    EXPECT_EQ(round.open_code, -19);
    EXPECT_EQ(round.sample_code, -5);
    EXPECT_EQ(round.samples, 3U);
    EXPECT_EQ(round.threads, 1U);
    EXPECT_EQ(round.descriptors, 7U);
    EXPECT_EQ(round.children, 2U);
    EXPECT_EQ(round.heap_bytes, 1ULL << 40U);
    EXPECT_EQ(round.data_bytes, 300'000U);
    EXPECT_TRUE(round.threw);
    EXPECT_EQ(round.said, "no answer");
    EXPECT_EQ(round.refusal, "emitted a string that is not UTF-8");
}

TEST(FrameFromHost, GivesBackADescription) {
    const PluginInfo plugin = from_host(Description{sample_plugin()}).plugin;
    EXPECT_EQ(plugin.name, "simulator");
    EXPECT_EQ(plugin.version, "1.0");
    EXPECT_EQ(plugin.summary, "makes readings");
    ASSERT_EQ(plugin.options.size(), 4U);
    EXPECT_EQ(plugin.options[0].default_text, "1");
    EXPECT_EQ(plugin.options[0].help, "readings per second");
    EXPECT_EQ(plugin.options[1].choices, (std::vector<std::string>{"counter", "sine"}));
    EXPECT_EQ(plugin.options[2].default_text, std::nullopt) << "a required option has no default";
    EXPECT_EQ(plugin.options[3].default_text, "") << "an empty default is one";
    EXPECT_EQ(plugin.options[3].type, OptionType::string_map);
}

TEST(FrameFromHost, GivesBackWhatHappened) {
    EXPECT_EQ(from_host(Readings{"abc"}).segment, "abc");
    EXPECT_EQ(from_host(Readings{""}).segment, "");
    const Failed failed = from_host(Failed{5, 3, "i/o error"});
    EXPECT_EQ(failed.code, 5);
    EXPECT_EQ(failed.count, 3U);
    EXPECT_EQ(failed.text, "i/o error");
    for (const std::uint32_t count : {1U, 300U, 0xFFFF'FFFFU})
        EXPECT_EQ(from_host(Missed{count}).count, count);
    EXPECT_TRUE(from_host(OpenFailed{22, true, "x"}).final);
    EXPECT_FALSE(from_host(OpenFailed{22, false, "x"}).final);
    EXPECT_EQ(from_host(LogLine{LogLevel::debug, "x"}).level, LogLevel::debug);
    EXPECT_EQ(from_host(Restarted{"exited"}).reason, "exited");
    EXPECT_EQ(from_host(Crashed{"f (p.so+0x1)"}).place, "f (p.so+0x1)");
    from_host(Opened{});
    from_host(Beat{});
    from_host(Gone{});
    from_host(Finished{});
}

TEST(FrameFromHost, RefusesMissedSamplesThatAreNoneOrMoreThanItHolds) {
    EXPECT_FALSE(decode_from_host(encode(FromHost(Missed{0}))));
    std::string bytes = "M";
    wire::put_varint(bytes, 0x1'0000'0000);
    EXPECT_FALSE(decode_from_host(bytes));
}

TEST(FrameFromHost, MakesACrashedFrameInPlaceAsItWouldElsewhere) {
    CrashedBuffer buffer;
    for (const std::size_t size : {0U, 1U, 127U, 128U, 256U})
        EXPECT_EQ(encode_crashed(std::string(size, 'x'), buffer),
                  encode(FromHost(Crashed{std::string(size, 'x')})));
    EXPECT_EQ(encode_crashed(std::string(9999, 'x'), buffer),
              encode(FromHost(Crashed{std::string(256, 'x')})));
}

TEST(FrameFromHost, StartsReadingsWithTheirTag) {
    EXPECT_EQ(encode(FromHost(Readings{"abc"})), std::string(1, static_cast<char>(readings_tag)) + "abc");
}

TEST(FrameFromHost, MakesMessagesFitForALog) {
    EXPECT_EQ(from_host(LogLine{LogLevel::info, "a\xFF\xC3z"}).text, "a??z");
    EXPECT_EQ(from_host(Failed{0, 1, "two\nlines\x1B[31m"}).text, "two lines [31m");
    EXPECT_EQ(from_host(LogLine{LogLevel::info, "über"}).text, "über");
    EXPECT_TRUE(
        is_utf8(from_host(Description{{"\xFF", "\xFF", "\xFF", {{"\xFF", {}, "\xFF", "\xFF", {"\xFF"}}}}})
                    .plugin.options[0]
                    .choices[0]));
}

TEST(FrameFromHost, CutsALongMessageBetweenCharacters) {
    std::string text;
    for (int i = 0; i < 10'000; ++i)
        text += "ü";
    text = "x" + text;
    const std::string got = from_host(LogLine{LogLevel::info, text}).text;
    EXPECT_TRUE(is_utf8(got));
    EXPECT_GT(got.size(), 8000U);
    EXPECT_TRUE(text.starts_with(got));
}

TEST(FrameFromHost, TakesAnUnknownLevelForTheNearest) {
    for (int level = 0; level < 256; ++level) {
        const auto decoded = decode_from_host(std::string{'L', static_cast<char>(level), '\0'});
        ASSERT_TRUE(decoded);
        EXPECT_NE(to_string(std::get<LogLine>(*decoded).level), "");
    }
}

TEST(Frame, IsRefusedWhenCutShort) {
    for (const std::string& whole : one_of_each_from_host())
        for (std::size_t length = 0; length < whole.size(); ++length) {
            const auto decoded = decode_from_host(std::string(whole, 0, length));
            EXPECT_EQ(decoded.has_value(), length > 0 && whole[0] == 'R') << whole[0] << length;
            EXPECT_TRUE(decoded || decoded.error().kind == Error::Kind::corrupt);
        }
    for (const std::string& whole :
         {encode(ToHost(Describe{"/p"})), encode(ToHost(Configure{"/p", "/r", 1, all_types()}))})
        for (std::size_t length = 0; length < whole.size(); ++length)
            EXPECT_FALSE(decode_to_host(std::string(whole, 0, length)));
}

TEST(Frame, IsRefusedWithMoreBehindIt) {
    for (const std::string& whole : one_of_each_from_host())
        EXPECT_EQ(decode_from_host(whole + '\0').has_value(), whole[0] == 'R') << whole[0];
    EXPECT_FALSE(decode_to_host(encode(ToHost(Describe{"/p"})) + "x"));
    EXPECT_FALSE(decode_to_host(encode(ToHost(Configure{"/p", "/r", 1, all_types()})) + "x"));
}

TEST(Frame, IsRefusedWithAnUnknownTagOrTooManyItems) {
    for (const int tag : {0x00, 0x01, 0x7A, 0x80, 0xFF})
        EXPECT_FALSE(decode_from_host(std::string(1, static_cast<char>(tag)))) << tag;
    Configure many{"/p", "", 1, {{"list", std::vector<std::string>(5000)}}};
    EXPECT_FALSE(decode_to_host(encode(ToHost(many))));
}

TEST(Frame, NeverCrashesWhateverByteIsChanged) {
    std::vector<std::string> frames = one_of_each_from_host();
    frames.push_back(encode(ToHost(Configure{"/p", "/r", 1, all_types()})));
    for (const std::string& whole : frames)
        for (std::size_t at = 0; at < whole.size(); ++at)
            for (int change = 1; change < 256; ++change) {
                std::string damaged = whole;
                damaged[at] = static_cast<char>(damaged[at] ^ change);
                (void)decode_to_host(damaged);
                const auto decoded = decode_from_host(damaged);
                const auto* line = decoded ? std::get_if<LogLine>(&*decoded) : nullptr;
                const auto* failed = decoded ? std::get_if<Failed>(&*decoded) : nullptr;
                ASSERT_TRUE(line == nullptr || is_utf8(line->text));
                ASSERT_TRUE(failed == nullptr || is_utf8(failed->text));
            }
}

// What the fuzzer begins with is of use for as long as it is a frame.
TEST(FrameSeeds, AreFrames) {
    int seeds = 0;
    for (const auto& entry : std::filesystem::directory_iterator(HOLDFAST_FRAME_SEEDS)) {
        std::ifstream file(entry.path(), std::ios::binary);
        const std::string bytes(std::istreambuf_iterator<char>(file), {});
        EXPECT_TRUE(decode_from_host(bytes).has_value() || decode_to_host(bytes).has_value()) << entry.path();
        ++seeds;
    }
    EXPECT_GE(seeds, 10);
}

}  // namespace
}  // namespace holdfast::frame
