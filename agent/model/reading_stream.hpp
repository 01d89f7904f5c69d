// The compact binary form of readings: in frames from a plugin host, in batches in memory and on flash. One
// codec for all.
//
// A stream is a sequence of records, each a channel definition or a reading. Readings are coded against what
// came before (time, shape, and per channel the last value), so one value a reading costs 3 to 12 bytes.
// docs/buffer-format.md draws it. Both classes are passive and belong to one thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "base/result.hpp"
#include "model/reading.hpp"
#include "model/wire.hpp"

namespace holdfast {

// Appends records to `bytes()`.
class ReadingWriter {
  public:
    // Defines the next channel; indices count from 0 in the order of definition. Precondition: fewer than
    // max_channels.
    std::uint32_t define(const Channel& channel);

    // Precondition: every value's channel is defined here with the value's type. Views need to live only for
    // the call.
    void append(const Reading& reading);

    const std::string& bytes() const { return bytes_; }
    std::size_t channel_count() const { return last_.size(); }
    // Takes what was written. `keep_state`: the reader on the other end goes on with the same state (frames
    // on a socket); `fresh`: the next record starts a new stream.
    enum class After { keep_state, fresh };
    std::string take(After after);
    // Puts `prefix` in front of a stream that has no record yet (a batch's header).
    void start_with(std::string_view prefix) { bytes_.assign(prefix); }

  private:
    struct Last {
        ValueType type;
        std::uint64_t bits = 0;  // of the last f64 or i64
        std::string string;
    };
    bool same_shape(const Reading& reading) const;
    void append_value(const Value& value);

    std::string bytes_;
    std::vector<Last> last_;                 // by channel
    std::vector<std::uint32_t> shape_;       // channels of the last reading
    std::int64_t last_time_us_[2] = {0, 0};  // by TimeBase
};

// Reads records back and checks everything about them: input may be hostile (a plugin host) or damaged
// (flash).
class ReadingReader {
  public:
    // Goes on with the next segment of the stream; the bytes must live until it has been read to its end.
    void feed(std::string_view segment) { rest_ = segment; }

    // Moves to the next reading. False at the end of the segment. Fails with Error::Kind::corrupt, and does
    // so ever after.
    Result<bool> next();

    // The reading that next() moved to; valid until the next call of next() or feed().
    const Reading& reading() const { return reading_; }

    // All channels defined so far; grows as definitions are met.
    const std::vector<Channel>& channels() const { return channels_; }

  private:
    struct Last {
        std::uint64_t bits = 0;
        std::string string;
    };
    // Each reads one part of a record; false when it breaks a rule (the cursor itself may be the one that
    // failed).
    [[gnu::cold]] bool read_definition(wire::Cursor& in);
    bool read_reading(wire::Cursor& in, std::uint8_t head);
    bool read_shape(wire::Cursor& in);
    bool read_value(wire::Cursor& in, Value& value);

    std::string_view rest_;
    bool damaged_ = false;
    std::vector<Channel> channels_;
    std::unordered_set<std::string> names_;  // of channels_
    std::vector<Last> last_;
    std::vector<std::uint32_t> shape_;
    std::int64_t last_time_us_[2] = {0, 0};
    std::vector<Value> values_;
    std::vector<TagView> tags_;
    Reading reading_;
};

}  // namespace holdfast
