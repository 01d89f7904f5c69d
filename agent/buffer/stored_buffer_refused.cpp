// What the broker does not take: StoredBuffer sets it aside, marked in the database, or replaces it by
// smaller batches.
#include <algorithm>
#include <limits>

#include "base/utf8.hpp"
#include "buffer/stored_buffer.hpp"
#include "model/split.hpp"

namespace holdfast {
namespace {

// Of what is set aside; the rest of max_size is for what can be sent.
constexpr std::size_t most_refused = 10'000;
constexpr std::uint64_t refused_share = 4;
// Of what waits for a disk that can't be written.
constexpr std::size_t most_waiting_refusals = 1'000;
constexpr std::size_t most_at_once = 1'000;  // in one transaction
constexpr std::int64_t mark_cost = 128;
constexpr std::size_t expire_together = 32;
constexpr std::size_t listed_rows = 64;
constexpr std::size_t listed_bytes = 256 * 1024;

bool any_row(std::uint64_t) {
    return true;
}

// No part was sent yet, so their times may still be corrected.
void may_be_corrected(std::vector<Batch>& parts) {
    for (Batch& part : parts)
        if (part.header.clock == ClockState::sent_unsynchronised)
            part.header.clock = ClockState::unsynchronised;
}

Refusal unsplittable(std::uint64_t seq, const std::string& why) {
    return {seq, 0, "the message is too large for the broker and can't be split: " + why};
}

}  // namespace

// --- set aside

void StoredBuffer::set_aside(Refusal refusal) {
    const auto at = lent_.find(refusal.seq);
    if (at == lent_.end() || is_settled(refusal.seq)) return;
    refused_inputs_.insert(at->second.batch.header.input);
    refusal.wall_us = clock_.wall_us();
    refusal.text = first_bytes(refusal.text, refused_mark::most_reason_bytes);
    to_set_aside_.emplace(refusal.seq, std::move(refusal));
    if (!first_ack_) first_ack_ = clock_.now();
    bound_waiting_refusals();
}

// While the disk can't be written. The oldest are dropped.
void StoredBuffer::bound_waiting_refusals() {
    const auto too_many = [&] {
        return to_set_aside_.size() > most_waiting_refusals ||
               (config_.when_full != WhenFull::block && memory_bytes_ > config_.memory.count);
    };
    while (retry_at_ && !to_set_aside_.empty() && too_many()) {
        const auto lent = lent_.find(to_set_aside_.begin()->first);
        to_set_aside_.erase(to_set_aside_.begin());
        if (lent == lent_.end()) continue;
        const Batch& batch = lent->second.batch;
        gaps_.add(batch.header, batch.body, GapReason::refused, [this] { return new_seq(); });
        dropped_readings_ += readings_held(batch.header);
        lost_in_memory_ += readings_held(batch.header);
        no_longer_held(lent);
    }
}

void StoredBuffer::plan_refused(Turn& turn) {
    std::uint64_t bytes = 0;
    for (const auto& [seq, refusal] : to_set_aside_) {
        if (turn.aside.size() == most_at_once || bytes >= database_->transaction_bytes()) break;
        const auto lent = lent_.find(seq);
        if (lent == lent_.end()) continue;
        turn.aside.push_back(&lent->second);
        turn.cost += mark_cost;
        if (lent->second.stored) continue;
        bytes += lent->second.batch.body.size();
        turn.cost += BatchDatabase::row_cost(lent->second.batch.body.size());
    }
    turn.unwanted.assign(unwanted_.begin(), unwanted_.begin() + static_cast<std::ptrdiff_t>(std::min(
                                                                    unwanted_.size(), most_at_once)));
}

// The row, if it is not there yet, and its mark; then as many of the oldest go as are beyond the bound.
Result<void> StoredBuffer::put_aside(BatchDatabase::Write& write, Turn& turn) {
    for (const Held* held : turn.aside) {
        const BatchHeader& header = held->batch.header;
        if (!held->stored)
            if (auto done = write.put(held->batch); !done) return done;
        // It was sent with the times that it has.
        if (sent_unsynchronised_.contains(header.seq))
            if (auto done = write.keep_clock(header.priority, header.seq); !done) return done;
        auto done = write.set_aside(header.priority, seq_of_message(header), readings_held(header),
                                    to_set_aside_.at(header.seq));
        if (!done) return done;
        if (readings_held(header) > 0)
            turn.oldest_refused_s =
                std::min(turn.oldest_refused_s.value_or(header.arrived_s), header.arrived_s);
    }
    if (turn.aside.empty()) return {};
    const RefusedMarks& refused = database_->refused();
    while (refused.rows().size() > most_refused || refused.bytes() > config_.max_size.count / refused_share)
        if (auto done = drop_oldest_refused(write, turn); !done) return done;
    return {};
}

Result<void> StoredBuffer::drop_refused_for_room(BatchDatabase::Write& write, Turn& turn) {
    while (!database_->refused().rows().empty()) {
        const auto enough = has_enough(turn);
        if (!enough) return enough.error();
        if (*enough) return {};
        if (auto done = drop_oldest_refused(write, turn); !done) return done;
    }
    return {};
}

Result<void> StoredBuffer::drop_oldest_refused(BatchDatabase::Write& write, Turn& turn) {
    const auto dropped =
        drop_refused(write, turn, database_->refused().rows().begin()->first, GapReason::refused);
    if (!dropped) return dropped.error();
    turn.refused_readings += *dropped;
    return {};
}

// Returns the readings.
Result<std::uint64_t> StoredBuffer::drop_refused(BatchDatabase::Write& write, Turn& turn, std::uint64_t seq,
                                                 GapReason reason) {
    const Priority priority = database_->refused().rows().at(seq).priority;
    auto rows = database_->read(priority, seq, seq, {1, 1}, any_row, BatchDatabase::Which::all);
    if (!rows) return rows.error();
    const std::uint64_t before = turn.dropped_readings;
    const bool is_gone = rows->batches.empty() && rows->damaged.empty();
    auto done = is_gone ? write.take_back(seq) : drop_rows(write, turn, *rows, reason);
    if (!done) return done.error();
    return turn.dropped_readings - before;
}

// What is set aside gets too old as well. Looked at only when one is due: each look reads rows.
Result<void> StoredBuffer::expire_refused(BatchDatabase::Write& write, Turn& turn, std::int64_t limit_s) {
    if (database_->refused().rows().empty()) turn.oldest_refused_s.reset();
    if (!turn.oldest_refused_s || *turn.oldest_refused_s > limit_s) return {};
    turn.oldest_refused_s.reset();
    std::vector<std::uint64_t> old;
    for (const auto& [seq, row] : database_->refused().rows()) {
        if (row.readings == 0) continue;  // a gap record that is dropped would only be written again
        if (old.size() == expire_together) {
            turn.oldest_refused_s = 0;  // to be looked at in the next transaction
            break;
        }
        auto found = database_->read(row.priority, seq, seq, {1, 1}, any_row, BatchDatabase::Which::all);
        if (!found) return found.error();
        // A row that is damaged or gone has no age, and must not keep those behind it.
        if (!found->batches.empty() && found->batches.front().header.arrived_s > limit_s) {
            turn.oldest_refused_s = found->batches.front().header.arrived_s;
            break;
        }
        old.push_back(seq);
    }
    for (const std::uint64_t seq : old) {
        const auto dropped = drop_refused(write, turn, seq, GapReason::max_age);
        if (!dropped) return dropped.error();
        turn.expired_readings += *dropped;
    }
    return {};
}

// A gap record that nobody wants leaves none of its own.
Result<void> StoredBuffer::drop_unwanted(BatchDatabase::Write& write, Turn& turn) {
    for (const std::uint64_t seq : turn.unwanted) {
        const auto known = database_->refused().rows().find(seq);
        if (known == database_->refused().rows().end()) continue;
        if (known->second.readings == 0) {
            if (auto done = write.erase(known->second.priority, seq, 0); !done) return done;
            continue;
        }
        const auto dropped = drop_refused(write, turn, seq, GapReason::refused);
        if (!dropped) return dropped.error();
        turn.unwanted_readings += *dropped;
    }
    return {};
}

// --- split

void StoredBuffer::split(const Oversize& oversize) {
    const auto at = lent_.find(oversize.seq);
    if (at == lent_.end() || is_settled(oversize.seq)) return;
    // Its body is on disk, and so the parts go there in its place.
    if (at->second.stored) {
        to_split_.emplace(oversize.seq, oversize.room);
        return;
    }
    auto parts = split_batch(at->second.batch, oversize.room);
    if (!parts) return set_aside(unsplittable(oversize.seq, parts.error().text));
    split_in_memory(at, std::move(*parts));
}

// Nothing of it is on disk: the parts wait for that as long as the whole would have.
void StoredBuffer::split_in_memory(Pool::iterator at, std::vector<Batch> parts) {
    Lane& own = lane(at->second.batch.header.priority);
    no_longer_held(at);
    may_be_corrected(parts);
    for (Batch& part : parts) {
        const std::uint64_t seq = part.header.seq = new_seq();
        const auto place = own.live.emplace_hint(own.live.end(), seq, Held{std::move(part)});
        queue_unstored(place->second);
        memory_bytes_ += place->second.memory();
        own.first.insert(seq);
    }
}

// As many as one transaction takes: the rows of the wholes go, and parts with seqs of their own come.
Result<void> StoredBuffer::take_apart(BatchDatabase::Write& write, Turn& turn) {
    std::uint64_t bytes = 0;
    for (const auto& [seq, room] : to_split_) {
        if (bytes >= database_->transaction_bytes()) break;
        const auto lent = lent_.find(seq);
        if (lent == lent_.end()) continue;
        Split split{lent->second.batch.header, {}, {}};
        const Priority priority = split.whole.priority;
        auto rows = database_->read(priority, seq, seq, {1, 1}, any_row, BatchDatabase::Which::all);
        if (!rows) return rows.error();
        if (!rows->batches.empty()) {
            auto parts = split_batch(rows->batches.front(), room);
            if (parts)
                split.parts = std::move(*parts);
            else
                split.why_not = parts.error().text;
        }
        may_be_corrected(split.parts);
        for (Batch& part : split.parts) {
            part.header.seq = new_seq();
            turn.cost += BatchDatabase::row_cost(part.body.size());
            bytes += part.body.size();
        }
        if (!split.parts.empty())
            if (auto done = write.erase(priority, seq, readings_held(split.whole)); !done) return done;
        turn.splits.push_back(std::move(split));
    }
    return {};
}

Result<void> StoredBuffer::put_parts(BatchDatabase::Write& write, const Turn& turn) {
    for (const Split& split : turn.splits)
        for (const Batch& part : split.parts)
            if (auto done = write.put(part); !done) return done;
    return {};
}

// --- what was committed

void StoredBuffer::apply_refused(Turn& turn) {
    for (Held* held : turn.aside) {
        const std::uint64_t seq = held->batch.header.seq;
        if (!held->stored) now_stored(*held);
        sent_unsynchronised_.erase(seq);
        to_set_aside_.erase(seq);
        lent_.erase(seq);
    }
    for (Split& split : turn.splits)
        apply_split(split);
    unwanted_.erase(unwanted_.begin(), unwanted_.begin() + static_cast<std::ptrdiff_t>(turn.unwanted.size()));
}

void StoredBuffer::apply_split(Split& split) {
    const std::uint64_t seq = split.whole.seq;
    to_split_.erase(seq);
    Lane& own = lane(split.whole.priority);
    if (!split.why_not.empty()) {
        set_aside(unsplittable(seq, split.why_not));
        return;
    }
    // Of a damaged row there are no parts: the next look at it counts it as lost.
    if (split.parts.empty()) return give_back(seq);
    sent_unsynchronised_.erase(seq);
    lent_.erase(seq);
    for (Batch& part : split.parts) {
        const std::uint64_t part_seq = part.header.seq;
        const auto place = own.live.emplace_hint(own.live.end(), part_seq, Held{std::move(part), true});
        memory_bytes_ += place->second.memory();
        own.first.insert(part_seq);
    }
}

// After rows were found to be gone.
void StoredBuffer::forget_stale_answers() {
    const auto is_stale = [this](const auto& answer) { return !lent_.contains(answer.first); };
    std::erase_if(to_set_aside_, is_stale);
    std::erase_if(to_split_, is_stale);
}

// --- what people ask

Result<RefusedMessage> StoredBuffer::read_refused(std::uint64_t seq, Priority priority) {
    RefusedMessage message;
    BatchHeader& header = message.batch.header;
    auto rows = database_->read(priority, seq, seq, {1, 1}, any_row, BatchDatabase::Which::all);
    if (!rows) return rows.error();
    auto refusal = database_->refusal(seq);
    if (!refusal) return refusal.error();
    if (*refusal) message.refusal = std::move(**refusal);
    if (!rows->batches.empty()) {
        message.batch = std::move(rows->batches.front());
        correct(header);
        return message;
    }
    const RefusedRow& mark = database_->refused().rows().at(seq);
    message.damaged = true;
    header.seq = seq;
    header.message_seq = mark.message_seq;
    header.priority = priority;
    header.count = mark.readings;
    return message;
}

Result<RefusedListing> StoredBuffer::list_refused(std::uint64_t from) {
    if (!to_set_aside_.empty() && !retry_at_) commit(Scope::answers);
    if (!can_read()) return Error{Error::Kind::retry, "the buffer can't be read now: " + last_error_};
    RefusedListing listing;
    std::size_t bytes = 0;
    const auto& rows = database_->refused().rows();
    for (auto row = rows.lower_bound(from); row != rows.end(); ++row) {
        if (listing.messages.size() == listed_rows || bytes >= listed_bytes) {
            listing.next = row->first;
            break;
        }
        auto message = read_refused(row->first, row->second.priority);
        if (!message) return message.error();
        bytes += message->batch.body.size();
        listing.messages.push_back(std::move(*message));
    }
    return listing;
}

Result<std::optional<RefusedMessage>> StoredBuffer::find_refused(std::uint64_t message_seq) {
    if (!to_set_aside_.empty() && !retry_at_) commit(Scope::answers);
    if (!can_read()) return Error{Error::Kind::retry, "the buffer can't be read now: " + last_error_};
    const auto seq = database_->refused().find_message(message_seq);
    if (!seq) return std::optional<RefusedMessage>{};
    auto message = read_refused(*seq, database_->refused().rows().at(*seq).priority);
    if (!message) return message.error();
    return std::optional(std::move(*message));
}

Result<std::vector<std::uint64_t>> StoredBuffer::find_all_refused(
    const std::vector<std::uint64_t>& message_seqs) const {
    std::vector<std::uint64_t> seqs;
    if (message_seqs.empty())
        for (const auto& [seq, row] : database_->refused().rows())
            seqs.push_back(seq);
    for (const std::uint64_t message_seq : message_seqs) {
        const auto seq = database_->refused().find_message(message_seq);
        if (!seq)
            return Error{Error::Kind::gone, "no message with an id that ends in -" +
                                                std::to_string(message_seq) + " is set aside"};
        seqs.push_back(*seq);
    }
    std::sort(seqs.begin(), seqs.end());
    seqs.erase(std::unique(seqs.begin(), seqs.end()), seqs.end());
    return seqs;
}

Result<Totals> StoredBuffer::settle_refused(RefusedVerdict verdict,
                                            const std::vector<std::uint64_t>& message_seqs) {
    if (!to_set_aside_.empty() && !retry_at_) commit(Scope::answers);
    const auto cannot = [this] {
        return Error{Error::Kind::retry,
                     last_error_.empty() ? "the buffer was found damaged and is being taken over: try again"
                                         : "the buffer can't be written now: " + last_error_};
    };
    if (!database_ || retry_at_) return cannot();
    const auto seqs = find_all_refused(message_seqs);
    if (!seqs) return seqs.error();
    Totals totals{seqs->size(), 0};
    for (const std::uint64_t seq : *seqs)
        totals.readings += database_->refused().rows().at(seq).readings;
    if (verdict == RefusedVerdict::retry) {
        if (auto done = offer_again(*seqs); !done) return done.error();
        return totals;
    }
    unwanted_ = *seqs;
    commit(Scope::answers);
    if (!std::exchange(unwanted_, {}).empty()) return cannot();
    return totals;
}

// They are read like any other row when the cursor comes by.
Result<void> StoredBuffer::offer_again(const std::vector<std::uint64_t>& seqs) {
    const RefusedMarks& refused = database_->refused();
    std::array<std::uint64_t, priority_count> first;
    first.fill(std::numeric_limits<std::uint64_t>::max());
    for (const std::uint64_t seq : seqs) {
        std::uint64_t& lowest = first[index_of(refused.rows().at(seq).priority)];
        lowest = std::min(lowest, seq);
    }
    const auto done = [&]() -> Result<void> {
        auto write = database_->write();
        if (!write) return write.error();
        for (const std::uint64_t seq : seqs)
            if (auto taken = write->take_back(seq); !taken) return taken;
        return write->commit();
    }();
    if (!done) {
        database_failed(done.error());
        return done;
    }
    refused_inputs_.clear();
    for (Lane& own : lanes_) {
        own.cursor = std::min(own.cursor, first[static_cast<std::size_t>(&own - lanes_.data())]);
        free_ahead(own);
    }
    refresh_lanes();
    return {};
}

}  // namespace holdfast
