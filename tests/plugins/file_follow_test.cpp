// The file input that follows a file: what is added, rotated, truncated, gone and back, over restarts, on a
// real file system.
#include <stdlib.h>
#include <sys/resource.h>

#include <fstream>
#include <optional>
#include <random>

#include "file/file.hpp"
#include "plugin_files.hpp"
#include "support/temp_dir.hpp"

namespace holdfast::test {
namespace {

namespace fs = std::filesystem;

std::int64_t now_us = 0;  // what an input with a clock of the test takes for the time

// While it lives, this process may have ten more descriptors open than it had.
class FewDescriptors {
  public:
    FewDescriptors() {
        EXPECT_EQ(::getrlimit(RLIMIT_NOFILE, &before_), 0);
        const auto open_now = std::distance(fs::directory_iterator("/proc/self/fd"), fs::directory_iterator());
        const rlimit few{static_cast<rlim_t>(open_now + 10), before_.rlim_max};
        EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &few), 0);
    }
    ~FewDescriptors() { ::setrlimit(RLIMIT_NOFILE, &before_); }
    FewDescriptors(const FewDescriptors&) = delete;
    FewDescriptors& operator=(const FewDescriptors&) = delete;

  private:
    rlimit before_{};
};

class FileFollow : public ::testing::Test {
  protected:
    TestHost& start(TestHost::Options more = {}) {
        more.emplace("path", log_.string());
        more.emplace("mode", std::string("follow"));
        more.emplace("format", std::string("value"));
        host_.emplace(shipped_plugin("file"), std::move(more));
        EXPECT_EQ(host_->open(), 0);
        host_->sample();
        return *host_;
    }
    TestHost::Options from_beginning() const {
        return {{"path", log_.string()},
                {"mode", std::string("follow")},
                {"format", std::string("value")},
                {"start", std::string("beginning")}};
    }
    TestHost& start_from_beginning() { return start({{"start", std::string("beginning")}}); }
    TestHost& start_with_position(const std::string& where = "beginning") {
        return start({{"start", where}, {"position_file", (dir_ / "position").string()}});
    }
    static void append(const fs::path& path, const std::string& text) {
        std::ofstream(path, std::ios::app | std::ios::binary) << text;
    }
    void append(const std::string& text) { append(log_, text); }
    // The numbers taken so far, once there are as many; all there are when that does not come about.
    std::vector<double> numbers(std::size_t count) {
        host_->run_until([&] { return host_->readings.size() >= count; });
        return taken();
    }
    std::vector<double> taken() {
        std::vector<double> all;
        for (const TestHost::Emitted& reading : host_->readings)
            all.push_back(reading.get<double>("value"));
        return all;
    }
    using Numbers = std::vector<double>;

    TempDir dir_;
    fs::path log_ = dir_ / "log";
    std::optional<TestHost> host_;
};

TEST_F(FileFollow, TakesLinesAsTheyAreAdded) {
    append("1\n2\n");
    TestHost& h = start();
    EXPECT_TRUE(h.readings.empty());
    EXPECT_TRUE(h.has_log("begins at the end of " + log_.string() + ": the 4 bytes before are not read"));
    append("3\n");
    EXPECT_EQ(numbers(1), (Numbers{3}));
    append("4\n5");
    EXPECT_EQ(numbers(2), (Numbers{3, 4}));
    append("5\n6\n");
    EXPECT_EQ(numbers(4), (Numbers{3, 4, 55, 6}));
    EXPECT_TRUE(h.errors.empty());
}

TEST_F(FileFollow, TakesWhatIsThereWhenAskedTo) {
    append("1\r\n2\n3");
    start_from_beginning();
    EXPECT_EQ(taken(), (Numbers{1, 2}));
}

TEST_F(FileFollow, TakesALineWholeThatIsBeingWrittenAtTheStart) {
    append("1\n2");
    start();
    append("2\n");
    EXPECT_EQ(numbers(1), (Numbers{22}));
}

TEST_F(FileFollow, LooksOnceAnIntervalWhereNothingIsTold) {
    TestHost& h = start();
    append("1\n");
    EXPECT_EQ(h.sample(), 0) << "without a word of inotify";
    append("2\n");
    EXPECT_EQ(h.sample(), 0);
    EXPECT_EQ(taken(), (Numbers{1, 2}));
    EXPECT_EQ(h.sample(), -EAGAIN);
}

TEST_F(FileFollow, SkipsWhatIsNoLineOfTheFormat) {
    append("");
    TestHost& h = start();
    append("x\n\xff\n" + std::string(70'000, '1') + "\n2\n");
    EXPECT_EQ(numbers(1), (Numbers{2}));
    EXPECT_EQ(h.errors.size(), 3U);
    EXPECT_TRUE(h.has_error("more than 64 KiB"));
}

TEST_F(FileFollow, GoesOnInTheNewFileWhenTheOldOneIsRenamed) {
    append("1\n");
    TestHost& h = start_from_beginning();
    append("2\n");
    fs::rename(log_, dir_ / "log.1");
    append(dir_ / "log.1", "3\n");
    append("4\n");
    EXPECT_EQ(numbers(4), (Numbers{1, 2, 3, 4}));
    append(dir_ / "log.1", "5\n");  // by a writer that does not know yet
    EXPECT_EQ(numbers(5).back(), 5);
    append("6\n");
    EXPECT_EQ(numbers(6).back(), 6);
    EXPECT_TRUE(h.errors.empty());
}

TEST_F(FileFollow, FindsAFileThatHadTheNameBetweenTwoLooks) {
    append("1\n");
    TestHost& h = start_from_beginning();
    fs::rename(log_, dir_ / "log.2");
    fs::last_write_time(dir_ / "log.2", fs::file_time_type::clock::now() - std::chrono::seconds(5));
    append("2\n");
    fs::rename(log_, dir_ / "log.1");
    append("3\n");
    EXPECT_EQ(numbers(3), (Numbers{1, 2, 3}));
    fs::rename(log_, dir_ / "log.0");
    append("4\n");
    EXPECT_EQ(numbers(4), (Numbers{1, 2, 3, 4})) << "and does not take it twice";
    EXPECT_TRUE(h.errors.empty());
}

TEST_F(FileFollow, GoesOnAtTheBeginningWhenTheFileIsTruncated) {
    append("1\n2\n3\n");
    TestHost& h = start_from_beginning();
    fs::resize_file(log_, 0);
    append("4\n");
    EXPECT_EQ(numbers(4), (Numbers{1, 2, 3, 4}));
    EXPECT_TRUE(h.errors.empty());
}

TEST_F(FileFollow, SaysWhenTheFileWasWrittenAnewBehindItsBack) {
    append("1\n2\n3\n");
    TestHost& h = start_from_beginning();
    fs::resize_file(log_, 0);
    append("10\n20\n30\n40\n");  // longer than what was read, before anybody looked
    EXPECT_EQ(numbers(7), (Numbers{1, 2, 3, 10, 20, 30, 40}));
    EXPECT_TRUE(h.has_error("truncated and written anew"));
}

TEST_F(FileFollow, WaitsForAFileThatAppearsLater) {
    TestHost& h = start();
    EXPECT_EQ(h.sample(), -EAGAIN);
    EXPECT_EQ(h.errors,
              (std::vector<std::string>{"waiting for " + log_.string() + ": No such file or directory"}));
    append("1\n");
    EXPECT_EQ(numbers(1), (Numbers{1})) << "the end is that of what was there at the start";
    std::error_code ignored;
    fs::remove(log_, ignored);
    h.sample();
    EXPECT_EQ(h.errors.size(), 2U) << "it is missing again";
}

TEST_F(FileFollow, WaitsForADirectoryThatVanishesAndComesBack) {
    log_ = dir_ / "a/b/log";
    fs::create_directories(log_.parent_path());
    append("1\n");
    TestHost& h = start_from_beginning();
    fs::remove_all(dir_ / "a");
    EXPECT_TRUE(h.run_until([&] { return h.has_error("waiting for"); }));
    fs::create_directories(log_.parent_path());
    append("2\n");
    EXPECT_EQ(h.sample(), 0) << "nothing could be watched: the interval finds it";
    append("3\n");
    EXPECT_EQ(numbers(3), (Numbers{1, 2, 3})) << "and it is watched again";
}

TEST_F(FileFollow, KnowsAFileAgainThatWasAway) {
    log_ = dir_ / "a/log";
    fs::create_directories(log_.parent_path());
    append("1\n");
    TestHost& h = start_from_beginning();
    fs::rename(dir_ / "a", dir_ / "away");
    h.sample();
    EXPECT_TRUE(h.has_error("waiting for"));
    append(dir_ / "away/log", "2\n");
    fs::rename(dir_ / "away", dir_ / "a");
    append("3\n");
    h.sample();
    EXPECT_EQ(taken(), (Numbers{1, 2, 3}));
}

TEST_F(FileFollow, RefusesWhatIsNoFile) {
    fs::create_directory(log_);
    TestHost& h = start();
    EXPECT_TRUE(h.has_error("no regular file"));
    fs::remove(log_);
    EXPECT_TRUE(h.run_until([&] { return h.has_error("waiting for"); }));
    append("1\n");
    EXPECT_EQ(numbers(1), (Numbers{1}));
}

TEST_F(FileFollow, ReadsALargeFileInPartsSoThatTheHostKeepsTurning) {
    std::string text;
    for (int i = 0; i < 500'000; ++i)
        text += std::to_string(i) + "\n";
    append(text);
    TestHost& h = start_from_beginning();
    EXPECT_EQ(h.sample_after_us, 0);
    EXPECT_GT(h.readings.size(), 100'000U);
    EXPECT_LT(h.readings.size(), 500'000U);
    for (int i = 0; i < 10; ++i)
        h.sample();
    ASSERT_EQ(h.readings.size(), 500'000U);
    EXPECT_EQ(h.readings.back().get<double>("value"), 499'999);
}

TEST_F(FileFollow, LeavesARenamedFileAfterAMinute) {
    TestHost host(shipped_plugin("file"), from_beginning());
    append("1\n2");
    now_us = 0;
    file_input::File input(plugin::Host(host.table()), [] { return now_us; });
    input.sample();
    fs::rename(log_, dir_ / "log.1");
    input.sample();
    now_us = 59'000'000;
    input.sample();
    EXPECT_EQ(host.readings.size(), 1U);
    now_us = 61'000'000;
    input.sample();
    ASSERT_EQ(host.readings.size(), 2U) << "its last line has no end, and will not get one";
    EXPECT_EQ(host.readings[1].get<double>("value"), 2);
    append(dir_ / "log.1", "3\n");
    input.sample();
    EXPECT_EQ(host.readings.size(), 2U);
}

// A file system gives the inode of a file that was deleted to the next one; here its bytes become another's.
TEST_F(FileFollow, TakesAFileWithTheInodeOfOneThatItHasLeft) {
    TestHost host(shipped_plugin("file"), from_beginning());
    append("1\n");
    now_us = 0;
    file_input::File input(plugin::Host(host.table()), [] { return now_us; });
    input.sample();
    fs::rename(log_, dir_ / "old");
    append("2\n");
    input.sample();
    now_us = 61'000'000;
    input.sample();
    // Between two looks the name goes to two more files.
    fs::rename(log_, dir_ / "log.2");
    fs::last_write_time(dir_ / "log.2", fs::file_time_type::clock::now() - std::chrono::seconds(5));
    fs::resize_file(dir_ / "old", 0);
    append(dir_ / "old", "3\n");
    fs::rename(dir_ / "old", dir_ / "log.1");
    append("4\n");
    input.sample();
    std::vector<double> seen;
    for (const TestHost::Emitted& reading : host.readings)
        seen.push_back(reading.get<double>("value"));
    EXPECT_EQ(seen, (Numbers{1, 2, 3, 4}));
}

TEST_F(FileFollow, WithoutAPositionARestartBeginsWhereStartSays) {
    append("1\n");
    start_from_beginning();
    host_->close();
    start_from_beginning();
    EXPECT_EQ(taken(), (Numbers{1}));
    host_->close();
    start();
    EXPECT_TRUE(taken().empty());
}

TEST_F(FileFollow, GoesOnAtItsPositionAfterARestart) {
    append("1\n2\n");
    start_with_position("end");
    append("3\n4");
    EXPECT_EQ(numbers(1), (Numbers{3}));
    host_->close();
    append("4\n5\n");
    TestHost& h = start_with_position("end");
    EXPECT_EQ(taken(), (Numbers{44, 5}));
    EXPECT_TRUE(h.errors.empty());
}

TEST_F(FileFollow, LeavesItsPositionAsItWasAfterATrial) {
    append("1\n2\n");
    start_with_position();
    append("3\n");
    TestHost trial(shipped_plugin("file"), {{"path", log_.string()},
                                            {"mode", std::string("follow")},
                                            {"format", std::string("value")},
                                            {"position_file", (dir_ / "position").string()}});
    trial.trial = true;
    ASSERT_EQ(trial.open(), 0) << "beside the agent, which has the file";
    trial.sample();
    EXPECT_EQ(trial.readings.size(), 1U) << "it goes on where the agent is";
    trial.close();
    host_.reset();
    start_with_position();
    EXPECT_EQ(taken(), (Numbers{3}));
}

TEST_F(FileFollow, MakesNoPositionInATrial) {
    append("1\n");
    TestHost trial(shipped_plugin("file"), {{"path", log_.string()},
                                            {"mode", std::string("follow")},
                                            {"start", std::string("beginning")},
                                            {"format", std::string("value")},
                                            {"position_file", (dir_ / "position").string()}});
    trial.trial = true;
    ASSERT_EQ(trial.open(), 0);
    trial.sample();
    EXPECT_EQ(trial.readings.size(), 1U);
    EXPECT_FALSE(fs::exists(dir_ / "position"));
}

TEST_F(FileFollow, TakesWhatWasAddedBetweenAStartAtTheEndAndTheNextStart) {
    append("1\n");
    start_with_position("end");
    host_->close();
    append("2\n");
    start_with_position("end");
    EXPECT_EQ(taken(), (Numbers{2}));
}

TEST_F(FileFollow, FindsWhatWasRotatedWhileItWasAway) {
    append("1\n2\n");
    start_with_position();
    host_->close();
    append("3\n");
    fs::rename(log_, dir_ / "log.2");
    append("4\n");
    fs::last_write_time(dir_ / "log.2", fs::last_write_time(log_) - std::chrono::seconds(5));
    fs::rename(log_, dir_ / "log.1");
    append("5\n");
    append(dir_ / "log.1.gz", "not this\n");
    append(dir_ / "log.bak", "nor this\n");
    TestHost& h = start_with_position();
    h.sample();
    EXPECT_EQ(taken(), (Numbers{3, 4, 5}));
    EXPECT_TRUE(h.errors.empty());
}

TEST_F(FileFollow, FindsWhatWasRotatedAmongMoreOldFilesThanItMayHaveOpen) {
    append("1\n");
    start_with_position();
    host_->close();
    append("2\n");
    const auto now = fs::last_write_time(log_);
    fs::rename(log_, dir_ / "log.2");
    append("3\n");
    fs::rename(log_, dir_ / "log.1");
    append("4\n");
    for (int i = 3; i < 300; ++i) {
        append(dir_ / ("log." + std::to_string(i)), "0\n");
        fs::last_write_time(dir_ / ("log." + std::to_string(i)), now - std::chrono::hours(i));
    }
    const FewDescriptors few;
    TestHost& h = start_with_position();
    h.sample();
    EXPECT_EQ(taken(), (Numbers{2, 3, 4}));
    EXPECT_TRUE(h.errors.empty());
}

// Nothing is lost of those that are as many since the last look: they are taken once there is room again.
TEST_F(FileFollow, KeepsItsPlaceWhileTooManyFilesAreOpen) {
    append("1\n");
    start_with_position();
    host_->close();
    for (int i = 2; i < 22; ++i) {
        fs::rename(log_, dir_ / ("log." + std::to_string(i)));
        fs::last_write_time(dir_ / ("log." + std::to_string(i)),
                            fs::file_time_type::clock::now() - std::chrono::seconds(100 - i));
        append(std::to_string(i) + "\n");
    }
    std::optional<FewDescriptors> few(std::in_place);
    TestHost& h = start_with_position();
    few.reset();
    EXPECT_TRUE(h.has_error("Too many open files"));
    EXPECT_TRUE(taken().empty());
    h.sample();
    Numbers all;
    for (int i = 2; i < 22; ++i)
        all.push_back(i);
    EXPECT_EQ(taken(), all);
}

TEST_F(FileFollow, SaysWhenTheRestCannotBeFoundAfterARestart) {
    append("1\n");
    start_with_position();
    host_->close();
    fs::rename(log_, dir_ / "elsewhere");
    append("2\n");
    TestHost& h = start_with_position();
    EXPECT_TRUE(h.has_error("lines may be missing"));
    EXPECT_EQ(taken(), (Numbers{2}));
}

TEST_F(FileFollow, SaysWhenItEndedWhileItTookLines) {
    append("1\n2\n");
    start_with_position();
    host_->close();
    std::string position;
    std::getline(std::ifstream(dir_ / "position"), position);
    ASSERT_EQ(position.back(), '.');
    position.back() = 'r';
    dir_.write("position", position + "\n");
    TestHost& h = start_with_position();
    EXPECT_TRUE(h.has_error("may come twice, from byte 4 on"));
}

TEST_F(FileFollow, SaysThatAPositionIsDamagedAndBeginsAnew) {
    append("1\n");
    dir_.write("position", "rubbish");
    TestHost& h = start_with_position();
    EXPECT_TRUE(h.has_error("position is damaged"));
    EXPECT_EQ(taken(), (Numbers{1}));
    host_->close();
    append("2\n");
    EXPECT_TRUE(start_with_position().errors.empty());
    EXPECT_EQ(taken(), (Numbers{2}));
}

TEST_F(FileFollow, LendsItsPositionToNobody) {
    start_with_position();
    TestHost other(shipped_plugin("file"), {{"path", log_.string()},
                                            {"mode", std::string("follow")},
                                            {"position_file", (dir_ / "position").string()}});
    EXPECT_EQ(other.open(), -EBUSY);
    EXPECT_TRUE(other.has_error("each needs one of its own"));
    host_->close();
    EXPECT_EQ(other.open(), 0);
}

// Writes, rotations, truncations and restarts in any order: each line comes once, and in order.
TEST_F(FileFollow, TakesEachLineOnceWhateverHappens) {
    for (unsigned seed = 1; seed <= 30; ++seed) {
        std::mt19937 random(seed);
        std::vector<double> all;
        int written = 0;
        int rotations = 0;
        int copies = 0;
        const auto began = fs::file_time_type::clock::now() - std::chrono::hours(1);
        const auto collect = [&] {
            host_->sample();
            const std::vector<double> now = taken();
            all.insert(all.end(), now.begin(), now.end());
            EXPECT_TRUE(host_->errors.empty()) << host_->errors.front();
            host_->close();
        };
        append("");
        start_with_position();
        for (int step = 0; step < 60; ++step)
            switch (random() % 6) {
                case 0:
                case 1:
                    append(std::to_string(written) + "\n" + std::to_string(written + 1));
                    append("\n");
                    written += 2;
                    break;
                case 2:
                    fs::rename(log_, dir_ / ("log." + std::to_string(rotations++)));
                    append(dir_ / ("log." + std::to_string(rotations - 1)), std::to_string(written++) + "\n");
                    // Days apart in life, and less than the clock of the file system tells apart here.
                    fs::last_write_time(dir_ / ("log." + std::to_string(rotations - 1)),
                                        began + std::chrono::seconds(rotations));
                    append("");
                    break;
                case 3:
                    host_->sample();
                    fs::copy_file(log_, dir_ / ("copy-" + std::to_string(copies++)));
                    fs::resize_file(log_, 0);
                    host_->sample();
                    break;
                case 4:
                    host_->serve_once(0);
                    break;
                default:
                    collect();
                    start_with_position();
            }
        collect();
        ASSERT_EQ(all.size(), static_cast<std::size_t>(written)) << "seed " << seed;
        for (int i = 0; i < written; ++i)
            ASSERT_EQ(all[static_cast<std::size_t>(i)], i) << "seed " << seed;
        for (const auto& entry : fs::directory_iterator(dir_.path()))
            fs::remove(entry.path());
    }
}

}  // namespace
}  // namespace holdfast::test
