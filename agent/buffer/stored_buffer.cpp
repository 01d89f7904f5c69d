#include "buffer/stored_buffer.hpp"

#include <algorithm>

#include "base/journal_id.hpp"

namespace holdfast {
namespace {

constexpr Priority best_first[] = {Priority::high, Priority::normal, Priority::low};

constexpr std::size_t read_ahead_rows = 64;
constexpr std::chrono::seconds room_look_interval{1};
constexpr std::int64_t shrink_pages = 256;    // in one step
constexpr std::int64_t worth_shrinking = 64;  // free pages

std::optional<MonoTime> earlier(std::optional<MonoTime> a, std::optional<MonoTime> b) {
    return a && b ? std::min(*a, *b) : (a ? a : b);
}

std::size_t read_ahead_bytes(const BufferConfig& config) {
    return static_cast<std::size_t>(std::min<std::uint64_t>(512 * 1024, config.memory.count / 4));
}

}  // namespace

// Inbox and buffer fill the memory one after the other. With `block` what is in the inbox has to fit the
// disk.
Bytes inbox_limit(const BufferConfig& config) {
    const Bytes half{config.memory.count / 2};
    return config.when_full == WhenFull::block ? std::min(half, Bytes{config.max_size.count / 16}) : half;
}

StoredBuffer::StoredBuffer(std::filesystem::path file, const BufferConfig& config, const Clock& clock,
                           Log& log, std::unique_ptr<BatchDatabase> database)
    : file_(std::move(file)),
      config_(config),
      clock_(clock),
      log_(log),
      database_(std::move(database)),
      epoch_(database_ ? database_->epoch() : 0),
      next_seq_(database_ ? database_->next_seq() : 1),
      pace_(config.drain_rate),
      meter_(clock.now()),
      boot_(read_boot_id()),
      opened_boot_us_(clock.boot_us()),
      backoff_(std::chrono::seconds(1), std::chrono::minutes(1), epoch_) {}

void StoredBuffer::append(Batch batch) {
    BatchHeader& header = batch.header;
    header.seq = new_seq();
    if (header.arrived == MonoTime{}) header.arrived = clock_.now();
    header.arrived_s = lived_s();
    meter_.taken_in(readings_held(header), clock_.now());
    Pool& live = lane(header.priority).live;
    const auto place = live.emplace_hint(live.end(), header.seq, Held{std::move(batch)});
    queue_unstored(place->second);
    memory_bytes_ += place->second.memory();
    if (must_store() && !retry_at_ && !held_back_ && unstored_bytes_ >= database_->budget().transaction_bytes)
        commit(Scope::all);
    bound_memory();
}

void StoredBuffer::queue_unstored(const Held& held) {
    const BatchHeader& header = held.batch.header;
    unstored_.push_back({header.seq, header.priority, header.arrived});
    earliest_unstored_ = std::min(earliest_unstored_, header.arrived);
    unstored_batches_ += 1;
    unstored_readings_ += readings_held(header);
    unstored_bytes_ += held.batch.body.size();
}

std::optional<Batch> StoredBuffer::peek() {
    if (!link_up_) return std::nullopt;
    if (auto gap = lend_gap()) return gap;
    return config_.drain == Drain::live_first ? peek_live_first() : peek_oldest_first();
}

// A record that is lent no longer grows: what is dropped from now on starts a new one.
std::optional<Batch> StoredBuffer::lend_gap() {
    for (auto& [key, gap] : gaps_.gaps()) {
        if (refused_inputs_.contains(key.first)) continue;
        // One that was stored and has grown since can't go out before its row says the same, or a restart
        // would tell less.
        const bool settled = gap.stored && !gap.changed;
        if (!settled && (gap.stored || (config_.durability == Durability::strict && !retry_at_))) continue;
        Held held{std::move(gap.batch), settled};
        correct(held.batch.header);
        Batch copy = held.batch;
        sent_as_it_is(held);
        held.batch.header.arrived = clock_.now();
        if (settled) {
            held.batch.body = {};
        } else {
            queue_unstored(held);
            memory_bytes_ += held.memory();
        }
        gaps_.gaps().erase(key);
        lent_.emplace(copy.header.seq, std::move(held));
        return copy;
    }
    return std::nullopt;
}

// With a disk that can't be written, or is full, `strict` can't be kept; sending is then the best that can be
// done for the readings.
bool StoredBuffer::may_leave(const Held& held) const {
    const bool disk_is_no_help = retry_at_ || (held_back_ && database_ && database_->limited_by_disk());
    return config_.durability == Durability::offline || held.stored || disk_is_no_help;
}

StoredBuffer::Pool::iterator StoredBuffer::first_live(Lane& lane) {
    while (!lane.first.empty()) {
        const auto part = lane.live.find(*lane.first.begin());
        if (part != lane.live.end() && !may_leave(part->second)) break;
        lane.first.erase(lane.first.begin());
        if (part != lane.live.end()) return part;
    }
    const auto first = lane.live.begin();
    return first != lane.live.end() && may_leave(first->second) ? first : lane.live.end();
}

std::optional<Batch> StoredBuffer::peek_live_first() {
    for (const Priority priority : best_first) {
        Lane& own = lane(priority);
        if (const auto first = first_live(own); first != own.live.end()) return lend(own.live, first);
    }
    if (pace_.wait(clock_.now())) return std::nullopt;
    for (const Priority priority : best_first) {
        read_ahead(priority);
        Lane& own = lane(priority);
        if (!own.ahead.empty()) return lend_backlog(own);
    }
    return std::nullopt;
}

std::optional<Batch> StoredBuffer::lend_backlog(Lane& own) {
    auto batch = lend(own.ahead, own.ahead.begin());
    pace_.spend(readings_held(batch->header), clock_.now());
    return batch;
}

std::optional<Batch> StoredBuffer::peek_oldest_first() {
    for (const Priority priority : best_first) {
        read_ahead(priority);
        Lane& own = lane(priority);
        const auto first = first_live(own);
        if (!own.ahead.empty() && (first == own.live.end() || own.ahead.begin()->first < first->first)) {
            if (pace_.wait(clock_.now())) return std::nullopt;
            return lend_backlog(own);
        }
        if (first != own.live.end()) return lend(own.live, first);
    }
    return std::nullopt;
}

std::optional<Batch> StoredBuffer::lend(Pool& pool, Pool::iterator at) {
    auto node = pool.extract(at);
    Held& held = node.mapped();
    correct(held.batch.header);
    Batch copy;
    if (held.stored) {
        memory_bytes_ -= held.memory();
        copy.header = held.batch.header;
        copy.body = std::exchange(held.batch.body, {});
    } else {
        copy = held.batch;
    }
    sent_as_it_is(held);
    lent_.insert(std::move(node));
    return copy;
}

void StoredBuffer::read_ahead(Priority priority) {
    Lane& own = lane(priority);
    while (own.ahead.empty() && own.cursor <= own.last_row && can_read()) {
        const auto wanted = [&](std::uint64_t seq) {
            return !own.live.contains(seq) && !lent_.contains(seq) && !own.acked.contains(seq) &&
                   !gaps_.has(seq);
        };
        auto rows = database_->read(priority, own.cursor, own.last_row,
                                    {read_ahead_rows, read_ahead_bytes(config_)}, wanted);
        if (!rows) return database_failed(rows.error());
        own.cursor = rows->next;
        for (const BatchHeader& damaged : rows->damaged)
            drop_damaged_row(damaged);
        for (Batch& batch : rows->batches) {
            const auto place =
                own.ahead.emplace_hint(own.ahead.end(), batch.header.seq, Held{std::move(batch), true});
            memory_bytes_ += place->second.memory();
        }
    }
}

void StoredBuffer::drop_damaged_row(const BatchHeader& header) {
    log_.warning("a batch of the buffer is damaged on disk and is dropped", {{"INPUT", header.input}});
    gaps_.add(header, {}, GapReason::damaged, [this] { return new_seq(); });
    dropped_readings_ += readings_held(header);
    lane(header.priority).acked.emplace(header.seq, readings_held(header));
    lane(header.priority).acked_readings += readings_held(header);
    if (!first_ack_) first_ack_ = clock_.now();
}

void StoredBuffer::ack(std::uint64_t seq) {
    const auto at = lent_.find(seq);
    if (at == lent_.end() || is_settled(seq)) return;
    refused_inputs_.erase(at->second.batch.header.input);
    acked_readings_ += readings_held(at->second.batch.header);
    meter_.left(readings_held(at->second.batch.header), clock_.now());
    no_longer_held(at);
}

// Its row, if there is one, only waits to be deleted.
void StoredBuffer::no_longer_held(Pool::iterator at) {
    const Held& held = at->second;
    const std::uint64_t seq = at->first;
    Lane& own = lane(held.batch.header.priority);
    const std::uint64_t readings = readings_held(held.batch.header);
    if (held.stored && leave_out_of_salvage(held.batch.header)) {
        // Its row is not there yet.
    } else if (held.stored) {
        own.acked.emplace(seq, readings);
        own.acked_readings += readings;
        if (!first_ack_) first_ack_ = clock_.now();
    } else {
        unstored_batches_ -= 1;
        unstored_readings_ -= readings;
        unstored_bytes_ -= held.batch.body.size();
        memory_bytes_ -= held.memory();
    }
    sent_unsynchronised_.erase(seq);
    lent_.erase(at);
}

void StoredBuffer::forget_acked(Lane& own, std::uint64_t seq) {
    const auto at = own.acked.find(seq);
    if (at == own.acked.end()) return;
    own.acked_readings -= at->second;
    own.acked.erase(at);
}

void StoredBuffer::give_back(std::uint64_t seq) {
    const auto at = lent_.find(seq);
    if (at == lent_.end() || is_settled(seq)) return;
    Lane& own = lane(at->second.batch.header.priority);
    if (at->second.stored) {
        own.cursor = std::min(own.cursor, seq);
        free_ahead(own);
        lent_.erase(at);
    } else {
        own.live.insert(lent_.extract(at));
    }
}

void StoredBuffer::set_link(bool up) {
    link_up_ = up;
    link_expected_ = false;
    if (!up) free_stored(0);
    if (up) look_at_clock();
}

// The row stays; the cursor has to come by again.
void StoredBuffer::leave_to_disk(Lane& own, Pool& pool, Pool::iterator at) {
    own.cursor = std::min(own.cursor, at->first);
    memory_bytes_ -= at->second.memory();
    pool.erase(at);
}

void StoredBuffer::free_ahead(Lane& own) {
    while (!own.ahead.empty())
        leave_to_disk(own, own.ahead, own.ahead.begin());
}

// Frees memory that only repeats what is on disk, the oldest of the lowest priority first, until that much is
// left.
void StoredBuffer::free_stored(std::uint64_t down_to) {
    for (const Priority priority : worst_first) {
        Lane& own = lane(priority);
        for (auto at = own.live.begin(); at != own.live.end() && memory_bytes_ > down_to;) {
            const auto held = at++;
            if (held->second.stored) leave_to_disk(own, own.live, held);
        }
        if (memory_bytes_ > down_to) free_ahead(own);
    }
}

std::uint64_t StoredBuffer::unstored_memory() const {
    return unstored_bytes_ + unstored_batches_ * memory_of(Batch{});
}

// What is stored can be freed; a commit makes more of it, and is worth while for a good part of the memory.
void StoredBuffer::bound_memory() {
    if (memory_bytes_ <= config_.memory.count) return;
    if (!retry_at_ && !held_back_ && unstored_memory() > config_.memory.count / 4) commit(Scope::all);
    free_stored(config_.memory.count - config_.memory.count / 8);
    if (config_.when_full == WhenFull::block) return;
    while (retry_at_ && memory_bytes_ > config_.memory.count && unstored_batches_ > 0) {
        const std::uint64_t before = memory_bytes_;
        drop_from_memory();
        if (memory_bytes_ == before) break;  // all of it is lent
    }
}

// The disk can't be written: memory is a ring.
void StoredBuffer::drop_from_memory() {
    for (const Priority priority : worst_first) {
        Lane& own = lane(priority);
        const auto oldest = std::find_if(own.live.begin(), own.live.end(),
                                         [](const auto& held) { return !held.second.stored; });
        if (oldest == own.live.end()) continue;
        const Batch& batch = oldest->second.batch;
        gaps_.add(batch.header, batch.body, GapReason::disk_full, [this] { return new_seq(); });
        dropped_readings_ += readings_held(batch.header);
        lost_in_memory_ += readings_held(batch.header);
        return forget_unstored(own, oldest);
    }
}

void StoredBuffer::forget_unstored(Lane& own, Pool::iterator at) {
    const Held& held = at->second;
    unstored_batches_ -= 1;
    unstored_readings_ -= readings_held(held.batch.header);
    unstored_bytes_ -= held.batch.body.size();
    memory_bytes_ -= held.memory();
    own.live.erase(at);
}

StoredBuffer::Held* StoredBuffer::find_unstored(const Unstored& entry) {
    Pool& live = lane(entry.priority).live;
    auto at = live.find(entry.seq);
    if (at == live.end()) {
        at = lent_.find(entry.seq);
        if (at == lent_.end()) return nullptr;
    }
    return at->second.stored ? nullptr : &at->second;
}

// When what is in memory only has to be on disk.
std::optional<MonoTime> StoredBuffer::store_due() {
    if (unstored_batches_ == 0 || held_back_) return std::nullopt;
    const Micros patience = must_store() ? config_.commit_interval : config_.spill_after;
    if (earliest_unstored_ + patience <= clock_.now()) {
        // It may be that the batch that was due has been acknowledged meanwhile.
        std::erase_if(unstored_, [this](const Unstored& entry) { return find_unstored(entry) == nullptr; });
        earliest_unstored_ = MonoTime::max() - patience;
        for (const Unstored& entry : unstored_)
            earliest_unstored_ = std::min(earliest_unstored_, entry.arrived);
    }
    return earliest_unstored_ + patience;
}

// When rows that were acknowledged have to go: they share a transaction, but not for ever.
std::optional<MonoTime> StoredBuffer::delete_due() const {
    constexpr MonoTime at_once{};  // not the clock's now: that is later than the now it will be compared with

    std::size_t rows = to_set_aside_.size();
    for (const Lane& own : lanes_)
        rows += own.acked.size();
    if (rows >= most_deletes || gaps_.changed() || !to_split_.empty()) return at_once;
    const auto expiry = expiry_due();
    if (!first_ack_) return expiry;
    const MonoTime acked = *first_ack_ + config_.commit_interval;
    return expiry ? std::min(*expiry, acked) : acked;
}

std::optional<MonoTime> StoredBuffer::step() {
    const MonoTime now = clock_.now();
    const auto is_due = [&](std::optional<MonoTime> when) { return when && *when <= now; };
    look_at_clock();
    if (retry_at_) {
        if (is_due(retry_at_)) try_again();
    } else if (is_due(store_due())) {
        commit(Scope::all);
    } else if (is_due(delete_due())) {
        commit(Scope::answers);
    }
    if (!link_up_) free_stored(0);
    const auto room_due = look_for_room();
    if (retry_at_) return retry_at_;
    if (look_after_damage()) return now;
    if (retry_at_) return retry_at_;
    auto next = earlier(earlier(store_due(), delete_due()), room_due);
    if (link_up_) next = earlier(next, pace_.wait(now));
    const bool idle = unstored_batches_ == 0 && !first_ack_ && !gaps_.changed();
    return idle ? earlier(next, shrink_if_idle()) : next;
}

// With `block` the inputs wait before the buffer is full, so that what is under way still fits.
std::optional<MonoTime> StoredBuffer::look_for_room() {
    if (config_.when_full != WhenFull::block) return std::nullopt;
    bool wait = memory_bytes_ > config_.memory.count;
    if (database_ && !retry_at_) {
        // Room comes not only by what is sent: others may free the disk.
        if (held_back_ || inputs_wait_) database_->look_at_disk(config_.min_free);
        const auto free = database_->free_pages();
        if (held_back_ && free &&
            *free >= BatchDatabase::pages_for(BatchDatabase::row_cost(first_unstored_bytes())))
            held_back_ = false;
        // A row takes up to twice its bytes.
        const auto under_way = static_cast<std::int64_t>(2 * (inbox_limit(config_).count + unstored_bytes_));
        wait = wait || held_back_ || (free && *free < BatchDatabase::pages_for(under_way) + extra_pages_);
        // What a broker acknowledges at once needs no disk that others have filled.
        if (!must_store() && !has_backlog() && database_->limited_by_disk())
            wait = memory_bytes_ > config_.memory.count / 2;
    }
    if (wait != std::exchange(inputs_wait_, wait)) {
        if (wait)
            log_.warning("the buffer is full: inputs wait", {journal_id::buffer_full});
        else
            log_.info("the buffer has room again: inputs go on", {journal_id::buffer_has_room});
    }
    if (!held_back_ && !inputs_wait_) return std::nullopt;
    return clock_.now() + room_look_interval;
}

std::size_t StoredBuffer::first_unstored_bytes() {
    for (const Unstored& entry : unstored_)
        if (const Held* held = find_unstored(entry)) return held->batch.body.size();
    return 0;
}

// Rows that are not only set aside.
bool StoredBuffer::has_backlog() const {
    std::uint64_t rows = 0;
    for (const Lane& own : lanes_)
        rows += own.disk.batches;
    return rows > database_->refused().rows().size();
}

// Once the backlog is gone, the file gives back its room in steps that leave time for what comes in between.
std::optional<MonoTime> StoredBuffer::shrink_if_idle() {
    end_episode_if_over();
    const auto unused = database_->unused_pages();
    if (!unused) return std::nullopt;
    const std::int64_t pages = database_->file_pages();
    const bool wanted = *unused >= worth_shrinking &&
                        (!has_backlog() || *unused > pages / 2 || pages > database_->budget().database_pages);
    if (!wanted && !(shrinking_ && *unused > 0)) {
        if (!std::exchange(shrinking_, false)) return std::nullopt;
        if (auto done = database_->truncate_wal(); !done) database_failed(done.error());
        return std::nullopt;
    }
    shrinking_ = true;
    if (auto done = database_->shrink(shrink_pages); !done) {
        database_failed(done.error());
        return retry_at_;
    }
    return clock_.now();
}

void StoredBuffer::end_episode_if_over() {
    if (!full_.active) return;
    const auto free = database_->free_pages();
    if (!free || *free < database_->budget().database_pages / 4) return;
    log_.info("the buffer has room again; " + std::to_string(full_.dropped) + " readings were dropped and " +
                  std::to_string(full_.thinned) + " merged into coarser ones",
              {journal_id::buffer_has_room});
    full_ = {};
    extra_pages_ = 0;
    for (Lane& own : lanes_)
        own.thinning = {};
}

}  // namespace holdfast
