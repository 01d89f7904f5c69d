// The thread that makes readings durable: a short loop around a Buffer. It never calls network code.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

#include "base/mailbox.hpp"
#include "buffer/buffer.hpp"
#include "buffer/exchange.hpp"

namespace holdfast {

class StoreThread final : public BatchSource {
  public:
    // `room` is called on the store thread when has_room() has become true again; it must only wake its receiver.
    StoreThread(std::unique_ptr<Buffer> buffer, const Clock& clock, Bytes inbox_limit, std::function<void()> room);
    ~StoreThread() override;

    // `sink` gets the batches that are demanded; null: none are offered. It must outlive stop().
    void start(BatchSink* sink);
    // Takes in what was posted before, commits everything and ends the thread. The result is Buffer::close's.
    Result<void> stop();

    // Main thread. Never blocks and never drops: the caller asks has_room() before it takes in more.
    void append(Batch batch);
    // False while more than inbox_limit bytes wait for the store thread (a slow disk): intake has to pause.
    bool has_room() const;

    void demand(std::uint32_t count) override;
    void acknowledge(std::vector<std::uint64_t> seqs) override;
    void give_back(std::vector<std::uint64_t> seqs) override;
    void set_link(bool up) override;

    std::uint64_t epoch() const;
    // A copy of the latest state, at most one turn of the loop old; what still waits in the inbox counts as in memory.
    BufferStatus status() const;
    // When the loop last came round; with nothing to do it still does so every few seconds. For the watchdog.
    MonoTime last_progress() const;
};

}  // namespace holdfast
