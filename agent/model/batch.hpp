// A batch: readings of one input that travel in one MQTT message. Immutable once closed; moved from thread to
// thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <span>
#include <string>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "model/reading.hpp"
#include "model/reading_stream.hpp"

namespace holdfast {

// Numbers are stored: never renumber. Low is dropped first, high is sent first.
enum class Priority : std::uint8_t { low = 0, normal = 1, high = 2 };
inline constexpr std::size_t priority_count = 3;

// Numbers are stored. A gap tells of readings that were dropped; thinned readings stand for finer ones that
// the buffer had no room for (thinning.hpp).
enum class BatchKind : std::uint8_t { readings = 0, gap = 1, thinned = 2 };

// How far the wall times of a batch can be trusted; numbers are stored.
enum class ClockState : std::uint8_t {
    unsynchronised =
        0,  // the wall clock was not disciplined; it may be corrected when it is, in the same boot
    synchronised = 1,
    corrected = 2,  // taken in before the clock was set, placed by the offset measured then
    sent_unsynchronised =
        3,  // likewise, but sent before: never corrected, a message is always sent with the same bytes
};

// Why readings were dropped; numbers are stored.
enum class GapReason : std::uint8_t { max_size = 0, max_age = 1, disk_full = 2, damaged = 3, refused = 4 };
std::string_view to_string(GapReason reason);  // as it stands in a gap record

// What is needed to choose, count and order batches without decoding them.
struct BatchHeader {
    std::uint64_t seq = 0;  // given by the buffer at append; grows by batch, never repeats (0: not yet given)
    // What the message id has instead of seq, when this batch took the place of others; 0: seq.
    std::uint64_t message_seq = 0;
    std::string input;  // the input's name
    Priority priority = Priority::normal;
    BatchKind kind = BatchKind::readings;
    std::uint32_t count = 0;  // readings in it; of a gap: readings lost
    std::int64_t first_us =
        0;  // time of the first reading, as if taken on this boot's clock (see wall_offset_us)
    std::int64_t last_us = 0;  // likewise of the last
    BootId boot{};  // the boot whose clock `first_us`, `last_us` and the readings' boot times are on
    std::int64_t wall_offset_us = 0;  // wall time = boot time + this, as known when the batch was closed
    ClockState clock = ClockState::unsynchronised;
    MonoTime arrived{};          // when its first reading was taken in; not stored
    std::int64_t arrived_s = 0;  // the same in seconds that agents ran on this buffer; the buffer sets it
};

// What the message id of the batch ends with.
constexpr std::uint64_t seq_of_message(const BatchHeader& header) {
    return header.message_seq != 0 ? header.message_seq : header.seq;
}

// Readings that a batch holds; those that a gap record tells of are lost, not held.
constexpr std::uint64_t readings_held(const BatchHeader& header) {
    return header.kind == BatchKind::gap ? 0 : header.count;
}

struct Batch {
    BatchHeader header;
    std::string body;  // see BatchBody; opaque to the buffer
};

// What a batch takes in memory, with the node of the container that it is in.
inline std::uint64_t memory_of(const Batch& batch) {
    constexpr std::uint64_t node_bytes = 64;
    return sizeof(Batch) + node_bytes + batch.body.capacity() + batch.header.input.size();
}

struct Totals {
    std::uint64_t batches = 0;
    std::uint64_t readings = 0;
    bool operator==(const Totals&) const = default;
};

// The body: version byte, the tags that hold for the whole batch, then for readings a stream
// (reading_stream.hpp), for thinned readings their
// step and a stream, for a gap the reason. docs/buffer-format.md.
inline constexpr std::uint8_t batch_body_version = 1;

// The head of a body: what stands before the stream. An input's tags change with the configuration only, so
// the batcher makes this once.
std::string encode_body_head(std::span<const TagView> tags);
std::string encode_body_head(const Tags& tags);
std::string encode_gap_body(const Tags& tags, GapReason reason);
// The head of a body of thinned readings.
std::string encode_thinned_head(std::span<const TagView> tags, std::chrono::seconds step);

// A body taken apart; views point into the body.
struct BatchBody {
    std::vector<TagView> tags;
    std::string_view stream;                 // kinds readings and thinned: feed it to a ReadingReader
    std::chrono::seconds step{0};            // kind thinned
    GapReason reason = GapReason::max_size;  // kind gap
};
// Fails with corrupt, also on a version this program does not know.
Result<BatchBody> decode_body(BatchKind kind, std::string_view body);

}  // namespace holdfast
