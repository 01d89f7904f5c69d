// Two clocks of StoredBuffer that are no jumping wall clock: running time, by which batches get old, and the
// offset by which the times of batches are corrected that were taken in before the wall clock was set.
#include <algorithm>

#include "buffer/stored_buffer.hpp"

namespace holdfast {
namespace {

constexpr std::chrono::seconds clock_look_interval{1};

}  // namespace

// Without a battery nobody knows how long the power was off, so that time does not count: nothing gets too
// old because a clock jumped.
std::int64_t StoredBuffer::lived_s() const {
    return lived_before_s_ + (clock_.boot_us() - opened_boot_us_) / 1'000'000;
}

// The first offset that is known to be right holds for all batches of this boot that were taken in before. It
// is on disk before one of them is sent with it, so that they get the same times however often they are sent.
void StoredBuffer::look_at_clock() {
    if (wall_offset_us_ || clock_.now() < next_clock_look_) return;
    next_clock_look_ = clock_.now() + clock_look_interval;
    if (!clock_.synchronised()) return;
    wall_offset_us_ = clock_.wall_us() - clock_.boot_us();
    const bool rows =
        std::any_of(lanes_.begin(), lanes_.end(), [](const Lane& own) { return own.disk.batches > 0; });
    if (rows && !retry_at_) commit(Scope::answers);
}

Result<void> StoredBuffer::write_clocks(BatchDatabase::Write& write, const Turn& turn) {
    if (!turn.acked.empty() || turn.dropped_readings > 0)
        if (auto done = write.set_lived(std::chrono::seconds(lived_s())); !done) return done;
    if (!wall_offset_us_ || wall_offset_stored_) return {};
    if (auto done = keep_sent_clocks(write); !done) return done;
    return write.set_wall_offset(boot_, *wall_offset_us_);
}

// Before the offset is on disk, or another start may find it.
Result<void> StoredBuffer::keep_sent_clocks(BatchDatabase::Write& write) const {
    for (const auto& [seq, priority] : sent_unsynchronised_)
        if (auto done = write.keep_clock(priority, seq); !done) return done;
    return {};
}

void StoredBuffer::correct(BatchHeader& header) {
    if (header.clock != ClockState::unsynchronised || sent_unsynchronised_.contains(header.seq)) return;
    std::optional<std::int64_t> offset;
    if (header.boot == boot_)
        offset = wall_offset_us_;
    else if (database_)
        offset = database_->wall_offset(header.boot);
    if (!offset) return;
    header.wall_offset_us = *offset;
    header.clock = ClockState::corrected;
}

// A message that is sent again has the same bytes, so its times are no longer corrected.
void StoredBuffer::sent_as_it_is(Held& held) {
    if (held.batch.header.clock != ClockState::unsynchronised || held.batch.header.boot != boot_) return;
    if (held.stored)
        sent_unsynchronised_.emplace(held.batch.header.seq, held.batch.header.priority);
    else
        held.batch.header.clock = ClockState::sent_unsynchronised;
}

}  // namespace holdfast
