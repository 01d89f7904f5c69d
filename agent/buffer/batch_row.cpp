#include "buffer/batch_row.hpp"

#include <algorithm>

#include <span>

#include "buffer/checksum.hpp"

namespace holdfast::batch_row {

namespace {

// As 8 bytes each, little-endian.
std::uint32_t crc32c_of(std::span<const std::uint64_t> numbers, std::uint32_t so_far) {
    for (const std::uint64_t number : numbers) {
        char bytes[sizeof number];
        for (std::size_t i = 0; i < sizeof bytes; ++i)
            bytes[i] = static_cast<char>(number >> (i * 8));
        so_far = crc32c({bytes, sizeof bytes}, so_far);
    }
    return so_far;
}

// Over the body, then over seq, kind, count, first_us, last_us and wall_offset_us, then over
// message_seq when it is not 0.
std::uint32_t checksum_without_input(const BatchHeader& header, std::string_view batch_body) {
    const std::uint64_t fields[] = {header.seq,
                                    static_cast<std::uint64_t>(header.kind),
                                    header.count,
                                    to_unsigned(header.first_us),
                                    to_unsigned(header.last_us),
                                    to_unsigned(header.wall_offset_us),
                                    header.message_seq};
    const std::size_t size = std::size(fields) - (header.message_seq == 0 ? 1 : 0);
    return crc32c_of({fields, size}, crc32c(batch_body));
}

std::int64_t as_stored(std::uint32_t checksum) {
    return static_cast<std::int32_t>(checksum);
}

}  // namespace

std::int64_t checksum_of(const BatchHeader& header, std::string_view batch_body) {
    return as_stored(crc32c(header.input, checksum_without_input(header, batch_body)));
}

bool checksum_matches(const BatchHeader& header, std::string_view batch_body, std::int64_t stored) {
    const std::uint32_t without = checksum_without_input(header, batch_body);
    return stored == as_stored(crc32c(header.input, without)) || stored == as_stored(without);
}

std::uint32_t likely_count(const Batch& damaged) {
    constexpr std::uint32_t most_readings = 100'000;  // [batch] max_readings
    const std::uint32_t told = std::min(damaged.header.count, most_readings);
    const auto body = decode_body(damaged.header.kind, damaged.body);
    if (damaged.header.kind == BatchKind::gap || !body) return told;
    ReadingReader reader;
    reader.feed(body->stream);
    std::uint32_t count = 0;
    auto more = reader.next();
    for (; more && *more; more = reader.next())
        ++count;
    return more ? count : told;
}

ClockState clock_state(std::int64_t stored) {
    return stored >= 0 && stored <= 3 ? static_cast<ClockState>(stored) : ClockState::unsynchronised;
}

void NotesGuard::add(std::string_view key, std::int64_t value) {
    if (key == guard_key) return;
    const std::uint64_t number[] = {to_unsigned(value)};
    sum_ = crc32c_of(number, crc32c(key, sum_));
}

std::int64_t NotesGuard::value() const {
    return as_stored(sum_);
}

namespace {

std::string_view name_of(Priority priority) {
    constexpr std::string_view names[priority_count] = {"low", "normal", "high"};
    return names[static_cast<std::size_t>(priority)];
}

}  // namespace

std::string table_of(Priority priority) {
    return "batches_" + std::string(name_of(priority));
}

std::string meta_key(std::string_view what, Priority priority) {
    return std::string(what) + "." + std::string(name_of(priority));
}

}  // namespace holdfast::batch_row
