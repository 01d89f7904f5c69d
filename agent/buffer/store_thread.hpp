// The thread that makes readings durable: a short loop around a Buffer. It never calls network code.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <variant>
#include <vector>

#include "base/mailbox.hpp"
#include "buffer/buffer.hpp"
#include "buffer/exchange.hpp"

namespace holdfast {

class StoreThread final : public BatchSource {
  public:
    // `room` is called on the store thread when has_room() has become true again; it must only wake its
    // receiver.
    StoreThread(std::unique_ptr<Buffer> buffer, const Clock& clock, Bytes inbox_limit,
                std::function<void()> room);
    ~StoreThread() override;

    // `sink` gets the batches that are demanded; null: none are offered. It must outlive stop().
    void start(BatchSink* sink);
    // Takes in what was posted before, commits everything and ends the thread. The result is Buffer::close's.
    Result<void> stop();

    // Main thread. Never blocks and never drops: the caller asks has_room() before it takes in more.
    void append(Batch batch);
    // False while what waits for the store thread (a slow disk) takes more than inbox_limit: intake has to
    // pause.
    // True again when half of them are taken.
    // Likewise while the buffer itself has no room ([buffer] when_full = "block").
    bool has_room() const {
        return !full_.load(std::memory_order_relaxed) && !blocked_.load(std::memory_order_relaxed);
    }

    void demand(std::uint32_t count) override;
    void acknowledge(std::vector<std::uint64_t> seqs) override;
    void give_back(std::vector<std::uint64_t> seqs) override;
    void set_aside(Refusal refusal) override;
    void split(Oversize oversize) override;
    void set_link(bool up) override;
    Backlog backlog() const override;

    // Main thread: asks for a page of what is held, or to forget it all, under a number of its choice. The
    // answer is there some turns later; one that is not for that number is dropped.
    struct Answer {
        std::uint64_t question = 0;
        Listing listing = {};
        std::uint64_t purged = 0;
        Result<RefusedListing> refused = RefusedListing{};
        Result<Totals> settled = Totals{};
    };
    void ask_to_list(std::uint64_t question, Listing::Place from);
    void ask_to_purge(std::uint64_t question);
    void ask_to_list_refused(std::uint64_t question, std::uint64_t from);
    // Answered by a listing of one message, or none.
    void ask_for_refused(std::uint64_t question, std::uint64_t message_seq);
    void ask_to_settle_refused(std::uint64_t question, RefusedVerdict verdict,
                               std::vector<std::uint64_t> message_seqs);
    std::optional<Answer> take_answer(std::uint64_t question);

    std::uint64_t epoch() const { return epoch_; }
    // A copy of the latest state, at most one turn of the loop old; what still waits in the inbox counts as
    // in memory.
    BufferStatus status() const;
    // When the loop last came round; with nothing to do it still does so every few seconds. For the watchdog.
    MonoTime last_progress() const { return last_progress_.load(std::memory_order_relaxed); }

  private:
    struct Demand {
        std::uint32_t count;
    };
    struct Acknowledge {
        std::vector<std::uint64_t> seqs;
    };
    struct GiveBack {
        std::vector<std::uint64_t> seqs;
    };
    struct Link {
        bool up;
    };
    struct List {
        std::uint64_t question;
        Listing::Place from;
    };
    struct Purge {
        std::uint64_t question;
    };
    struct ListRefused {
        std::uint64_t question;
        std::uint64_t from;
    };
    struct FindRefused {
        std::uint64_t question;
        std::uint64_t message_seq;
    };
    struct SettleRefused {
        std::uint64_t question;
        RefusedVerdict verdict;
        std::vector<std::uint64_t> message_seqs;
    };
    struct Stop {};
    using Message = std::variant<Batch, Demand, Acknowledge, GiveBack, Refusal, Oversize, Link, List, Purge,
                                 ListRefused, FindRefused, SettleRefused, Stop>;

    // What was posted and is not in status_ yet.
    struct Inbox {
        std::uint64_t batches = 0;
        std::uint64_t readings = 0;
        std::uint64_t memory = 0;  // bytes
        void add(const Batch& batch);
        void subtract(const Inbox& taken);
    };

    void run();
    // Works off what was taken; false when it was told to stop.
    bool handle(std::vector<Message>& messages, Inbox& taken);
    bool handle(Message& message, Inbox& taken);
    bool handle_question(const Message& message);
    void answer(Answer answer);
    // The end of a turn: offers, commits, tells the state. Returns when the next one is due.
    MonoTime settle(Inbox& taken);
    void offer();
    void publish_state(Inbox& taken);

    std::unique_ptr<Buffer> buffer_;
    const Clock& clock_;
    const std::uint64_t epoch_;
    const Bytes inbox_limit_;
    const std::function<void()> room_;
    Mailbox<Message> mailbox_;
    std::atomic<bool> full_ = false;
    std::atomic<bool> blocked_ = false;
    std::atomic<MonoTime> last_progress_;

    mutable std::mutex mutex_;  // status_ and inbox_, which add up
    BufferStatus status_;
    Inbox inbox_;
    std::optional<Answer> answer_;

    // The store thread's own.
    BatchSink* sink_ = nullptr;
    std::uint64_t demanded_ = 0;
    Result<void> closed_;

    std::thread thread_;
};

}  // namespace holdfast
