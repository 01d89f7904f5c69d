#include "base/log.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <sstream>
#include <thread>

#include "base/unique_fd.hpp"
#include "support/recording_log.hpp"
#include "support/temp_dir.hpp"

namespace holdfast {
namespace {

// What reaches stderr while `write` runs.
template <typename Write>
std::string stderr_of(Write write) {
    const test::TempDir dir;
    const std::string path = dir / "stderr";
    const UniqueFd file(::open(path.c_str(), O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0600));
    const UniqueFd saved(::dup(STDERR_FILENO));
    ::dup2(file.get(), STDERR_FILENO);
    write();
    ::dup2(saved.get(), STDERR_FILENO);
    std::ostringstream text;
    text << std::ifstream(path).rdbuf();
    return text.str();
}

TEST(LogLevel, IsKnownByItsName) {
    for (const auto level : {LogLevel::error, LogLevel::warning, LogLevel::info, LogLevel::debug})
        EXPECT_EQ(log_level_from(to_string(level)), level);
    EXPECT_EQ(log_level_from("loud"), std::nullopt);
    EXPECT_EQ(log_level_from(""), std::nullopt);
}

TEST(Log, LeavesOutWhatIsBelowItsLevel) {
    test::RecordingLog log(LogLevel::warning);
    log.error("a");
    log.warning("b");
    log.info("c");
    log.debug("d");
    EXPECT_EQ(log.entries().size(), 2U);
    log.set_level(LogLevel::debug);
    log.debug("e");
    EXPECT_TRUE(log.has("e"));
}

TEST(RecordingLog, KeepsTextAndFields) {
    test::RecordingLog log;
    log.warning("lost", {{"INPUT", "host"}, {"ERRNO", "5"}});
    ASSERT_EQ(log.count(LogLevel::warning), 1U);
    EXPECT_EQ(log.entries()[0].text, "lost");
    EXPECT_EQ(log.entries()[0].fields.at("ERRNO"), "5");
}

TEST(StderrLog, PrefixesTheLevelForTheJournal) {
    const std::string text = stderr_of([] {
        StderrLog log(StderrLog::Style::level_prefix);
        log.error("e");
        log.warning("w");
        log.info("i");
    });
    EXPECT_EQ(text, "<3>e\n<4>w\n<6>i\n");
}

TEST(StderrLog, WritesPlainTextForAPerson) {
    const std::string text = stderr_of([] {
        StderrLog log(StderrLog::Style::plain);
        log.info("started");
        log.warning("no broker");
        log.info("running", {{"INPUT", "host"}, {"PLUGIN", "system"}});
    });
    EXPECT_EQ(text, "started\nwarning: no broker\nhost: running\n");
}

TEST(StderrLog, KeepsAMessageOnOneLine) {
    const std::string text =
        stderr_of([] { StderrLog(StderrLog::Style::level_prefix).error("two\n<6>lines"); });
    EXPECT_EQ(text, "<3>two <6>lines\n");
}

TEST(StderrLog, DoesNotMixTheLinesOfSeveralThreads) {
    const std::string long_text(500, 'x');
    const std::string text = stderr_of([&] {
        StderrLog log(StderrLog::Style::plain);
        std::vector<std::jthread> threads;
        for (int t = 0; t < 4; ++t)
            threads.emplace_back([&] {
                for (int i = 0; i < 50; ++i)
                    log.info(long_text);
            });
    });
    std::istringstream lines(text);
    std::string line;
    int count = 0;
    for (; std::getline(lines, line); ++count)
        EXPECT_EQ(line, long_text);
    EXPECT_EQ(count, 200);
}

}  // namespace
}  // namespace holdfast
