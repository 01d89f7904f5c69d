// What StoredBuffer says of itself.
#include <algorithm>

#include "buffer/stored_buffer.hpp"

namespace holdfast {

BufferStatus StoredBuffer::status() const {
    BufferStatus status;
    status.batches = unstored_batches_;
    status.in_memory_readings = unstored_readings_;
    const std::int64_t now_s = lived_s();
    const auto older = [&](std::int64_t wall_us, std::int64_t arrived_s) {
        const std::int64_t age_s = now_s - arrived_s;
        status.oldest_wall_us = status.oldest_wall_us ? std::min(*status.oldest_wall_us, wall_us) : wall_us;
        status.oldest_age_s = status.oldest_age_s ? std::max(*status.oldest_age_s, age_s) : age_s;
    };
    const auto held = [&](const BatchHeader& header) {
        if (header.kind == BatchKind::gap) return;
        older(header.first_us + header.wall_offset_us, header.arrived_s);
    };
    for (const auto& [key, gap] : gaps_.gaps())
        if (!gap.stored) status.batches += 1;
    for (const auto& [seq, lent] : lent_)
        held(lent.batch.header);
    for (const Lane& own : lanes_) {
        status.batches += std::max<std::uint64_t>(own.disk.batches, own.acked.size()) - own.acked.size();
        // The count of a damaged row may be wrong.
        status.committed_readings += std::max(own.disk.readings, own.acked_readings) - own.acked_readings;
        if (own.disk.batches > own.acked.size() && own.oldest_wall_us && own.oldest_arrived_s)
            older(*own.oldest_wall_us, *own.oldest_arrived_s);
        if (!own.live.empty()) held(own.live.begin()->second.batch.header);
    }
    status.readings = status.in_memory_readings + status.committed_readings;
    status.salvaging_readings = salvage_ ? salvage_->notes().expected.value_or(0) : 0;
    status.acked_readings = acked_readings_;
    status.dropped_readings = dropped_readings_;
    status.thinned_readings = thinned_readings_;
    status.refused_messages = to_set_aside_.size();
    for (const auto& [seq, refusal] : to_set_aside_)
        if (const auto lent = lent_.find(seq); lent != lent_.end())
            status.refused_readings += readings_held(lent->second.batch.header);
    if (database_) {
        status.refused_messages += database_->refused().rows().size();
        status.refused_readings += database_->refused().readings();
    }
    status.drain_rate = meter_.rate(clock_.now());
    const std::uint64_t to_send = status.readings - std::min(status.readings, status.refused_readings);
    status.empty_in_s = meter_.seconds_to_empty(to_send, clock_.now());
    status.inputs_wait = inputs_wait_;
    status.last_error = last_error_;
    status.written_bytes = written_before_ + (database_ ? database_->written_bytes() : 0);
    // In the first hour the start weighs too much to tell what a day will be.
    const std::int64_t open_s = std::max<std::int64_t>(now_s - lived_before_s_, 3'600);
    status.written_bytes_per_day = status.written_bytes * 86'400 / static_cast<std::uint64_t>(open_s);
    status.bytes = database_ ? database_->file_bytes() : 0;
    return status;
}

}  // namespace holdfast
