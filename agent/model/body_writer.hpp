// Writes readings of one stream into the bodies of batches, whose channels are numbered anew: for who gathers
// readings, and for who cuts batches. Passive; belongs to one thread.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "model/batch.hpp"
#include "model/reading_stream.hpp"

namespace holdfast {

class BodyWriter {
  public:
    // Before the first reading of a batch: the head of its body (encode_body_head). The offset places
    // readings that came with a wall time on the boot clock.
    void open(std::string_view head, std::int64_t wall_offset_us);
    // The channels are those of the reading's stream.
    void add(const Reading& reading, const std::vector<Channel>& channels);
    // Puts the body, the times and the count in the batch, and is empty then. Precondition: not empty.
    void close(Batch& batch);

    // The channels of the stream are numbered anew from here on.
    void begin_stream() { channel_map_.clear(); }

    std::uint32_t count() const { return count_; }
    // On the boot clock, as BatchHeader::first_us. Precondition: not empty.
    std::int64_t first_us() const { return first_us_; }

  private:
    std::uint32_t own_channel(std::uint32_t theirs, const std::vector<Channel>& channels);

    ReadingWriter writer_;
    // The stream's index -> the batch's; `undefined` where not yet used in it.
    std::vector<std::uint32_t> channel_map_;
    std::vector<Value> values_;
    std::uint32_t count_ = 0;
    std::int64_t first_us_ = 0;
    std::int64_t last_us_ = 0;
    std::int64_t wall_offset_us_ = 0;
};

}  // namespace holdfast
