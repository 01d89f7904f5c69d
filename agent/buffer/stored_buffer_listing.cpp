// What people ask of StoredBuffer while it works: to show what it holds, and to forget it.
#include <algorithm>

#include "buffer/stored_buffer.hpp"

namespace holdfast {
namespace {

constexpr BatchDatabase::ReadLimit a_page{64, 256 * 1024};

}  // namespace

// What only memory has: batches not yet committed, and gap records that still grow.
void StoredBuffer::list_memory(Listing::Place from, std::map<std::uint64_t, Batch>& found) const {
    const auto consider = [&](std::uint64_t seq, const Batch& batch, bool stored) {
        if (!stored && batch.header.priority == from.priority && seq >= from.seq) found.emplace(seq, batch);
    };
    for (const auto& [seq, held] : lanes_[index_of(from.priority)].live)
        consider(seq, held.batch, held.stored);
    for (const auto& [seq, held] : lent_)
        consider(seq, held.batch, held.stored);
    for (const auto& [key, gap] : gaps_.gaps())
        consider(gap.batch.header.seq, gap.batch, gap.stored && !gap.changed);
}

Listing StoredBuffer::list(Listing::Place from) {
    std::map<std::uint64_t, Batch> found;
    list_memory(from, found);
    const Lane& own = lane(from.priority);
    std::uint64_t end = own.last_row + 1;
    Listing listing;
    listing.whole = database_ != nullptr || own.disk.batches == 0;
    if (database_ && from.seq <= own.last_row) {
        const auto wanted = [&](std::uint64_t seq) {
            return !own.acked.contains(seq) && !found.contains(seq);
        };
        auto rows =
            database_->read(from.priority, from.seq, own.last_row, a_page, wanted, BatchDatabase::Which::all);
        listing.whole = rows.has_value();
        if (!rows) end = own.last_row + 1;
        if (rows) {
            end = rows->next;
            for (Batch& batch : rows->batches)
                found.emplace(batch.header.seq, std::move(batch));
        }
    }
    for (auto& [seq, batch] : found) {
        // Behind a page that is full there may be rows that come before.
        if (end <= own.last_row && seq >= end) break;
        if (listing.batches.size() == a_page.rows) break;
        correct(batch.header);
        listing.batches.push_back(std::move(batch));
    }
    const bool more = end <= own.last_row || listing.batches.size() < found.size();
    if (more)
        listing.next = {from.priority, listing.batches.empty() ? end : listing.batches.back().header.seq + 1};
    else if (from.priority != Priority::low)
        listing.next = {static_cast<Priority>(index_of(from.priority) - 1), 0};
    return listing;
}

std::uint64_t StoredBuffer::purge() {
    if (!to_set_aside_.empty() && !retry_at_) commit(Scope::answers);
    std::uint64_t readings = purge_salvage();
    gaps_.gaps().clear();
    for (const Priority priority : worst_first)
        readings += purge_lane(priority);
    dropped_readings_ += readings;
    log_.warning("the buffer was purged: " + std::to_string(readings) + " readings were deleted");
    return readings;
}

// What a damaged buffer still has is not to come any more.
std::uint64_t StoredBuffer::purge_salvage() {
    if (!salvage_ || !database_ || retry_at_) return 0;
    const auto done = [&]() -> Result<void> {
        auto write = database_->write();
        if (!write) return write.error();
        if (auto erased = SalvageNotes::erase(*write); !erased) return erased;
        return write->commit();
    }();
    if (!done) {
        database_failed(done.error());
        return 0;
    }
    const std::uint64_t readings = salvage_->notes().expected.value_or(0);
    salvage_.reset();
    return readings;
}

// Rows go the way of those that were acknowledged.
std::uint64_t StoredBuffer::purge_lane(Priority priority) {
    Lane& own = lane(priority);
    std::uint64_t readings = 0;
    for (auto at = own.live.begin(); at != own.live.end();) {
        const auto held = at++;
        if (held->second.stored) {
            leave_to_disk(own, own.live, held);
            continue;
        }
        readings += readings_held(held->second.batch.header);
        forget_unstored(own, held);
    }
    free_ahead(own);
    const auto wanted = [&](std::uint64_t seq) { return may_go({}, priority, seq); };
    for (std::uint64_t from = 0; can_read() && from <= own.last_row;) {
        auto rows = database_->read(priority, from, own.last_row, a_page, wanted, BatchDatabase::Which::all);
        if (!rows) {
            database_failed(rows.error());
            break;
        }
        from = rows->next;
        std::vector<BatchHeader> gone = std::move(rows->damaged);
        for (Batch& batch : rows->batches)
            gone.push_back(std::move(batch.header));
        for (const BatchHeader& header : gone) {
            readings += readings_held(header);
            own.acked.emplace(header.seq, readings_held(header));
            own.acked_readings += readings_held(header);
        }
        if (own.acked.size() >= most_deletes && !retry_at_) commit(Scope::answers);
    }
    if (!own.acked.empty() && !retry_at_) commit(Scope::answers);
    return readings;
}

}  // namespace holdfast
