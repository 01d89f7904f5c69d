#include "buffer/store_thread.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <condition_variable>

#include "buffer/support.hpp"

namespace holdfast::test {
namespace {

using std::chrono::seconds;

// Collects what is offered; the test waits for it.
class Collector final : public BatchSink {
  public:
    void offer(std::vector<Batch> batches) override {
        const std::lock_guard lock(mutex_);
        for (Batch& batch : batches)
            batches_.push_back(std::move(batch));
        changed_.notify_all();
    }
    std::vector<Batch> wait_for(std::size_t count) {
        std::unique_lock lock(mutex_);
        changed_.wait_for(lock, seconds(60), [&] { return batches_.size() >= count; });
        return batches_;
    }

  private:
    std::mutex mutex_;
    std::condition_variable changed_;
    std::vector<Batch> batches_;
};

struct Store {
    TempDir directory;
    SystemClock clock;
    RecordingLog log;
    Collector sink;

    std::unique_ptr<Buffer> open(BufferConfig config = {}) {
        auto opened = Buffer::open(directory.path(), config, clock, log);
        if (!opened) throw std::runtime_error(opened.error().text);
        return std::move(*opened);
    }
};

TEST(StoreThread, OffersWhatIsDemandedAsSoonAsItIsThere) {
    Store store;
    StoreThread thread(store.open(), store.clock, mebibytes(4), [] {});
    thread.start(&store.sink);
    thread.set_link(true);
    thread.demand(3);
    for (int i = 0; i < 5; ++i)
        thread.append(make_batch());
    EXPECT_EQ(store.sink.wait_for(3).size(), 3);
    thread.acknowledge({1});
    thread.give_back({2});
    thread.demand(10);
    EXPECT_THAT(seqs(store.sink.wait_for(6)), testing::ElementsAre(1, 2, 3, 2, 4, 5));
    ASSERT_TRUE(thread.stop());
    EXPECT_EQ(thread.status().committed_readings, 40);
}

TEST(StoreThread, StrictOffersAfterTheCommit) {
    Store store;
    BufferConfig config;
    config.durability = Durability::strict;
    config.commit_interval = Micros(0);
    StoreThread thread(store.open(config), store.clock, mebibytes(4), [] {});
    thread.start(&store.sink);
    thread.set_link(true);
    thread.demand(1);
    thread.append(make_batch());
    ASSERT_EQ(store.sink.wait_for(1).size(), 1);
    ASSERT_TRUE(thread.stop());
    EXPECT_EQ(thread.status().committed_readings, 10);
}

TEST(StoreThread, StopCommitsWhatWaitsInTheInbox) {
    Store store;
    {
        StoreThread thread(store.open(), store.clock, mebibytes(4), [] {});
        for (int i = 0; i < 10'000; ++i)
            thread.append(make_batch(100, "in", Priority::normal, 1'300));
        EXPECT_EQ(thread.status().in_memory_readings, 1'000'000);
        EXPECT_EQ(thread.status().readings, 1'000'000);
        thread.start(nullptr);
        ASSERT_TRUE(thread.stop());
        EXPECT_EQ(thread.status().committed_readings, 1'000'000);
        EXPECT_EQ(thread.status().in_memory_readings, 0);
    }
    EXPECT_EQ(store.open()->status().committed_readings, 1'000'000);
}

TEST(StoreThread, SaysWhenThereIsRoomAgain) {
    Store store;
    std::mutex mutex;
    std::condition_variable changed;
    int calls = 0;
    StoreThread thread(store.open(), store.clock, kibibytes(10), [&] {
        const std::lock_guard lock(mutex);
        calls += 1;
        changed.notify_all();
    });
    EXPECT_TRUE(thread.has_room());
    for (int i = 0; i < 20; ++i)
        thread.append(make_batch(1, "in", Priority::normal, 1'000));
    EXPECT_FALSE(thread.has_room());
    thread.start(nullptr);
    std::unique_lock lock(mutex);
    ASSERT_TRUE(changed.wait_for(lock, seconds(60), [&] { return calls > 0; }));
    lock.unlock();
    EXPECT_TRUE(thread.has_room());
    ASSERT_TRUE(thread.stop());
    EXPECT_EQ(calls, 1);
}

TEST(StoreThread, OffersNothingWithoutASink) {
    Store store;
    StoreThread thread(store.open(), store.clock, mebibytes(4), [] {});
    thread.start(nullptr);
    thread.set_link(true);
    thread.demand(10);
    thread.append(make_batch());
    ASSERT_TRUE(thread.stop());
    EXPECT_EQ(thread.status().committed_readings, 10);
}

TEST(StoreThread, TheStatusCountsEveryReadingOnceAtAnyTime) {
    Store store;
    StoreThread thread(store.open(), store.clock, mebibytes(4), [] {});
    thread.start(nullptr);
    for (std::uint64_t i = 1; i <= 5'000; ++i) {
        thread.append(make_batch(1));
        const BufferStatus status = thread.status();
        ASSERT_EQ(status.readings, i);
        ASSERT_EQ(status.in_memory_readings + status.committed_readings, i);
    }
    ASSERT_TRUE(thread.stop());
}

}  // namespace
}  // namespace holdfast::test
