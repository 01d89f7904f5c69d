// The file input that reads a file once per interval, and what it keeps of a position.
#include "file/position.hpp"

#include <sys/stat.h>

#include "plugin_files.hpp"
#include "support/temp_dir.hpp"

namespace holdfast::test {
namespace {

TestHost::Options whole(const std::filesystem::path& path, const std::string& format) {
    return {{"path", path.string()}, {"format", format}};
}

TEST(File, ReadsANumberOfEachBoard) {
    const std::map<std::string, double> boards = {{"raspberry-pi-4", 48199}, {"x86-box", 27800}};
    for (const auto& [board, expected] : boards) {
        TestHost host(shipped_plugin("file"), whole("/sys/class/thermal/thermal_zone0/temp", "value"));
        host.sensor_root = std::string(HOLDFAST_FIXTURES) + "/" + board;
        ASSERT_EQ(host.open(), 0);
        ASSERT_EQ(host.sample(), 0);
        EXPECT_EQ(host.readings.at(0).get<double>("value"), expected) << board;
    }
}

TEST(File, ReadsJsonOfSeveralLinesAgainAtEachSample) {
    const TempDir dir;
    const auto path = dir.write("meter.json", "{\n  \"power\": 230.5,\n  \"ok\": true\n}\n");
    TestHost host(shipped_plugin("file"), whole(path, "json"));
    ASSERT_EQ(host.open(), 0);
    ASSERT_EQ(host.sample(), 0);
    dir.write("meter.json", R"({"power": 5, "ok": false})");
    ASSERT_EQ(host.sample(), 0);
    ASSERT_EQ(host.readings.size(), 2U);
    EXPECT_EQ(host.readings[0].get<double>("power"), 230.5);
    EXPECT_EQ(host.readings[1].get<double>("power"), 5);
    EXPECT_FALSE(host.readings[1].get<bool>("ok"));
}

TEST(File, ReadsEachLineOfAnInfluxFile) {
    const TempDir dir;
    const auto path = dir.write("w.influx", "# wind\nw,at=a v=1\nwrong\nw,at=b v=2");
    TestHost host(shipped_plugin("file"), whole(path, "influx"));
    ASSERT_EQ(host.open(), 0);
    ASSERT_EQ(host.sample(), 0);
    ASSERT_EQ(host.readings.size(), 2U);
    EXPECT_EQ(host.readings[1].tags.at("at"), "b");
    EXPECT_EQ(host.errors.size(), 1U);
}

TEST(File, SaysWhatIsWrongAndReadsOnWhenItIsMended) {
    const TempDir dir;
    TestHost host(shipped_plugin("file"), whole(dir / "v", "value"));
    ASSERT_EQ(host.open(), 0);
    const auto expect_error = [&](int code, const std::string& text) {
        EXPECT_EQ(host.sample(), -code);
        EXPECT_NE(host.errors.back().find(text), std::string::npos) << host.errors.back();
        EXPECT_NE(host.errors.back().find((dir / "v").string()), std::string::npos) << host.errors.back();
    };
    expect_error(ENOENT, "cannot open");
    dir.write("v", "");
    expect_error(ENODATA, "is empty");
    dir.write("v", "warm\n");
    expect_error(EBADMSG, "not a number");
    dir.write("v", std::string("1\0\n", 3));
    expect_error(EBADMSG, "zero byte");
    dir.write("v", "\xff\n");
    expect_error(EBADMSG, "UTF-8");
    dir.write("v", std::string(2 * 1024 * 1024, '1'));
    expect_error(EFBIG, "1 MiB");
    std::filesystem::remove(dir / "v");
    std::filesystem::create_directory(dir / "v");
    expect_error(EISDIR, "cannot read");
    std::filesystem::remove(dir / "v");
    dir.write("v", "-2.5e1\n");
    EXPECT_EQ(host.sample(), 0);
    EXPECT_EQ(host.readings.back().get<double>("value"), -25);
}

TEST(File, DoesNotWaitForThatNobodyWritesIntoAPipe) {
    const TempDir dir;
    ASSERT_EQ(::mkfifo((dir / "pipe").c_str(), 0600), 0);
    TestHost host(shipped_plugin("file"), whole(dir / "pipe", "value"));
    ASSERT_EQ(host.open(), 0);
    EXPECT_EQ(host.sample(), -ENODATA);
}

TEST(File, RefusesPathsThatDependOnWhereTheAgentRuns) {
    TestHost relative(shipped_plugin("file"), whole("meter.json", "json"));
    EXPECT_EQ(relative.open(), -EINVAL);
    EXPECT_TRUE(relative.has_error("path: 'meter.json' does not begin with '/'"));
    TestHost position(shipped_plugin("file"), {{"path", std::string("/a")},
                                               {"mode", std::string("follow")},
                                               {"position_file", std::string("here")}});
    EXPECT_EQ(position.open(), -EINVAL);
    EXPECT_TRUE(position.has_error("position_file: 'here'"));
}

TEST(FilePosition, IsReadAsItWasWritten) {
    const file_input::Place place{~std::uint64_t{0}, std::uint64_t{1} << 62, 256, 0x0123456789abcdefU};
    const std::string text = file_input::encode(place, 'r');
    const auto read = file_input::decode(text);
    ASSERT_TRUE(read);
    EXPECT_EQ(read->first.inode, place.inode);
    EXPECT_EQ(read->first.offset, place.offset);
    EXPECT_EQ(read->first.head_length, place.head_length);
    EXPECT_EQ(read->first.head_hash, place.head_hash);
    EXPECT_EQ(read->second, 'r');
    EXPECT_EQ(file_input::encode({}, '.').size(), text.size()) << "written in place, nothing may be left";
}

TEST(FilePosition, RefusesWhatWasNotWrittenByIt) {
    const std::string good = file_input::encode({5, 6, 7, 8}, '.');
    ASSERT_TRUE(file_input::decode(good));
    for (std::size_t length = 0; length < good.size(); ++length)
        EXPECT_FALSE(file_input::decode(good.substr(0, length))) << length;
    EXPECT_FALSE(file_input::decode(good + " "));
    for (std::size_t i = 0; i < good.size(); ++i)
        for (const char c : {'\0', '\xff', '-', 'z', '\n'}) {
            if (good[i] == c) continue;
            std::string changed = good;
            changed[i] = c;
            EXPECT_FALSE(file_input::decode(changed)) << "byte " << i;
        }
    const std::string opening = "holdfast file position 1 ";
    for (const char* rest : {"1 2 257 4 .\n", "1 9223372036854775807 1 4 .\n", "1 2 3 .\n", "1 2 3 4 5 .\n",
                             "99999999999999999999999 2 3 4 .\n", "1  2 3 4 .\n", "1 2 3 4 x\n"})
        EXPECT_FALSE(file_input::decode(opening + rest)) << rest;
}

}  // namespace
}  // namespace holdfast::test
