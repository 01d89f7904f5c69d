#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <condition_variable>
#include <deque>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "forward/forwarder_thread.hpp"
#include "support/make_batch.hpp"
#include "support/recording_log.hpp"
#include "support/scripted_transport.hpp"
#include "support/temp_dir.hpp"
#include "support/wait_until.hpp"

namespace holdfast {
namespace {

using namespace std::chrono_literals;
using test::TransportScript;
using test::wait_until;
using ::testing::ElementsAre;

// A buffer that holds batches in memory and offers them on demand, on the caller's thread; what is given back
// it offers again.
class FakeSource final : public BatchSource {
  public:
    void serve(BatchSink& sink) { sink_ = &sink; }
    void add(Batch batch) {
        const std::lock_guard lock(mutex_);
        stored_.push_back(std::move(batch));
        offer();
    }
    void demand(std::uint32_t count) override {
        const std::lock_guard lock(mutex_);
        demanded_ += count;
        offer();
    }
    void acknowledge(std::vector<std::uint64_t> seqs) override { note(acknowledged_, seqs); }
    void set_aside(Refusal refusal) override { note(acknowledged_, {refusal.seq}); }
    void split(Oversize oversize) override { note(acknowledged_, {oversize.seq}); }
    void give_back(std::vector<std::uint64_t> seqs) override {
        note(given_back_, seqs);
        const std::lock_guard lock(mutex_);
        for (const std::uint64_t seq : seqs)
            stored_.push_back(lent_.at(seq));
    }
    Backlog backlog() const override { return {}; }
    void set_link(bool up) override {
        const std::lock_guard lock(mutex_);
        links_.push_back(up);
    }

    // Waits, at most a minute, until so many are acknowledged.
    std::multiset<std::uint64_t> acknowledged(std::size_t at_least = 0) {
        std::unique_lock lock(mutex_);
        changed_.wait_for(lock, 1min, [&] { return acknowledged_.size() >= at_least; });
        return acknowledged_;
    }
    std::multiset<std::uint64_t> given_back() {
        const std::lock_guard lock(mutex_);
        return given_back_;
    }
    std::vector<bool> links() {
        const std::lock_guard lock(mutex_);
        return links_;
    }

  private:
    void offer() {
        std::vector<Batch> batches;
        for (; demanded_ > 0 && !stored_.empty(); --demanded_) {
            lent_[stored_.front().header.seq] = stored_.front();
            batches.push_back(std::move(stored_.front()));
            stored_.pop_front();
        }
        if (!batches.empty()) sink_->offer(std::move(batches));
    }
    void note(std::multiset<std::uint64_t>& where, const std::vector<std::uint64_t>& seqs) {
        const std::lock_guard lock(mutex_);
        where.insert(seqs.begin(), seqs.end());
        changed_.notify_all();
    }

    std::mutex mutex_;
    std::condition_variable changed_;
    BatchSink* sink_ = nullptr;
    std::deque<Batch> stored_;
    std::map<std::uint64_t, Batch> lent_;
    std::uint64_t demanded_ = 0;
    std::multiset<std::uint64_t> acknowledged_, given_back_;
    std::vector<bool> links_;
};

BrokerConfig quick_config() {
    BrokerConfig config;
    config.servers.push_back({Scheme::mqtts, "broker", 8883, "", "mqtts://broker"});
    config.client_id = "gw-17";
    config.status_topic = "status";
    config.backoff_initial = 1ms;
    config.backoff_max = 5ms;
    return config;
}

class ForwarderThreadTest : public ::testing::Test {
  protected:
    void start(BrokerConfig config = quick_config()) {
        thread.emplace(config, ForwardIdentity{"gw-17", "1.0", 0xAB, 1'000'000, TimestampUnit::milliseconds},
                       source, clock, log,
                       [this](Transport::Sink sink) { return script.make(std::move(sink)); });
        source.serve(*thread);
        thread->start();
    }

    SystemClock clock;
    test::RecordingLog log;
    TransportScript script;
    FakeSource source;
    std::optional<ForwarderThread> thread;
};

TEST_F(ForwarderThreadTest, MovesEveryBatchFromTheBufferToTheBrokerOnce) {
    start();
    constexpr std::uint64_t batches = 2'000;
    for (std::uint64_t seq = 1; seq <= batches; ++seq)
        source.add(test::simple_batch(seq, "host", 3));
    const auto acknowledged = source.acknowledged(batches);
    EXPECT_EQ(acknowledged.size(), batches);
    EXPECT_EQ(std::set(acknowledged.begin(), acknowledged.end()).size(), batches);
    ASSERT_TRUE(thread->stop(1s));
    const ForwardStatus status = thread->status();
    EXPECT_EQ(status.acked_readings, 3 * batches);
    EXPECT_EQ(status.published_readings, 3 * batches);
    EXPECT_EQ(status.acked_messages, batches);
    EXPECT_EQ(script.published().size(), batches + 2) << "online and offline beside them";
}

TEST_F(ForwarderThreadTest, ConnectsAnewWithAChangedPassword) {
    const test::TempDir directory;
    BrokerConfig config = quick_config();
    config.servers.front().scheme = Scheme::mqtt;
    config.username = "gw";
    config.password_file = directory.write("password", "old");
    start(config);
    ASSERT_EQ(script.connects(1).at(0).password, "old");
    directory.write("password", "new");
    EXPECT_EQ(script.connects(2).at(1).password, "new");
    EXPECT_TRUE(log.has("connecting anew"));
}

TEST_F(ForwarderThreadTest, ConnectsAsConfiguredWithTheOfflineStatusAsWill) {
    const test::TempDir directory;
    BrokerConfig config = quick_config();
    config.username = "gw";
    config.password_file = directory.write("password", "se\ncret\n");
    config.keep_alive = 17s;
    config.connect_timeout = 3s;
    start(config);
    const auto connects = script.connects(1);
    ASSERT_GE(connects.size(), 1U);
    EXPECT_EQ(connects[0].client_id, "gw-17");
    EXPECT_EQ(connects[0].username, "gw");
    EXPECT_EQ(connects[0].password, "se\ncret");
    EXPECT_EQ(connects[0].keep_alive, 17s);
    EXPECT_EQ(connects[0].timeout, 3s);
    EXPECT_TRUE(connects[0].clean_start);
    ASSERT_TRUE(connects[0].will);
    EXPECT_EQ(connects[0].will->topic, "status");
    EXPECT_TRUE(connects[0].will->retain);
    EXPECT_EQ(nlohmann::json::parse(connects[0].will->payload)["state"], "offline");
    EXPECT_TRUE(thread->stop(1s));
}

TEST_F(ForwarderThreadTest, RefusesToConnectWithoutItsPasswordAndReadsItAgainEachTime) {
    const test::TempDir directory;
    BrokerConfig config = quick_config();
    config.password_file = directory / "password";
    start(config);
    ASSERT_TRUE(wait_until([&] { return !thread->status().last_error.empty(); }));
    EXPECT_THAT(thread->status().last_error, ::testing::HasSubstr("password"));
    // As a whole: it is read at any moment.
    std::filesystem::rename(directory.write("password.new", "secret\n"), config.password_file);
    const auto connects = script.connects(1);
    ASSERT_EQ(connects.size(), 1U);
    EXPECT_EQ(connects[0].password, "secret");
    EXPECT_TRUE(thread->stop(1s));
}

TEST_F(ForwarderThreadTest, ShowsWhatItIsDoing) {
    script.on_connect = [](auto&, const auto&) {};
    start();
    (void)script.connects(1);
    ASSERT_TRUE(wait_until([&] { return thread->status().state == BrokerState::connecting; }));
    script.answer(transport::Connected{});
    ASSERT_TRUE(wait_until([&] { return thread->status().state == BrokerState::connected; }));
    const ForwardStatus status = thread->status();
    EXPECT_EQ(status.server, "mqtts://broker");
    EXPECT_GT(status.since_wall_us, 0);
    EXPECT_LE(status.since_wall_us, clock.wall_us());
    const MonoTime seen = thread->last_progress();
    EXPECT_LE(seen, clock.now());
    thread->network_changed();
    EXPECT_TRUE(wait_until([&] { return thread->last_progress() != seen; }));
    EXPECT_TRUE(thread->stop(1s));
}

TEST_F(ForwarderThreadTest, DrainsAfterAReconnectWithoutNewReadings) {
    std::atomic<bool> broker_answers = false;
    script.on_publish = [&](TransportScript& it, DeliveryToken token, const Message&) {
        if (broker_answers) it.answer(transport::Delivered{token});
        return true;
    };
    start();
    for (std::uint64_t seq = 1; seq <= 100; ++seq)
        source.add(test::simple_batch(seq));
    const auto sent = script.published(20);
    broker_answers = true;
    script.answer(transport::ConnectionLost{{LinkFailure::Class::passing, 0, "cut"}});
    for (const auto& message : sent)
        script.answer(transport::DeliveryFailed{message.token, -1, "the session was lost"});
    EXPECT_EQ(source.acknowledged(100).size(), 100U);
    EXPECT_TRUE(thread->stop(1s));
    EXPECT_EQ(thread->status().reconnects, 1U);
}

TEST_F(ForwarderThreadTest, AnswersForEveryBatchItWasOffered) {
    script.on_publish = [](TransportScript& it, DeliveryToken token, const Message& message) {
        if (message.topic == "status") it.answer(transport::Delivered{token});
        return true;
    };
    start();
    for (std::uint64_t seq = 1; seq <= 50; ++seq)
        source.add(test::simple_batch(seq));
    (void)script.published(20);
    EXPECT_TRUE(thread->stop(0ms));
    EXPECT_TRUE(source.acknowledged().empty());
    const auto given_back = source.given_back();
    EXPECT_GE(given_back.size(), 19U);
    EXPECT_EQ(std::set(given_back.begin(), given_back.end()).size(), given_back.size()) << "each once";
    EXPECT_EQ(script.disconnects(), 1);
    EXPECT_EQ(nlohmann::json::parse(script.published().back().message.payload)["state"], "offline");
    EXPECT_FALSE(source.links().back());
}

TEST_F(ForwarderThreadTest, SaysSoWhenTheTransportDoesNotLetGo) {
    std::mutex stuck;
    stuck.lock();
    script.on_disconnect = [&](TransportScript& it) {
        const std::lock_guard wait(stuck);
        it.answer(transport::Disconnected{});
    };
    start();
    (void)script.published(1);
    EXPECT_FALSE(thread->stop(0ms));
    stuck.unlock();
    EXPECT_TRUE(thread->stop(0ms));
}

TEST_F(ForwarderThreadTest, StopsWithoutAServerAndWithoutAStart) {
    start(BrokerConfig{});
    EXPECT_TRUE(thread->stop(10s));
    EXPECT_TRUE(script.connects().empty());
    EXPECT_EQ(thread->status().state, BrokerState::waiting);
    ForwarderThread never_started(quick_config(), {}, source, clock, log, nullptr);
    EXPECT_TRUE(never_started.stop(10s));
}

}  // namespace
}  // namespace holdfast
