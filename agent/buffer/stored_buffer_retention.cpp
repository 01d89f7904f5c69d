// What StoredBuffer lets go when a bound is reached: size, free disk, age. What is dropped is counted and
// told by a gap record; what is merged is counted and its message says so.
#include <algorithm>

#include "base/journal_id.hpp"
#include "buffer/stored_buffer.hpp"
#include "buffer/thin_rows.hpp"

namespace holdfast {
namespace {

constexpr std::size_t evict_rows = 32;  // before it is looked whether that is enough
constexpr std::size_t thin_together = 64;
// A file this small is no place to make room in when the disk is full: memory holds more.
constexpr std::int64_t least_pages = 256;
constexpr std::chrono::seconds expiry_look_interval{10};

}  // namespace

std::int64_t StoredBuffer::room_needed(const Turn& turn) const {
    return turn.cost == 0 ? 0 : BatchDatabase::pages_for(turn.cost) + extra_pages_;
}

Result<bool> StoredBuffer::has_enough(const Turn& turn) {
    const auto free = database_->free_pages();
    if (!free) return free.error();
    return *free >= room_needed(turn);
}

// The lowest priority goes first, and of a priority what is on disk before what just came: it is older.
Result<void> StoredBuffer::make_room(BatchDatabase::Write& write, Turn& turn) {
    auto enough = has_enough(turn);
    if (!enough) return enough.error();
    if (*enough) return {};
    if (config_.when_full == WhenFull::block) return hold_back(turn);
    if (database_->limited_by_disk() && database_->file_pages() < least_pages)
        return Error{Error::Kind::full, "the disk of " + file_.parent_path().string() +
                                            " is full, or less is free than min_free"};
    if (auto done = drop_refused_for_room(write, turn); !done) return done;
    if (config_.when_full == WhenFull::thin)
        for (const Priority priority : worst_first)
            if (auto done = thin(write, turn, priority); !done) return done;
    const From from = config_.when_full == WhenFull::drop_newest ? From::newest : From::oldest;
    for (const Priority priority : worst_first) {
        if (from == From::newest)
            if (auto done = turn_away(turn, priority, from); !done) return done;
        if (auto done = evict(write, turn, priority, from); !done) return done;
        if (from == From::oldest)
            if (auto done = turn_away(turn, priority, from); !done) return done;
    }
    return {};
}

// Takes in what fits, in order; the rest waits in memory, and the inputs with it.
Result<void> StoredBuffer::hold_back(Turn& turn) {
    while (!turn.inserts.empty()) {
        const auto enough = has_enough(turn);
        if (!enough) return enough.error();
        if (*enough) return {};
        turn.held_back = true;
        turn.planned = turn.inserts.back().entry;
        turn.cost -= BatchDatabase::row_cost(turn.inserts.back().held->batch.body.size());
        turn.inserts.pop_back();
    }
    return {};
}

bool StoredBuffer::may_go(const Turn& turn, Priority priority, std::uint64_t seq) {
    return !lent_.contains(seq) && !lane(priority).acked.contains(seq) && !turn.gaps.has(seq);
}

Result<void> StoredBuffer::drop_rows(BatchDatabase::Write& write, Turn& turn, const BatchDatabase::Rows& rows,
                                     GapReason reason) {
    const auto drop = [&](const BatchHeader& header, std::string_view body, GapReason why) {
        turn.gaps.add(header, body, why, [this] { return new_seq(); });
        turn.dropped_readings += readings_held(header);
        turn.evicted.emplace_back(header.priority, header.seq);
        return write.erase(header.priority, header.seq, readings_held(header));
    };
    for (const Batch& batch : rows.batches)
        if (auto done = drop(batch.header, batch.body, reason); !done) return done;
    for (const BatchHeader& header : rows.damaged)
        if (auto done = drop(header, {}, GapReason::damaged); !done) return done;
    return {};
}

Result<void> StoredBuffer::evict(BatchDatabase::Write& write, Turn& turn, Priority priority, From from) {
    const Lane& own = lane(priority);
    const auto wanted = [&](std::uint64_t seq) { return may_go(turn, priority, seq); };
    const BatchDatabase::ReadLimit limit{evict_rows, database_->budget().transaction_bytes};
    const GapReason reason = database_->limited_by_disk() ? GapReason::disk_full : GapReason::max_size;
    std::uint64_t at = from == From::oldest ? 0 : own.last_row;
    while (from == From::oldest ? at <= own.last_row : at > 0) {
        const auto enough = has_enough(turn);
        if (!enough) return enough.error();
        if (*enough) break;
        auto rows = from == From::oldest ? database_->read(priority, at, own.last_row, limit, wanted)
                                         : database_->read_back(priority, at, limit, wanted);
        if (!rows) return rows.error();
        if (auto done = drop_rows(write, turn, *rows, reason); !done) return done;
        at = rows->next;
    }
    return {};
}

// Drops of what just came until the rest fits.
Result<void> StoredBuffer::turn_away(Turn& turn, Priority priority, From from) {
    const auto free = database_->free_pages();
    if (!free) return free.error();
    const GapReason reason = database_->limited_by_disk() ? GapReason::disk_full : GapReason::max_size;
    const auto too_much = [&](const Turn::Insert& insert) {
        const BatchHeader& header = insert.held->batch.header;
        if (header.priority != priority || lent_.contains(header.seq)) return false;
        if (BatchDatabase::pages_for(turn.cost) + extra_pages_ <= *free) return false;
        turn.cost -= BatchDatabase::row_cost(insert.held->batch.body.size());
        turn.gaps.add(header, insert.held->batch.body, reason, [this] { return new_seq(); });
        turn.dropped_readings += readings_held(header);
        turn.turned_away.emplace_back(priority, header.seq);
        return true;
    };
    std::vector<Turn::Insert>& inserts = turn.inserts;
    if (from == From::newest) std::reverse(inserts.begin(), inserts.end());
    std::vector<Turn::Insert> kept;
    for (const Turn::Insert& insert : inserts)
        if (!too_much(insert)) kept.push_back(insert);
    if (from == From::newest) std::reverse(kept.begin(), kept.end());
    inserts = std::move(kept);
    return {};
}

// Until there is room, or nothing can be made smaller any more.
Result<void> StoredBuffer::thin(BatchDatabase::Write& write, Turn& turn, Priority priority) {
    const Lane& own = lane(priority);
    ThinPass& pass = turn.thinning[index_of(priority)];
    const auto wanted = [&](std::uint64_t seq) { return may_go(turn, priority, seq); };
    while (true) {
        const auto enough = has_enough(turn);
        if (!enough) return enough.error();
        if (*enough) return {};
        auto rows = database_->read(priority, pass.next, own.last_row,
                                    {thin_together, database_->budget().transaction_bytes}, wanted);
        if (!rows) return rows.error();
        const bool too_young =
            !rows->batches.empty() && lived_s() - rows->batches.front().header.arrived_s < pass.points;
        if (rows->batches.empty() || too_young) {
            const bool hopeless = !pass.useful && (pass.points == 0 || (!too_young && !pass.limited));
            if (hopeless) return {};
            pass.points = pass.useful ? std::max<std::int64_t>(pass.points, 1) : pass.points / 4;
            pass.useful = pass.limited = false;
            pass.next = 0;
            continue;
        }
        pass.next = rows->next;
        const std::uint64_t before = turn.thinned_readings;
        if (auto done = thin_rows(write, turn, std::move(rows->batches), pass); !done) return done;
        pass.useful = pass.useful || turn.thinned_readings > before;
    }
}

Result<void> StoredBuffer::thin_rows(BatchDatabase::Write& write, Turn& turn, std::vector<Batch> rows,
                                     ThinPass& pass) {
    const auto most = [&](const BatchHeader& newest) -> std::optional<std::chrono::seconds> {
        if (pass.points == 0) return std::nullopt;
        return std::chrono::seconds((lived_s() - newest.arrived_s) / pass.points);
    };
    Thinned thinned = make_coarser(std::move(rows), most);
    pass.limited = pass.limited || thinned.limited;
    for (Coarser& coarser : thinned.coarser) {
        std::uint64_t readings = 0;
        for (const BatchHeader& old : coarser.replaced) {
            readings += readings_held(old);
            turn.replaced.emplace_back(old.priority, old.seq);
            if (auto done = write.erase(old.priority, old.seq, readings_held(old)); !done) return done;
        }
        // In the places of the last of them, under ids of their own: one of theirs may have been sent.
        auto place = coarser.replaced.end() - static_cast<std::ptrdiff_t>(coarser.batches.size());
        for (Batch& batch : coarser.batches) {
            batch.header.seq = place->seq;
            batch.header.message_seq = new_seq();
            batch.header.arrived_s = place->arrived_s;
            ++place;
            if (auto done = write.put(batch); !done) return done;
            readings -= std::min(readings, readings_held(batch.header));
        }
        turn.thinned_readings += readings;
    }
    return {};
}

std::optional<MonoTime> StoredBuffer::expiry_due() const {
    const auto old_at = [this](std::int64_t arrived_s) {
        const std::int64_t left_s = arrived_s + config_.max_age.count() - lived_s();
        return clock_.now() + std::chrono::seconds(std::max<std::int64_t>(left_s, 0));
    };
    std::optional<MonoTime> due;
    if (oldest_refused_s_) due = old_at(*oldest_refused_s_);
    for (const Lane& own : lanes_) {
        if (own.disk.batches == 0 || !own.oldest_arrived_s) continue;
        const MonoTime lane_due = std::max(next_expiry_look_, old_at(*own.oldest_arrived_s));
        due = due ? std::min(*due, lane_due) : lane_due;
    }
    return due;
}

Result<void> StoredBuffer::expire(BatchDatabase::Write& write, Turn& turn) {
    const std::int64_t limit_s = lived_s() - config_.max_age.count();
    for (const Priority priority : worst_first) {
        const Lane& own = lane(priority);
        if (own.disk.batches == 0 || !own.oldest_arrived_s || *own.oldest_arrived_s > limit_s) continue;
        const auto wanted = [&](std::uint64_t seq) { return may_go(turn, priority, seq); };
        auto rows = database_->read(priority, 0, own.last_row,
                                    {evict_rows, database_->budget().transaction_bytes}, wanted);
        if (!rows) return rows.error();
        // A gap record that is dropped would only be written again.
        std::erase_if(rows->batches, [&](const Batch& batch) {
            return batch.header.arrived_s > limit_s || batch.header.kind == BatchKind::gap;
        });
        const std::uint64_t before = turn.dropped_readings;
        if (auto done = drop_rows(write, turn, *rows, GapReason::max_age); !done) return done;
        turn.expired_readings += turn.dropped_readings - before;
    }
    if (auto done = expire_refused(write, turn, limit_s); !done) return done;
    next_expiry_look_ = turn.expired_readings > 0 ? MonoTime{} : clock_.now() + expiry_look_interval;
    return {};
}

// One line when an episode begins.
void StoredBuffer::tell_what_went(const Turn& turn) {
    if (turn.expired_readings > 0 && !std::exchange(aged_.active, true))
        log_.warning("readings are older than max_age and are dropped");
    aged_.dropped += turn.expired_readings;
    if (turn.refused_readings > 0 && !std::exchange(refused_.active, true))
        log_.warning(
            "more is set aside than there is room for: the oldest messages that the broker refused are "
            "dropped");
    refused_.dropped += turn.refused_readings;
    const std::uint64_t dropped =
        turn.dropped_readings - turn.expired_readings - turn.refused_readings - turn.unwanted_readings;
    if (dropped == 0 && turn.thinned_readings == 0) return;
    full_.dropped += dropped;
    full_.thinned += turn.thinned_readings;
    if (std::exchange(full_.active, true)) return;
    const std::string why =
        database_->limited_by_disk() ? "the disk is full (min_free)" : "the buffer is full (max_size)";
    const std::string what = turn.thinned_readings > 0 ? "the oldest readings are merged into coarser ones"
                             : config_.when_full == WhenFull::drop_newest ? "new readings are dropped"
                                                                          : "the oldest readings are dropped";
    log_.warning(why + ": " + what + ", lowest priority first", {journal_id::buffer_full});
}

}  // namespace holdfast
