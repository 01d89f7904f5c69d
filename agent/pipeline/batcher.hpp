// Gathers the readings of one input into batches. Passive; belongs to the pipeline, on the main thread.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "config/config.hpp"
#include "model/batch.hpp"
#include "model/reading_stream.hpp"

namespace holdfast {

inline constexpr std::uint64_t no_message_limit = std::numeric_limits<std::uint64_t>::max();

class Batcher {
  public:
    // `tags` hold for every reading of the input: its own over the agent's. `envelope_bytes`: of a message
    // beside its readings.
    Batcher(const InputConfig& input, const Tags& tags, const BatchConfig& limits,
            std::size_t envelope_bytes);

    // The input's channels are numbered anew from here on.
    void begin_stream() { channel_map_.clear(); }

    // An upper bound of what the reading takes in the message.
    std::size_t payload_bytes(const Reading& reading, const std::vector<Channel>& channels) const;
    // Whether the message stays within [batch] max_bytes, and what the broker takes, with so much more; an
    // empty batch takes any one reading.
    bool has_room(std::size_t bytes) const {
        return count_ == 0 || payload_bytes_ + bytes <= std::min(limits_.max_bytes.count, message_limit_);
    }
    void set_message_limit(std::uint64_t bytes) { message_limit_ = bytes; }
    // `bytes`: payload_bytes() of the reading.
    void add(const Reading& reading, const std::vector<Channel>& channels, std::size_t bytes);
    bool full() const { return count_ >= limits_.max_readings; }

    std::uint32_t count() const { return count_; }
    // When the first reading of the open batch was taken in; none: it is empty.
    std::optional<MonoTime> opened() const { return count_ > 0 ? std::optional(opened_) : std::nullopt; }
    // On the boot clock, as BatchHeader::first_us. Precondition: not empty.
    std::int64_t first_us() const { return first_us_; }

    // What ties the boot clock to the world when a batch is closed.
    struct Stamp {
        BootId boot{};
        std::int64_t wall_offset_us = 0;
        bool synchronised = false;
    };
    // The open batch, complete but for its seq. Precondition: not empty.
    Batch close(const Stamp& stamp);

    // Before the first reading of a batch. The offset of the stamp places readings that came with a wall time
    // on the boot clock.
    void open(MonoTime now, const Stamp& stamp);

  private:
    std::uint32_t own_channel(std::uint32_t theirs, const std::vector<Channel>& channels);

    std::string input_;
    Priority priority_;
    std::string body_head_;
    BatchConfig limits_;
    std::size_t envelope_bytes_;
    std::uint64_t message_limit_ = no_message_limit;

    ReadingWriter writer_;
    std::vector<std::uint32_t>
        channel_map_;  // the input's index -> the batch's; `undefined` where not yet used in it
    std::vector<Value> values_;
    std::uint32_t count_ = 0;
    std::size_t payload_bytes_ = 0;
    MonoTime opened_{};
    std::int64_t first_us_ = 0;
    std::int64_t last_us_ = 0;
    std::int64_t wall_offset_us_ = 0;
    bool opened_synchronised_ = false;
};

}  // namespace holdfast
