#include "buffer/stored_buffer.hpp"

#include <algorithm>

#include "buffer/salvage.hpp"

namespace holdfast {
namespace {

constexpr Priority best_first[] = {Priority::high, Priority::normal, Priority::low};
constexpr Priority worst_first[] = {Priority::low, Priority::normal, Priority::high};

constexpr std::size_t read_ahead_rows = 64;
constexpr std::size_t most_deletes = 1'000;
constexpr std::int64_t shrink_pages = 256;    // in one step
constexpr std::int64_t worth_shrinking = 64;  // free pages

std::size_t read_ahead_bytes(const BufferConfig& config) {
    return static_cast<std::size_t>(std::min<std::uint64_t>(512 * 1024, config.memory.count / 4));
}

}  // namespace

Result<std::unique_ptr<Buffer>> Buffer::open(const std::filesystem::path& directory,
                                             const BufferConfig& config, const Clock& clock, Log& log) {
    std::error_code failed;
    std::filesystem::create_directories(directory, failed);
    if (failed)
        return system_error(Error::Kind::config, "cannot make the directory " + directory.string(),
                            failed.value());
    const std::filesystem::path file = directory / "buffer.db";
    auto database = BatchDatabase::open(file, config.max_size);
    Result<void> sound;
    if (database && !(*database)->closed_cleanly()) {
        sound = (*database)->check();
        if (!sound) (*database)->abandon();
    }
    if (!database) sound = database.error();
    if (!sound && sound.error().kind == Error::Kind::corrupt) {
        if (database) database->reset();
        database = replace_damaged(file, config.max_size, sound.error(), log);
        if (!database) return database.error();
    } else if (!sound) {
        return sound.error();
    }
    auto buffer = std::make_unique<StoredBuffer>(file, config, clock, log, std::move(*database));
    buffer->start();
    return buffer;
}

StoredBuffer::StoredBuffer(std::filesystem::path file, const BufferConfig& config, const Clock& clock,
                           Log& log, std::unique_ptr<BatchDatabase> database)
    : file_(std::move(file)),
      config_(config),
      clock_(clock),
      log_(log),
      database_(std::move(database)),
      epoch_(database_->epoch()),
      next_seq_(database_->next_seq()),
      backoff_(std::chrono::seconds(1), std::chrono::minutes(1), epoch_) {}

void StoredBuffer::append(Batch batch) {
    BatchHeader& header = batch.header;
    header.seq = new_seq();
    if (header.arrived == MonoTime{}) header.arrived = clock_.now();
    Pool& live = lane(header.priority).live;
    const auto place = live.emplace_hint(live.end(), header.seq, Held{std::move(batch)});
    queue_unstored(place->second);
    memory_bytes_ += place->second.memory();
    if (must_store() && !retry_at_ && unstored_bytes_ >= database_->budget().transaction_bytes)
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
        // One that was stored and has grown since can't go out before its row says the same, or a restart
        // would tell less.
        const bool settled = gap.stored && !gap.changed;
        if (!settled && !retry_at_ && (config_.durability == Durability::strict || gap.stored)) continue;
        Batch copy = gap.batch;
        Held held{std::move(gap.batch), settled};
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

// With a disk that can't be written `strict` can't be kept; sending is then the best that can be done for the
// readings.
StoredBuffer::Pool::iterator StoredBuffer::first_live(Lane& lane) {
    const auto first = lane.live.begin();
    if (first == lane.live.end() || config_.durability == Durability::offline || first->second.stored ||
        retry_at_)
        return first;
    return lane.live.end();
}

std::optional<Batch> StoredBuffer::peek_live_first() {
    for (const Priority priority : best_first) {
        Lane& own = lane(priority);
        if (const auto first = first_live(own); first != own.live.end()) return lend(own.live, first);
    }
    for (const Priority priority : best_first) {
        read_ahead(priority);
        Lane& own = lane(priority);
        if (!own.ahead.empty()) return lend(own.ahead, own.ahead.begin());
    }
    return std::nullopt;
}

std::optional<Batch> StoredBuffer::peek_oldest_first() {
    for (const Priority priority : best_first) {
        read_ahead(priority);
        Lane& own = lane(priority);
        const auto first = first_live(own);
        if (!own.ahead.empty() && (first == own.live.end() || own.ahead.begin()->first < first->first))
            return lend(own.ahead, own.ahead.begin());
        if (first != own.live.end()) return lend(own.live, first);
    }
    return std::nullopt;
}

std::optional<Batch> StoredBuffer::lend(Pool& pool, Pool::iterator at) {
    auto node = pool.extract(at);
    Held& held = node.mapped();
    Batch copy;
    if (held.stored) {
        memory_bytes_ -= held.memory();
        copy.header = held.batch.header;
        copy.body = std::exchange(held.batch.body, {});
    } else {
        copy = held.batch;
    }
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
    if (at == lent_.end()) return;
    acked_readings_ += readings_held(at->second.batch.header);
    no_longer_held(at);
}

// Its row, if there is one, only waits to be deleted.
void StoredBuffer::no_longer_held(Pool::iterator at) {
    const Held& held = at->second;
    const std::uint64_t seq = at->first;
    Lane& own = lane(held.batch.header.priority);
    const std::uint64_t readings = readings_held(held.batch.header);
    if (held.stored) {
        own.acked.emplace(seq, readings);
        own.acked_readings += readings;
        if (!first_ack_) first_ack_ = clock_.now();
    } else {
        unstored_batches_ -= 1;
        unstored_readings_ -= readings;
        unstored_bytes_ -= held.batch.body.size();
        memory_bytes_ -= held.memory();
    }
    lent_.erase(at);
}

// A gap record that is refused leaves none of its own: it would be refused as well.
void StoredBuffer::refuse(std::uint64_t seq) {
    const auto at = lent_.find(seq);
    if (at == lent_.end()) return;
    const Batch& batch = at->second.batch;
    if (batch.header.kind == BatchKind::readings) {
        gaps_.add(batch.header, batch.body, GapReason::refused, [this] { return new_seq(); });
        dropped_readings_ += readings_held(batch.header);
    }
    no_longer_held(at);
}

void StoredBuffer::forget_acked(Lane& own, std::uint64_t seq) {
    const auto at = own.acked.find(seq);
    if (at == own.acked.end()) return;
    own.acked_readings -= at->second;
    own.acked.erase(at);
}

void StoredBuffer::give_back(std::uint64_t seq) {
    const auto at = lent_.find(seq);
    if (at == lent_.end()) return;
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

void StoredBuffer::bound_memory() {
    if (memory_bytes_ <= config_.memory.count) return;
    if (!retry_at_ && unstored_bytes_ > config_.memory.count / 4) commit(Scope::all);
    free_stored(config_.memory.count - config_.memory.count / 8);
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
    if (unstored_batches_ == 0) return std::nullopt;
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

    std::size_t rows = 0;
    for (const Lane& own : lanes_)
        rows += own.acked.size();
    if (rows >= most_deletes || gaps_.changed()) return at_once;
    if (first_ack_) return *first_ack_ + config_.commit_interval;
    return std::nullopt;
}

std::optional<MonoTime> StoredBuffer::step() {
    const MonoTime now = clock_.now();
    const auto is_due = [&](std::optional<MonoTime> when) { return when && *when <= now; };
    if (retry_at_) {
        if (is_due(retry_at_)) try_again();
    } else if (is_due(store_due())) {
        commit(Scope::all);
    } else if (is_due(delete_due())) {
        commit(Scope::deletions);
    }
    if (!link_up_) free_stored(0);
    if (retry_at_) return retry_at_;
    const auto store = store_due();
    const auto remove = delete_due();
    if (store && remove) return std::min(*store, *remove);
    if (store || remove) return store ? store : remove;
    return shrink_if_idle();
}

// Once the backlog is gone, the file gives back its room in steps that leave time for what comes in between.
std::optional<MonoTime> StoredBuffer::shrink_if_idle() {
    end_episode_if_over();
    const auto unused = database_->unused_pages();
    if (!unused) return std::nullopt;
    const bool empty =
        std::all_of(lanes_.begin(), lanes_.end(), [](const Lane& own) { return own.disk.batches == 0; });
    const std::int64_t pages = database_->file_pages();
    const bool wanted = *unused >= worth_shrinking &&
                        (empty || *unused > pages / 2 || pages > database_->budget().database_pages);
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
    log_.info("the buffer has room again; " + std::to_string(full_.readings) + " readings were dropped");
    full_ = {};
}

BufferStatus StoredBuffer::status() const {
    BufferStatus status;
    status.batches = unstored_batches_;
    status.in_memory_readings = unstored_readings_;
    const auto older = [&](std::int64_t wall_us) {
        status.oldest_wall_us = status.oldest_wall_us ? std::min(*status.oldest_wall_us, wall_us) : wall_us;
    };
    const auto wall_of = [](const BatchHeader& header) { return header.first_us + header.wall_offset_us; };
    for (const auto& [key, gap] : gaps_.gaps())
        if (!gap.stored) status.batches += 1;
    for (const auto& [seq, held] : lent_)
        older(wall_of(held.batch.header));
    for (const Lane& own : lanes_) {
        status.batches += own.disk.batches - own.acked.size();
        // The count of a damaged row may be wrong.
        status.committed_readings += std::max(own.disk.readings, own.acked_readings) - own.acked_readings;
        if (own.disk.batches > own.acked.size() && own.oldest_wall_us) older(*own.oldest_wall_us);
        if (!own.live.empty()) older(wall_of(own.live.begin()->second.batch.header));
    }
    status.readings = status.in_memory_readings + status.committed_readings;
    status.acked_readings = acked_readings_;
    status.dropped_readings = dropped_readings_;
    status.last_error = last_error_;
    status.written_bytes = written_before_ + (database_ ? database_->written_bytes() : 0);
    status.bytes = database_ ? database_->file_bytes() : 0;
    return status;
}

}  // namespace holdfast
