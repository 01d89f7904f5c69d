// StoredBuffer: how it comes to its database, and what happens when the disk fails.
#include <algorithm>

#include "buffer/salvage.hpp"
#include "buffer/stored_buffer.hpp"

namespace holdfast {
namespace {

constexpr Priority worst_first[] = {Priority::low, Priority::normal, Priority::high};

std::uint64_t saturating_subtract(std::uint64_t a, std::uint64_t b) {
    return a > b ? a - b : 0;
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

void StoredBuffer::start() {
    lived_before_s_ = database_->lived().count();
    wall_offset_us_ = database_->wall_offset(boot_);
    wall_offset_stored_ = wall_offset_us_.has_value();
    refresh_lanes();
    if (auto done = commit_once(Scope::deletions); !done) return database_failed(done.error());
    // In the database file itself, so that a WAL that gets lost can't bring back seqs that were given out.
    if (auto done = database_->truncate_wal(); !done) database_failed(done.error());
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
    // They are in memory still, or were sent or dropped meanwhile: either way the row must not count.
    for (auto row = in_doubt_.begin(); done && row != in_doubt_.end(); ++row)
        done = write->erase(row->second.first, row->first, row->second.second);
    if (done) done = write->commit();
    if (!done) return done;
    in_doubt_.clear();
    wall_offset_stored_ = false;  // perhaps a fresh one
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
    for (auto& [key, gap] : gaps_.gaps()) {
        if (!gap.stored) continue;
        const std::uint64_t seq = gap.batch.header.seq;
        auto row = database_->read(Priority::high, seq, seq, {1, 1}, [](std::uint64_t) { return true; });
        if (!row || row->batches.empty()) {
            gap.stored = false;
            gap.changed = true;
        } else if (row->batches[0].header.count > gap.batch.header.count) {
            gap.batch = std::move(row->batches[0]);  // it grew in a commit that failed, and yet was done
        }
    }
    std::sort(unstored_.begin(), unstored_.end(),
              [](const Unstored& a, const Unstored& b) { return a.seq < b.seq; });
    const std::uint64_t lost = saturating_subtract(held_before, requeued + held_after);
    dropped_readings_ += lost;
    if (lost > 0) log_.error(std::to_string(lost) + " readings that were in the buffer are no longer there");
    refresh_lanes();
    return {};
}

}  // namespace holdfast
