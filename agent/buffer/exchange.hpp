// How batches pass between the store thread and the forwarder thread: by messages, never by a shared lock.
//
// The forwarder asks for a number of batches; the store thread offers that many, in the order they are to be
// sent, as soon as it has them. Each offered batch stays the buffer's until the forwarder says what became of
// it, exactly once: acknowledged, given back, set aside or split. All functions only post a message and
// return; any thread may call them.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "model/batch.hpp"
#include "model/refusal.hpp"

namespace holdfast {

// What the status message tells of the buffer.
struct Backlog {
    std::uint64_t readings = 0;                // taken in, neither acknowledged nor dropped
    std::uint64_t committed_readings = 0;      // of these, on disk
    std::optional<std::int64_t> oldest_age_s;  // since the oldest was taken in
    double drain_rate = 0;                     // readings acknowledged per second
    std::optional<std::int64_t> empty_in_s;    // at this rate; none: they are not getting fewer
};

class BatchSource {
  public:
    virtual ~BatchSource() = default;
    // Asks for `count` more batches. What was asked for and not yet offered adds up.
    virtual void demand(std::uint32_t count) = 0;
    // The broker has it: the buffer may forget it.
    virtual void acknowledge(std::vector<std::uint64_t> seqs) = 0;
    // Not delivered: it will be offered again, with the same seq.
    virtual void give_back(std::vector<std::uint64_t> seqs) = 0;
    // The broker will not have it: the buffer keeps it and offers it no more.
    virtual void set_aside(Refusal refusal) = 0;
    // It was never sent, since it is too large: the buffer offers smaller ones instead, with seqs of their
    // own.
    virtual void split(Oversize oversize) = 0;
    // Whether a broker is connected. While it is not, nothing is offered and the buffer writes to flash what
    // it holds. Said first when the first attempt has succeeded or failed.
    virtual void set_link(bool up) = 0;
    // A snapshot, at most a turn of the store thread old.
    virtual Backlog backlog() const = 0;
};

class BatchSink {
  public:
    virtual ~BatchSink() = default;
    virtual void offer(std::vector<Batch> batches) = 0;
};

}  // namespace holdfast
