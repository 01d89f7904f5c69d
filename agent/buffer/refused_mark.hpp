// Which rows are set aside because the broker refused their messages, as memory knows it, and how the mark of
// such a row lies in table `refused`. docs/buffer-format.md. Passive; belongs to the database.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string_view>

#include "model/batch.hpp"
#include "model/refusal.hpp"

namespace holdfast {

// What is needed to find, count and bound the rows; why they are there stands in the table only.
struct RefusedRow {
    Priority priority = Priority::normal;
    std::uint64_t message_seq = 0;  // what its id ends with
    std::uint32_t readings = 0;
    std::uint32_t bytes = 0;  // of the body, as stored
};

class RefusedMarks {
  public:
    using Rows = std::map<std::uint64_t, RefusedRow>;  // by seq

    const Rows& rows() const { return rows_; }
    bool contains(std::uint64_t seq) const { return rows_.contains(seq); }
    std::uint64_t readings() const { return readings_; }
    std::uint64_t bytes() const { return bytes_; }
    // The seq of the row with that message; none: it is not set aside.
    std::optional<std::uint64_t> find_message(std::uint64_t message_seq) const;

    // Returns what was there before, so that it can be put back.
    std::optional<RefusedRow> put(std::uint64_t seq, const RefusedRow& row);
    std::optional<RefusedRow> remove(std::uint64_t seq);

  private:
    Rows rows_;
    std::uint64_t readings_ = 0;
    std::uint64_t bytes_ = 0;
};

namespace refused_mark {

inline constexpr std::string_view columns =
    "seq, priority, message_seq, readings, bytes, code, times, refused_us, checksum, reason";
enum Column { seq, priority, message_seq, readings, bytes, code, times, refused_us, checksum, reason };
inline constexpr std::size_t column_count = reason + 1;
inline constexpr std::size_t most_reason_bytes = 512;

// The numbers are those of the columns before `checksum`, in their order. As a signed 32-bit number.
std::int64_t checksum_of(std::span<const std::int64_t, checksum> numbers, std::string_view reason);
// None: the priority is not one.
std::optional<RefusedRow> row_of(std::span<const std::int64_t, checksum> numbers);
Refusal refusal_of(std::span<const std::int64_t, checksum> numbers, std::string_view reason);

}  // namespace refused_mark
}  // namespace holdfast
