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
#include "model/body_writer.hpp"
#include "model/message_size.hpp"

namespace holdfast {

inline constexpr std::uint64_t no_message_limit = std::numeric_limits<std::uint64_t>::max();

class Batcher {
  public:
    // `tags` hold for every reading of the input: its own over the agent's. `envelope_bytes`: of a message
    // beside its readings.
    Batcher(const InputConfig& input, const Tags& tags, const BatchConfig& limits,
            std::size_t envelope_bytes);

    // The input's channels are numbered anew from here on.
    void begin_stream() { body_.begin_stream(); }

    // An upper bound of what the reading takes in the message.
    static std::size_t payload_bytes(const Reading& reading, const std::vector<Channel>& channels) {
        return message_size::of_reading(reading, channels);
    }
    // Whether the message stays within [batch] max_bytes, and what the broker takes, with so much more; an
    // empty batch takes any one reading.
    bool has_room(std::size_t bytes) const {
        return count() == 0 || payload_bytes_ + bytes <= std::min(limits_.max_bytes.count, message_limit_);
    }
    void set_message_limit(std::uint64_t bytes) { message_limit_ = bytes; }
    // `bytes`: payload_bytes() of the reading.
    void add(const Reading& reading, const std::vector<Channel>& channels, std::size_t bytes) {
        payload_bytes_ += bytes;
        body_.add(reading, channels);
    }
    bool full() const { return count() >= limits_.max_readings; }

    std::uint32_t count() const { return body_.count(); }
    // When the first reading of the open batch was taken in; none: it is empty.
    std::optional<MonoTime> opened() const { return count() > 0 ? std::optional(opened_) : std::nullopt; }
    // On the boot clock, as BatchHeader::first_us. Precondition: not empty.
    std::int64_t first_us() const { return body_.first_us(); }

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
    std::string input_;
    Priority priority_;
    std::string body_head_;
    BatchConfig limits_;
    std::size_t envelope_bytes_;
    std::uint64_t message_limit_ = no_message_limit;

    BodyWriter body_;
    std::size_t payload_bytes_ = 0;
    MonoTime opened_{};
    bool opened_synchronised_ = false;
};

}  // namespace holdfast
