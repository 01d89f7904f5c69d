// StoredBuffer: transactions and eviction.
#include <sys/random.h>

#include <algorithm>
#include <limits>

#include "buffer/stored_buffer.hpp"

namespace holdfast {
namespace {

constexpr std::size_t most_deletes_on_full_disk = 64;
constexpr int most_attempts = 4;

}  // namespace

// Blocks of seqs are reserved on disk before one of them is given out. When that fails for so long that a
// block is used up, the seqs jump by a random distance: the next start goes on where the reserved block ended
// and will not meet them.
std::uint64_t StoredBuffer::new_seq() {
    if (reserve_due() && !retry_at_ && !in_commit_) commit(Scope::answers);
    if (next_seq_ >= reserved_) {
        std::uint64_t random = 0;
        if (::getrandom(&random, sizeof random, 0) != sizeof random)
            random = static_cast<std::uint64_t>(clock_.wall_us());
        next_seq_ += (random >> 24) + seq_block;  // below 2^40
        reserved_ = std::numeric_limits<std::uint64_t>::max();
    }
    return next_seq_++;
}

bool StoredBuffer::reserve_due() const {
    return next_seq_ + seq_block / 2 >= reserved_ || reserved_ == std::numeric_limits<std::uint64_t>::max();
}

bool StoredBuffer::has_work(Scope scope) const {
    const bool acked =
        std::any_of(lanes_.begin(), lanes_.end(), [](const Lane& own) { return !own.acked.empty(); });
    const bool refused = !to_set_aside_.empty() || !to_split_.empty() || !unwanted_.empty();
    return acked || refused || gaps_.changed() ||
           (scope == Scope::all && unstored_batches_ > 0 && !held_back_);
}

void StoredBuffer::commit(Scope scope) {
    int attempts = 0;
    do {
        auto done = commit_once(scope);
        if (done) {
            attempts = 0;
            database_works();
        } else if (done.error().kind == Error::Kind::full && ++attempts < most_attempts && at_own_limit()) {
            extra_pages_ = std::min(2 * extra_pages_ + 16, database_->budget().database_pages / 16);
        } else {
            return database_failed(done.error());
        }
    } while (has_work(scope));
}

// Whether it was max_size that was reached, and not the end of the disk.
bool StoredBuffer::at_own_limit() {
    const auto free = database_->pages_to_max_size();
    return free && !database_->limited_by_disk() && !database_->short_of_disk() &&
           *free < BatchDatabase::pages_for(
                       static_cast<std::int64_t>(2 * database_->budget().transaction_bytes)) +
                       extra_pages_;
}

Result<void> StoredBuffer::commit_once(Scope scope) {
    in_commit_ = true;
    database_->look_at_disk(config_.min_free);
    Turn turn = plan(scope);
    auto done = [&]() -> Result<void> {
        auto write = database_->write();
        if (!write) return write.error();
        if (auto written = write_turn(*write, turn); !written) return written;
        auto committed = write->commit();
        if (!committed) doubt(turn);
        return committed;
    }();
    in_commit_ = false;
    if (done) apply(turn);
    return done;
}

void StoredBuffer::doubt(const Turn& turn) {
    for (const Turn::Insert& insert : turn.inserts) {
        const BatchHeader& header = insert.held->batch.header;
        in_doubt_[header.seq] = {header.priority, readings_held(header)};
    }
    for (const Held* aside : turn.aside)
        if (!aside->stored)
            in_doubt_[aside->batch.header.seq] = {aside->batch.header.priority,
                                                  readings_held(aside->batch.header)};
}

StoredBuffer::Turn StoredBuffer::plan(Scope scope) {
    Turn turn;
    turn.gaps = gaps_;
    turn.oldest_refused_s = oldest_refused_s_;
    const std::size_t deletes = database_->short_of_disk() ? most_deletes_on_full_disk : most_deletes;
    for (const Priority priority : worst_first) {
        turn.thinning[index_of(priority)] = lane(priority).thinning;
        for (const auto& [seq, readings] : lane(priority).acked) {
            if (turn.acked.size() == deletes) break;
            turn.acked.emplace_back(priority, seq);
        }
    }
    plan_refused(turn);
    if (scope == Scope::answers) return turn;
    std::uint64_t bytes = 0;
    for (const Unstored& entry : unstored_) {
        if (bytes >= database_->transaction_bytes()) break;
        turn.planned += 1;
        Held* held = find_unstored(entry);
        if (held == nullptr || to_set_aside_.contains(entry.seq)) continue;
        turn.inserts.push_back({held, turn.planned - 1});
        turn.cost += BatchDatabase::row_cost(held->batch.body.size());
        bytes += held->batch.body.size();
    }
    return turn;
}

Result<void> StoredBuffer::write_turn(BatchDatabase::Write& write, Turn& turn) {
    for (const auto& [priority, seq] : turn.acked)
        if (auto done = write.erase(priority, seq, lane(priority).acked.at(seq)); !done) return done;
    if (auto done = take_apart(write, turn); !done) return done;
    if (auto done = drop_unwanted(write, turn); !done) return done;
    if (auto done = expire(write, turn); !done) return done;
    if (auto done = make_room(write, turn); !done) return done;
    for (const Turn::Insert& insert : turn.inserts)
        if (auto done = write.put(insert.held->batch); !done) return done;
    if (auto done = put_parts(write, turn); !done) return done;
    if (auto done = put_aside(write, turn); !done) return done;
    if (auto done = write_gaps(write, turn); !done) return done;
    if (auto done = write_clocks(write, turn); !done) return done;
    // While the disk failed, it is a write that shows whether it works again.
    if (!reserve_due() && !retry_at_) return {};
    turn.reserved = next_seq_ + seq_block;
    return write.reserve(turn.reserved);
}

Result<void> StoredBuffer::write_gaps(BatchDatabase::Write& write, Turn& turn) {
    for (auto& [key, gap] : turn.gaps.gaps()) {
        if (!gap.changed) continue;
        if (gap.stored)
            if (auto done = write.erase(gap.batch.header.priority, gap.batch.header.seq, 0); !done)
                return done;
        if (auto done = write.put(gap.batch); !done) return done;
    }
    return {};
}

void StoredBuffer::apply(Turn& turn) {
    in_doubt_.clear();  // it was written over what a failed commit left
    for (const Turn::Insert& insert : turn.inserts)
        now_stored(*insert.held);
    for (const auto& [priority, seq] : turn.turned_away)
        forget_unstored(lane(priority), lane(priority).live.find(seq));
    unstored_.erase(unstored_.begin(), unstored_.begin() + static_cast<std::ptrdiff_t>(turn.planned));
    if (unstored_batches_ == 0) earliest_unstored_ = MonoTime::max();
    for (const auto& [priority, seq] : turn.acked)
        forget_acked(lane(priority), seq);
    apply_refused(turn);
    for (const auto& [priority, seq] : turn.evicted)
        forget_copies(priority, seq);
    for (const auto& [priority, seq] : turn.replaced) {
        forget_copies(priority, seq);
        lane(priority).cursor = std::min(lane(priority).cursor, seq);
    }
    for (const Priority priority : worst_first)
        lane(priority).thinning = turn.thinning[index_of(priority)];
    for (auto& [key, gap] : turn.gaps.gaps()) {
        gap.stored = true;
        gap.changed = false;
    }
    gaps_ = std::move(turn.gaps);
    oldest_refused_s_ = turn.oldest_refused_s;
    if (turn.reserved > 0) reserved_ = turn.reserved;
    dropped_readings_ += turn.dropped_readings;
    thinned_readings_ += turn.thinned_readings;
    wall_offset_stored_ = wall_offset_us_.has_value();
    held_back_ = turn.held_back;
    tell_what_went(turn);
    refresh_lanes();
}

void StoredBuffer::forget_copies(Priority priority, std::uint64_t seq) {
    sent_unsynchronised_.erase(seq);
    for (Pool* pool : {&lane(priority).live, &lane(priority).ahead})
        if (const auto held = pool->find(seq); held != pool->end()) {
            memory_bytes_ -= held->second.memory();
            pool->erase(held);
        }
}

void StoredBuffer::now_stored(Held& held) {
    const BatchHeader& header = held.batch.header;
    held.stored = true;
    unstored_batches_ -= 1;
    unstored_readings_ -= readings_held(header);
    unstored_bytes_ -= held.batch.body.size();
    if (!lent_.contains(header.seq)) return;
    memory_bytes_ -= held.memory();
    held.batch.body = std::string();
}

void StoredBuffer::refresh_lanes() {
    bool acked = false;
    const std::uint64_t refused = database_->refused().rows().size();
    const bool same_refused = std::exchange(refused_before_, refused) == refused;
    for (const Priority priority : worst_first) {
        Lane& own = lane(priority);
        const Totals before = std::exchange(own.disk, database_->totals(priority));
        own.last_row = database_->last_seq(priority);
        acked = acked || !own.acked.empty();
        if (own.disk.batches == 0) own.oldest_wall_us.reset();
        if (own.disk.batches == 0 || (own.disk == before && same_refused)) continue;
        // Rows are added at the end: the first one is another only after some were deleted or set aside, or
        // when there was none.
        auto first = database_->read(priority, 0, own.last_row, {1, 1}, [](std::uint64_t) { return true; });
        if (first && first->batches.empty() && first->damaged.empty()) {
            own.oldest_wall_us.reset();
            own.oldest_arrived_s.reset();
        }
        if (!first || first->batches.empty()) continue;
        BatchHeader& header = first->batches[0].header;
        correct(header);
        own.oldest_wall_us.reset();
        if (header.kind != BatchKind::gap) own.oldest_wall_us = header.first_us + header.wall_offset_us;
        own.oldest_arrived_s = header.arrived_s;
    }
    if (!acked)
        first_ack_.reset();
    else
        first_ack_ = clock_.now();
}

// Whatever waits is written, also after a fault that passes, a database that was replaced meanwhile, or for
// want of room: beyond max_size then, by no more than memory holds.
void StoredBuffer::commit_last() {
    for (int attempt = 0; attempt < most_attempts; ++attempt) {
        if (retry_at_)
            try_again();
        else
            commit(Scope::all);
        if (held_back_ && database_) {
            database_->lift_limit();
            held_back_ = false;
        } else if (!retry_at_ && !has_work(Scope::all)) {
            return;
        }
    }
}

Result<void> StoredBuffer::close() {
    commit_last();
    Result<void> done;
    if (retry_at_ || unstored_batches_ > 0) {
        done = Error{Error::Kind::retry,
                     std::to_string(unstored_readings_) +
                         " readings could not be written to the buffer and are lost: " + last_error_};
    } else {
        done = mark_clean();
        if (!done) done = mark_clean();
    }
    if (full_.active)
        log_.info(std::to_string(full_.dropped) + " readings were dropped since the buffer was full");
    // The WAL is merged here and not by the close that follows, so that its writes are counted. If it fails,
    // the WAL stays.
    if (database_) (void)database_->truncate_wal();
    if (database_) written_before_ += database_->written_bytes();
    database_.reset();
    return done;
}

Result<void> StoredBuffer::mark_clean() {
    auto write = database_->write();
    if (!write) return write.error();
    if (auto done = write->reserve(next_seq_); !done) return done;
    if (auto done = write->set_lived(std::chrono::seconds(lived_s())); !done) return done;
    if (auto done = keep_sent_clocks(*write); !done) return done;
    if (auto done = write->mark_clean(); !done) return done;
    return write->commit();
}

}  // namespace holdfast
