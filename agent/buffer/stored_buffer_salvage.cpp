// StoredBuffer: what comes back from a damaged database, a slice at a time.
#include <algorithm>
#include <limits>

#include "buffer/damaged_set.hpp"
#include "buffer/stored_buffer.hpp"

namespace holdfast {

// True: it wants to go on at once.
bool StoredBuffer::look_after_damage() {
    if (salvage_) return salvage_some();
    if (misses_rows()) database_failed({Error::Kind::corrupt, "rows are missing that its totals count"});
    return salvage_ != nullptr;
}

// Every row was read and is gone, but the totals say that there are more: damage made them unfindable.
bool StoredBuffer::misses_rows() const {
    if (!lent_.empty()) return false;
    std::uint64_t expected = 0;
    for (const auto& [key, gap] : gaps_.gaps())
        expected += gap.stored ? 1 : 0;
    expected += database_ ? database_->refused().rows().size() : 0;
    std::uint64_t counted = 0;
    for (const Lane& own : lanes_) {
        const bool all_read = own.cursor > own.last_row && own.ahead.empty() && own.acked.empty();
        if (!all_read && own.disk.batches > 0) return false;
        for (const auto& [seq, held] : own.live)
            expected += held.stored ? 1 : 0;
        counted += own.disk.batches;
    }
    return counted > expected;
}

// Goes on where the notes of the database say.
Result<void> StoredBuffer::resume_salvage() {
    knows_rows_ = true;
    if (salvage_) return {};
    const auto notes = SalvageNotes::read(*database_);
    if (!notes) return notes.error();
    if (*notes) salvage_ = std::make_unique<Salvage>(file_, **notes);
    return {};
}

// An acknowledged batch whose row has yet to come is kept from coming.
bool StoredBuffer::leave_out_of_salvage(const BatchHeader& header) {
    if (!salvage_ || !salvage_->is_ahead(header.priority, header.seq)) return false;
    salvage_->leave_out(header.seq, readings_held(header));
    return true;
}

// False: there is nothing to do, or it can't go on now.
bool StoredBuffer::salvage_some() {
    // What memory had is on disk before the salvage comes to where it was.
    if (std::exchange(requeued_, false)) commit(Scope::all);
    if (retry_at_ || !salvage_) return false;
    auto slice = salvage_->step(database_->budget().transaction_bytes);
    if (!slice) return true;
    std::int64_t cost = 0;
    for (const Batch& batch : slice->batches)
        cost += BatchDatabase::row_cost(batch.body.size());
    // The fresh buffer may have lived for less; nothing may look older than it for that.
    for (Batch& batch : slice->batches)
        batch.header.arrived_s = std::min(batch.header.arrived_s, lived_s());
    const auto free = database_->free_pages();
    // What is sent from it makes room.
    if (free && *free < BatchDatabase::pages_for(cost) + extra_pages_) return false;
    in_commit_ = true;
    const auto done = take_slice(*slice);
    in_commit_ = false;
    if (!done) database_failed(done.error());
    return done.has_value();
}

Result<void> StoredBuffer::take_slice(const Salvage::Slice& slice) {
    GapLedger gaps;
    for (const BatchHeader& header : slice.damaged)
        gaps.add(header, {}, GapReason::damaged, [this] { return new_seq(); });
    if (slice.is_last) add_lost(gaps, slice.after);
    auto write = database_->write();
    if (!write) return write.error();
    for (const Batch& batch : slice.batches) {
        const BatchHeader& header = batch.header;
        if (auto done = write->put(batch); !done) return done;
        if (const Refusal* refusal = salvage_->refusal(header.seq)) {
            auto done =
                write->set_aside(header.priority, seq_of_message(header), readings_held(header), *refusal);
            if (!done) return done;
        }
    }
    for (const auto& [key, gap] : gaps.gaps())
        if (auto done = write->put(gap.batch); !done) return done;
    if (salvage_->notes().from == RawReader::Place{})
        for (const auto& [boot, offset_us] : salvage_->wall_offsets())
            if (auto done = write->set_wall_offset(boot, offset_us); !done) return done;
    auto done = slice.is_last ? SalvageNotes::erase(*write) : slice.after.write(*write);
    if (done) done = write->commit();
    if (!done) return done;

    for (const Batch& batch : slice.batches)
        show_row(batch.header);
    oldest_refused_s_ = 0;  // it may be one of these
    for (auto& [key, gap] : gaps.gaps()) {
        show_row(gap.batch.header);
        gap.stored = true;
        gap.changed = false;
    }
    // To be sent with the first chance; one that is in the ledger already keeps its place.
    gaps_.gaps().merge(gaps.gaps());
    dropped_readings_ += slice.after.lost - salvage_->notes().lost;
    salvage_->committed(slice);
    if (slice.is_last) end_salvage();
    refresh_lanes();
    return {};
}

// A row that was added below the cursor.
void StoredBuffer::show_row(const BatchHeader& header) {
    Lane& own = lane(header.priority);
    own.cursor = std::min(own.cursor, header.seq);
    free_ahead(own);
}

// A gap for what is missing without a trace of its own.
void StoredBuffer::add_lost(GapLedger& gaps, const SalvageNotes& notes) {
    if (notes.expected && *notes.expected == 0) return;
    auto header = salvage_->hole();
    if (!header) return;
    header->kind = BatchKind::readings;
    header->count = static_cast<std::uint32_t>(
        std::min<std::uint64_t>(notes.expected.value_or(0), std::numeric_limits<std::uint32_t>::max()));
    if (header->wall_offset_us == 0 && header->last_us == 0) {
        header->first_us = clock_.wall_us();
        header->last_us = header->first_us;
    }
    gaps.add(*header, {}, GapReason::damaged, [this] { return new_seq(); });
}

void StoredBuffer::end_salvage() {
    const SalvageNotes& notes = salvage_->notes();
    const std::uint64_t missing = notes.expected.value_or(0);
    dropped_readings_ += missing;
    std::string text = "saved " + std::to_string(notes.saved) + " readings from the damaged buffer " +
                       damaged_set(file_, notes.set).string();
    const std::uint64_t lost = notes.lost + missing;
    if (lost > 0) text += "; " + std::to_string(lost) + " are lost";
    if (!notes.expected) text += "; how many more are lost is not known";
    if (lost == 0 && notes.expected) text += "; none is lost";
    log_.error(text);
    salvage_.reset();
}

}  // namespace holdfast
