// Power cuts at every write, sync and truncation of what the buffer does, with what was not synced lost, torn
// or out of order: nothing committed is lost, the file is sound, and no id comes twice.
//
// HOLDFAST_CRASH_IMAGES sets how many images of the disk each of these tests makes.
#include <gtest/gtest.h>

#include <algorithm>
#include <iostream>

#include "buffer/crash_run.hpp"

namespace holdfast::test {
namespace {

std::size_t images() {
    return how_many("HOLDFAST_CRASH_IMAGES", 1'000, 100);
}

void say(const std::string& what) {
    std::cout << "[ IMAGES   ] " << what << std::endl;
}

void survives(CrashRun& run) {
    run.finish();
    const CrashReport report = check_cuts(run, images());
    say(std::to_string(report.images) + " images of " + std::to_string(report.cuts) + " cuts");
    testing::Test::RecordProperty("images", static_cast<int>(report.images));
    testing::Test::RecordProperty("cuts", static_cast<int>(report.cuts));
    for (std::size_t i = 0; i < std::min<std::size_t>(report.problems.size(), 5); ++i)
        ADD_FAILURE() << report.problems[i] << " (" << report.problems.size() << " in all)";
}

std::size_t count(const CrashRun& run, DiskEvent::Kind kind, std::string_view name) {
    const auto& events = run.recording().events;
    return static_cast<std::size_t>(std::count_if(events.begin(), events.end(), [&](const DiskEvent& event) {
        return event.kind == kind && event.name == name;
    }));
}

void fill(CrashRun& run, int batches, std::size_t bytes = 1'000) {
    for (int i = 0; i < batches; ++i)
        run.append(static_cast<Priority>(i % 3), bytes);
    run.pass(run.config().commit_interval);
}

// Files of a buffer that holds these batches and was closed.
CrashRun::Before filled(const BufferConfig& config, int batches, std::size_t bytes) {
    CrashRun run(config);
    fill(run, batches, bytes);
    run.finish();
    return run.handed_over();
}

TEST(PowerCut, WhileTheFileIsMade) {
    CrashRun run(small_buffer());
    run.close();
    survives(run);
}

TEST(PowerCut, WhileBatchesAreCommitted) {
    CrashRun run(small_buffer());
    for (int round = 0; round < 12; ++round)
        fill(run, 1 + round * 2);
    survives(run);
}

TEST(PowerCut, WhileBatchesAreCommittedBeforeTheyAreSent) {
    CrashRun run(small_buffer(Durability::strict));
    run.buffer().set_link(true);
    for (int round = 0; round < 12; ++round) {
        fill(run, 6);
        for (int i = 0; i < 5; ++i)
            run.peek();
        if (round % 2 == 0) run.acknowledge();
    }
    survives(run);
}

TEST(PowerCut, WhileBatchesAreSentFromMemory) {
    CrashRun run(small_buffer());
    for (int round = 0; round < 20; ++round) {
        run.buffer().set_link(round % 5 != 4);
        for (int i = 0; i < 5; ++i)
            run.append(static_cast<Priority>(i % 3));
        for (int i = 0; i < 4; ++i)
            run.peek();
        run.pass(run.config().spill_after / 3);
        run.acknowledge();
    }
    survives(run);
}

TEST(PowerCut, WhileWhatWasAcknowledgedIsDeleted) {
    CrashRun run(small_buffer(), filled(small_buffer(), 200, 1'500));
    run.buffer().set_link(true);
    for (int round = 0; round < 8; ++round) {
        for (int i = 0; i < 20; ++i)
            run.peek();
        run.acknowledge();
        run.pass(run.config().commit_interval);
    }
    survives(run);
}

TEST(PowerCut, WhileTheOldestAreDropped) {
    CrashRun run(small_buffer(), filled(small_buffer(), 150, 4'000));
    for (int round = 0; round < 10; ++round)
        fill(run, 6, 5'000);
    EXPECT_GT(run.dropped(), 0);
    survives(run);
}

TEST(PowerCut, WhileTheWalIsWrittenBackAndCutOff) {
    CrashRun run(small_buffer());
    for (int round = 0; round < 8; ++round)
        fill(run, 3, 20'000);
    run.close();
    survives(run);
    EXPECT_GE(count(run, DiskEvent::Kind::sync, "buffer.db"), 3);
    EXPECT_GE(count(run, DiskEvent::Kind::truncate, "buffer.db-wal"), 2);
}

TEST(PowerCut, WhileTheFileShrinks) {
    CrashRun run(small_buffer(), filled(small_buffer(), 300, 2'000));
    run.buffer().set_link(true);
    while (run.peek()) {
    }
    run.acknowledge();
    run.pass(run.config().commit_interval);
    run.append();
    run.pass(run.config().spill_after);
    survives(run);
    EXPECT_GE(count(run, DiskEvent::Kind::truncate, "buffer.db"), 1);
}

TEST(PowerCut, WhileItIsClosedAndOpened) {
    CrashRun run(small_buffer(), filled(small_buffer(), 20, 1'000));
    for (int round = 0; round < 6; ++round) {
        run.append(Priority::high);
        run.close();
        run.open();
    }
    survives(run);
}

TEST(PowerCut, WhileItStartsAfterAKill) {
    const auto killed = [] {
        CrashRun run(small_buffer());
        for (int round = 0; round < 3; ++round)
            fill(run, 20, 2'000);
        DiskImage files = run.files();
        run.finish();
        return run.handed_over(std::move(files));
    };
    CrashRun run(small_buffer(), killed());
    run.append();
    run.close();
    survives(run);
}

// Were a sync only said to be done, this harness would show it.
CrashReport with_lies(RecordingVfs::Lies lies) {
    CrashRun run(small_buffer(), std::move(lies));
    for (int round = 0; round < 6; ++round)
        fill(run, 3, 20'000);
    run.finish();
    return check_cuts(run, 200);
}

std::size_t mentioning(const CrashReport& report, std::string_view word) {
    const auto& problems = report.problems;
    return static_cast<std::size_t>(
        std::count_if(problems.begin(), problems.end(),
                      [&](const std::string& problem) { return problem.find(word) != std::string::npos; }));
}

TEST(PowerCutControl, ADiskThatLiesAboutSyncsLosesBatches) {
    const CrashReport report = with_lies([](std::string_view) { return true; });
    say(std::to_string(report.problems.size()) + " of " + std::to_string(report.images) + " are damaged");
    EXPECT_GT(report.problems.size(), report.images / 2);
}

TEST(PowerCutControl, AWalThatIsNotSyncedLosesBatches) {
    const CrashReport report = with_lies([](std::string_view name) { return name == "buffer.db-wal"; });
    EXPECT_GT(mentioning(report, "are missing"), report.images / 10);
}

TEST(PowerCutControl, ADatabaseThatIsNotSyncedBeforeTheWalIsReusedIsDamaged) {
    const CrashReport report = with_lies([](std::string_view name) { return name == "buffer.db"; });
    EXPECT_GT(mentioning(report, "integrity"), report.images / 10);
}

}  // namespace
}  // namespace holdfast::test
