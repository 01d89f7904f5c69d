#include "buffer/refused_mark.hpp"

#include <algorithm>
#include <utility>

#include "buffer/checksum.hpp"

namespace holdfast {

std::optional<std::uint64_t> RefusedMarks::find_message(std::uint64_t message_seq) const {
    // Most have no other number than their own.
    if (const auto same = rows_.find(message_seq);
        same != rows_.end() && same->second.message_seq == message_seq)
        return message_seq;
    const auto found = std::find_if(rows_.begin(), rows_.end(),
                                    [&](const auto& row) { return row.second.message_seq == message_seq; });
    return found == rows_.end() ? std::nullopt : std::optional(found->first);
}

std::optional<RefusedRow> RefusedMarks::put(std::uint64_t seq, const RefusedRow& row) {
    auto before = remove(seq);
    rows_.emplace(seq, row);
    readings_ += row.readings;
    bytes_ += row.bytes;
    return before;
}

std::optional<RefusedRow> RefusedMarks::remove(std::uint64_t seq) {
    const auto at = rows_.find(seq);
    if (at == rows_.end()) return std::nullopt;
    const RefusedRow row = at->second;
    rows_.erase(at);
    readings_ -= row.readings;
    bytes_ -= row.bytes;
    return row;
}

namespace refused_mark {

std::int64_t checksum_of(std::span<const std::int64_t, checksum> numbers, std::string_view why) {
    std::uint32_t sum = 0;
    for (const std::int64_t number : numbers) {
        char as_bytes[sizeof number];
        for (std::size_t i = 0; i < sizeof as_bytes; ++i)
            as_bytes[i] = static_cast<char>(static_cast<std::uint64_t>(number) >> (i * 8));
        sum = crc32c({as_bytes, sizeof as_bytes}, sum);
    }
    return static_cast<std::int32_t>(crc32c(why, sum));
}

std::optional<RefusedRow> row_of(std::span<const std::int64_t, checksum> numbers) {
    if (numbers[priority] < 0 || numbers[priority] >= static_cast<std::int64_t>(priority_count))
        return std::nullopt;
    return RefusedRow{
        static_cast<Priority>(numbers[priority]), static_cast<std::uint64_t>(numbers[message_seq]),
        static_cast<std::uint32_t>(numbers[readings]), static_cast<std::uint32_t>(numbers[bytes])};
}

Refusal refusal_of(std::span<const std::int64_t, checksum> numbers, std::string_view why) {
    return {static_cast<std::uint64_t>(numbers[seq]), static_cast<int>(numbers[code]), std::string(why),
            static_cast<std::uint32_t>(numbers[times]), numbers[refused_us]};
}

}  // namespace refused_mark
}  // namespace holdfast
