// How a batch lies in a row: the columns, in the order in which statements name them, and the checksum.
// docs/buffer-format.md. For what reads and writes rows; nothing else needs it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "model/batch.hpp"

namespace holdfast::batch_row {

inline constexpr std::string_view columns =
    "seq, input, kind, count, first_us, last_us, boot, wall_offset_us, synchronised, checksum, body, "
    "arrived_s, "
    "message_seq";

enum Column {
    seq,
    input,
    kind,
    count,
    first_us,
    last_us,
    boot,
    wall_offset_us,
    synchronised,
    checksum,
    body,
    arrived_s,
    message_seq
};

inline std::int64_t to_signed(std::uint64_t value) {
    return static_cast<std::int64_t>(value);
}
inline std::uint64_t to_unsigned(std::int64_t value) {
    return static_cast<std::uint64_t>(value);
}

// As a signed 32-bit number: 4 bytes in the row.
std::int64_t checksum_of(const BatchHeader& header, std::string_view batch_body);
// Whether the row is as it was written. Rows of schema version 1 have a checksum that leaves out the input.
bool checksum_matches(const BatchHeader& header, std::string_view batch_body, std::int64_t stored);

// How many readings a row of which the checksum is wrong most likely held: the bit that flipped may be in its
// count. What the body has, when it can be read to its end.
std::uint32_t likely_count(const Batch& damaged);

// Not covered by the checksum, since it may change after the row was written.
ClockState clock_state(std::int64_t stored);

// The checksum over all numbers in `meta`, which stands among them: docs/buffer-format.md.
inline constexpr std::string_view guard_key = "guard";
class NotesGuard {
  public:
    void add(std::string_view key, std::int64_t value);  // in order of key; the guard's own is left out
    std::int64_t value() const;

  private:
    std::uint32_t sum_ = 0;
};

std::string table_of(Priority priority);
std::string meta_key(std::string_view what, Priority priority);

}  // namespace holdfast::batch_row
