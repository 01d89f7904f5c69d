// The other half of StoredBuffer: transactions, eviction, and what happens when the disk fails.
#include <sys/random.h>

#include <algorithm>
#include <limits>

#include "buffer/salvage.hpp"
#include "buffer/stored_buffer.hpp"

namespace holdfast {
namespace {

constexpr Priority worst_first[] = {Priority::low, Priority::normal, Priority::high};

constexpr std::uint64_t seq_block = 1'000'000;
constexpr std::size_t most_deletes = 1'000;  // in one transaction
constexpr std::size_t evict_rows = 32;       // before it is looked whether that is enough
constexpr int most_attempts = 4;

std::uint64_t saturating_subtract(std::uint64_t a, std::uint64_t b) {
    return a > b ? a - b : 0;
}

}  // namespace

void StoredBuffer::start() {
    refresh_lanes();
    if (auto done = commit_once(Scope::deletions); !done) return database_failed(done.error());
    // In the database file itself, so that a WAL that gets lost can't bring back seqs that were given out.
    if (auto done = database_->truncate_wal(); !done) database_failed(done.error());
}

// Blocks of seqs are reserved on disk before one of them is given out. When that fails for so long that a
// block is used up, the seqs jump by a random distance: the next start goes on where the reserved block ended
// and will not meet them.
std::uint64_t StoredBuffer::new_seq() {
    if (reserve_due() && !retry_at_ && !in_commit_) commit(Scope::deletions);
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
    return acked || gaps_.changed() || (scope == Scope::all && unstored_batches_ > 0);
}

void StoredBuffer::commit(Scope scope) {
    int attempts = 0;
    do {
        auto done = commit_once(scope);
        if (done) {
            attempts = 0;
            database_works();
        } else if (done.error().kind == Error::Kind::full && ++attempts < most_attempts && at_own_limit()) {
            extra_pages_ = 2 * extra_pages_ + 16;
        } else {
            return database_failed(done.error());
        }
    } while (has_work(scope));
}

// Whether it was max_size that was reached, and not the end of the disk.
bool StoredBuffer::at_own_limit() {
    const auto free = database_->free_pages();
    return free && *free < BatchDatabase::pages_for(
                               static_cast<std::int64_t>(2 * database_->budget().transaction_bytes)) +
                               extra_pages_;
}

Result<void> StoredBuffer::commit_once(Scope scope) {
    in_commit_ = true;
    Turn turn = plan(scope);
    auto done = [&]() -> Result<void> {
        auto write = database_->write();
        if (!write) return write.error();
        if (auto written = write_turn(*write, turn); !written) return written;
        return write->commit();
    }();
    in_commit_ = false;
    if (done) apply(turn);
    return done;
}

StoredBuffer::Turn StoredBuffer::plan(Scope scope) {
    Turn turn;
    turn.gaps = gaps_;
    for (const Priority priority : worst_first)
        for (const auto& [seq, readings] : lane(priority).acked) {
            if (turn.acked.size() == most_deletes) break;
            turn.acked.emplace_back(priority, seq);
        }
    if (scope == Scope::deletions) return turn;
    std::uint64_t bytes = 0;
    for (const Unstored& entry : unstored_) {
        if (bytes >= database_->budget().transaction_bytes) break;
        turn.planned += 1;
        Held* held = find_unstored(entry);
        if (held == nullptr) continue;
        turn.inserts.push_back(held);
        turn.cost += BatchDatabase::row_cost(held->batch.body.size());
        bytes += held->batch.body.size();
    }
    return turn;
}

Result<void> StoredBuffer::write_turn(BatchDatabase::Write& write, Turn& turn) {
    for (const auto& [priority, seq] : turn.acked)
        if (auto done = write.erase(priority, seq, lane(priority).acked.at(seq)); !done) return done;
    if (auto done = make_room(write, turn); !done) return done;
    for (auto& [key, gap] : turn.gaps.gaps()) {
        if (!gap.changed) continue;
        if (gap.stored)
            if (auto done = write.erase(gap.batch.header.priority, gap.batch.header.seq, 0); !done)
                return done;
        if (auto done = write.put(gap.batch); !done) return done;
    }
    for (const Held* held : turn.inserts)
        if (auto done = write.put(held->batch); !done) return done;
    // While the disk failed, it is a write that shows whether it works again.
    if (!reserve_due() && !retry_at_) return {};
    turn.reserved = next_seq_ + seq_block;
    return write.reserve(turn.reserved);
}

// The lowest priority goes first, and of a priority what is on disk before what just came: it is older.
Result<void> StoredBuffer::make_room(BatchDatabase::Write& write, Turn& turn) {
    for (const Priority priority : worst_first) {
        auto free = database_->free_pages();
        if (!free) return free.error();
        const auto need = [&] { return BatchDatabase::pages_for(turn.cost) + extra_pages_; };
        if (turn.inserts.empty() ? *free >= 0 : *free >= need()) return {};
        if (auto done = evict(write, turn, priority, need()); !done) return done;
        free = database_->free_pages();
        if (!free) return free.error();
        refuse(turn, priority, *free);
    }
    return {};
}

Result<void> StoredBuffer::evict(BatchDatabase::Write& write, Turn& turn, Priority priority,
                                 std::int64_t need) {
    const Lane& own = lane(priority);
    const auto wanted = [&](std::uint64_t seq) {
        return !lent_.contains(seq) && !own.acked.contains(seq) && !turn.gaps.has(seq);
    };
    const auto drop_row = [&](const BatchHeader& header, std::string_view body, GapReason reason) {
        turn.gaps.add(header, body, reason, [this] { return new_seq(); });
        turn.dropped_readings += readings_held(header);
        turn.evicted.emplace_back(priority, header.seq);
        return write.erase(priority, header.seq, readings_held(header));
    };
    for (std::uint64_t from = 0; from <= own.last_row;) {
        const auto free = database_->free_pages();
        if (!free) return free.error();
        if (*free >= need) break;
        auto rows = database_->read(priority, from, own.last_row,
                                    {evict_rows, database_->budget().transaction_bytes}, wanted);
        if (!rows) return rows.error();
        for (const Batch& batch : rows->batches)
            if (auto done = drop_row(batch.header, batch.body, GapReason::max_size); !done) return done;
        for (const BatchHeader& header : rows->damaged)
            if (auto done = drop_row(header, {}, GapReason::damaged); !done) return done;
        from = rows->next;
    }
    return {};
}

// Drops what just came, the oldest first, until the rest fits.
void StoredBuffer::refuse(Turn& turn, Priority priority, std::int64_t free) {
    const auto too_much = [&](const Held* held) {
        const BatchHeader& header = held->batch.header;
        if (header.priority != priority || lent_.contains(header.seq)) return false;
        if (BatchDatabase::pages_for(turn.cost) + extra_pages_ <= free) return false;
        turn.cost -= BatchDatabase::row_cost(held->batch.body.size());
        turn.gaps.add(header, held->batch.body, GapReason::max_size, [this] { return new_seq(); });
        turn.dropped_readings += readings_held(header);
        turn.refused.emplace_back(priority, header.seq);
        return true;
    };
    std::vector<Held*> kept;
    for (Held* held : turn.inserts)
        if (!too_much(held)) kept.push_back(held);
    turn.inserts = std::move(kept);
}

void StoredBuffer::apply(Turn& turn) {
    for (Held* held : turn.inserts)
        now_stored(*held);
    for (const auto& [priority, seq] : turn.refused)
        forget_unstored(lane(priority), lane(priority).live.find(seq));
    unstored_.erase(unstored_.begin(), unstored_.begin() + static_cast<std::ptrdiff_t>(turn.planned));
    if (unstored_batches_ == 0) earliest_unstored_ = MonoTime::max();
    for (const auto& [priority, seq] : turn.acked)
        forget_acked(lane(priority), seq);
    for (const auto& [priority, seq] : turn.evicted)
        for (Pool* pool : {&lane(priority).live, &lane(priority).ahead})
            if (const auto held = pool->find(seq); held != pool->end()) {
                memory_bytes_ -= held->second.memory();
                pool->erase(held);
            }
    for (auto& [key, gap] : turn.gaps.gaps()) {
        gap.stored = true;
        gap.changed = false;
    }
    gaps_ = std::move(turn.gaps);
    if (turn.reserved > 0) reserved_ = turn.reserved;
    dropped_readings_ += turn.dropped_readings;
    if (turn.dropped_readings > 0 && !std::exchange(full_.active, true))
        log_.warning("the buffer is full (max_size): the oldest readings are dropped, lowest priority first");
    full_.readings += turn.dropped_readings;
    refresh_lanes();
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
    for (const Priority priority : worst_first) {
        Lane& own = lane(priority);
        const Totals before = std::exchange(own.disk, database_->totals(priority));
        own.last_row = database_->last_seq(priority);
        acked = acked || !own.acked.empty();
        if (own.disk.batches == 0) own.oldest_wall_us.reset();
        if (own.disk.batches == 0 || own.disk == before) continue;
        // Rows are added at the end: the first one is another only after some were deleted, or when there was
        // none.
        auto first = database_->read(priority, 0, own.last_row, {1, 1}, [](std::uint64_t) { return true; });
        if (first && !first->batches.empty())
            own.oldest_wall_us = first->batches[0].header.first_us + first->batches[0].header.wall_offset_us;
    }
    if (!acked)
        first_ack_.reset();
    else
        first_ack_ = clock_.now();
}

void StoredBuffer::database_failed(const Error& error) {
    Error why = error;
    if (why.kind == Error::Kind::corrupt && database_) {
        auto rebuilt = rebuild(why);
        if (rebuilt) return;
        why = rebuilt.error();
    }
    if (!retry_at_)
        log_.error("cannot write the buffer (" + why.text +
                   "): readings are kept in memory, the oldest are dropped when it is full");
    last_error_ = why.text;
    reopen_ = why.kind != Error::Kind::full;
    retry_at_ = clock_.now() + backoff_.next(std::chrono::milliseconds(500));
}

void StoredBuffer::database_works() {
    if (!retry_at_) return;
    log_.info("the buffer can be written again; " + std::to_string(lost_in_memory_) +
              " readings were dropped meanwhile");
    lost_in_memory_ = 0;
    last_error_.clear();
    retry_at_.reset();
    backoff_.reset();
}

void StoredBuffer::try_again() {
    if (!database_ || reopen_)
        if (auto opened = reopen(); !opened) return database_failed(opened.error());
    commit(Scope::all);
}

void StoredBuffer::leave_database() {
    if (!database_) return;
    written_before_ += database_->written_bytes();
    database_->abandon();
    database_.reset();
}

Result<void> StoredBuffer::reopen() {
    leave_database();
    auto opened = BatchDatabase::open(file_, config_.max_size);
    if (!opened && opened.error().kind == Error::Kind::corrupt) return rebuild(opened.error());
    if (!opened) return opened.error();
    return take_over(std::move(*opened));
}

Result<void> StoredBuffer::rebuild(const Error& damage) {
    leave_database();
    auto fresh = replace_damaged(file_, config_.max_size, damage, log_);
    if (!fresh) return fresh.error();
    return take_over(std::move(*fresh));
}

// Ids go on as they were: the forwarder was told our epoch, and what was reserved in memory holds.
Result<void> StoredBuffer::take_over(std::unique_ptr<BatchDatabase> database) {
    auto write = database->write();
    if (!write) return write.error();
    const std::uint64_t reserved = next_seq_ + seq_block;
    auto done = write->adopt(epoch_);
    if (done) done = write->reserve(reserved);
    if (done) done = write->commit();
    if (!done) return done;
    database_ = std::move(database);
    reserved_ = reserved;
    return reconcile();
}

// Finds out which of the rows we believe in are there, and counts the rest as lost.
Result<void> StoredBuffer::reconcile() {
    std::uint64_t held_before = 0;
    std::uint64_t held_after = 0;
    std::uint64_t requeued = 0;
    for (const Priority priority : worst_first) {
        Lane& own = lane(priority);
        held_before += own.disk.readings - own.acked_readings;
        free_ahead(own);
        own.cursor = 0;
        const auto is_gone = [&](std::uint64_t seq) {
            return !database_->contains(priority, seq).value_or(false);
        };
        for (auto at = own.acked.begin(); at != own.acked.end();) {
            const std::uint64_t seq = (at++)->first;
            if (is_gone(seq)) forget_acked(own, seq);
        }
        for (auto& [seq, held] : own.live) {
            if (!held.stored || !is_gone(seq)) continue;
            held.stored = false;
            requeued += readings_held(held.batch.header);
            queue_unstored(held);
        }
        std::erase_if(lent_, [&](const auto& entry) {
            return entry.second.stored && entry.second.batch.header.priority == priority &&
                   is_gone(entry.first);
        });
        held_after += database_->totals(priority).readings - own.acked_readings;
    }
    for (auto& [key, gap] : gaps_.gaps())
        if (gap.stored && !database_->contains(Priority::high, gap.batch.header.seq).value_or(false)) {
            gap.stored = false;
            gap.changed = true;
        }
    std::sort(unstored_.begin(), unstored_.end(),
              [](const Unstored& a, const Unstored& b) { return a.seq < b.seq; });
    const std::uint64_t lost = saturating_subtract(held_before, requeued + held_after);
    dropped_readings_ += lost;
    if (lost > 0) log_.error(std::to_string(lost) + " readings were lost with the damaged buffer");
    refresh_lanes();
    return {};
}

Result<void> StoredBuffer::close() {
    if (retry_at_)
        try_again();
    else
        commit(Scope::all);
    // A database that turned out damaged was replaced by a fresh one, which does not have the rest yet.
    for (int attempt = 0; attempt < most_attempts && !retry_at_ && has_work(Scope::all); ++attempt)
        commit(Scope::all);
    Result<void> done;
    if (retry_at_ || unstored_batches_ > 0) {
        done = Error{Error::Kind::retry,
                     std::to_string(unstored_readings_) +
                         " readings could not be written to the buffer and are lost: " + last_error_};
    } else {
        done = mark_clean();
    }
    if (full_.active)
        log_.info(std::to_string(full_.readings) + " readings were dropped since the buffer was full");
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
    if (auto done = write->mark_clean(); !done) return done;
    return write->commit();
}

}  // namespace holdfast
