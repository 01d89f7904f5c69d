// StoredBuffer: how it comes to its database, and what happens when the disk fails.
#include <sys/random.h>

#include <algorithm>
#include <limits>

#include "base/journal_id.hpp"
#include "buffer/access_advice.hpp"
#include "buffer/damaged_set.hpp"
#include "buffer/page_file.hpp"
#include "buffer/stored_buffer.hpp"

namespace holdfast {
namespace {

std::uint64_t random_number(const Clock& clock) {
    std::uint64_t random = 0;
    if (::getrandom(&random, sizeof random, 0) == sizeof random) return random;
    return static_cast<std::uint64_t>(clock.wall_us());
}

// Fails with corrupt when it is to be set aside, with config when a newer version wrote it.
Result<std::unique_ptr<BatchDatabase>> open_database(const std::filesystem::path& file, Bytes max_size) {
    std::error_code failed;
    std::filesystem::create_directories(file.parent_path(), failed);
    if (failed)
        return system_error(Error::Kind::retry, "cannot make the directory " + file.parent_path().string(),
                            failed.value());
    if (auto done = finish_replacement(file); !done) return done.error();
    const auto status = std::filesystem::status(file, failed);
    if (std::filesystem::exists(status) && !std::filesystem::is_regular_file(status))
        return Error{Error::Kind::corrupt, file.string() + " is no regular file"};
    // What SQLite would not notice: it plays in any WAL, and drops what is behind a damaged frame.
    if (const auto pages = PageFile::open(file)) {
        if (pages->wal() == PageFile::Wal::damaged)
            return Error{Error::Kind::corrupt, file.string() + "-wal has a damaged transaction"};
        // SQLite would delete the WAL.
        if (pages->wal() != PageFile::Wal::none && std::filesystem::file_size(file, failed) == 0)
            return Error{Error::Kind::corrupt, file.string() + " is empty, its WAL is not"};
        if (pages->wal() == PageFile::Wal::foreign)
            return Error{Error::Kind::corrupt, file.string() + "-wal belongs to another database"};
    }
    return BatchDatabase::open(file, max_size);
}

std::uint64_t saturating_subtract(std::uint64_t a, std::uint64_t b) {
    return a > b ? a - b : 0;
}

// What can't be gone on with is set aside, and a fresh one is opened.
Result<std::unique_ptr<BatchDatabase>> open_sound_database(const std::filesystem::path& file, Bytes max_size,
                                                           Log& log) {
    auto database = open_database(file, max_size);
    Result<void> sound;
    if (database && !(*database)->closed_cleanly()) sound = (*database)->check();
    if (!database) sound = database.error();
    if (sound || sound.error().kind != Error::Kind::corrupt) return database;
    if (database) {
        (*database)->abandon();
        database->reset();
    }
    if (const auto replaced = replace_damaged(file, max_size, sound.error(), {}, log); !replaced)
        return replaced.error();
    return BatchDatabase::open(file, max_size);
}

}  // namespace

Result<std::unique_ptr<Buffer>> Buffer::open(const std::filesystem::path& directory,
                                             const BufferConfig& config, const Clock& clock, Log& log) {
    const std::filesystem::path file = directory / "buffer.db";
    auto database = open_sound_database(file, config.max_size, log);
    if (!database && database.error().kind == Error::Kind::config) return database.error();
    auto buffer =
        std::make_unique<StoredBuffer>(file, config, clock, log, database ? std::move(*database) : nullptr);
    if (database)
        buffer->start();
    else
        buffer->start_without(database.error());
    return buffer;
}

void StoredBuffer::start() {
    go_on_living();
    wall_offset_us_ = database_->wall_offset(boot_);
    wall_offset_stored_ = wall_offset_us_.has_value();
    refresh_lanes();
    if (auto done = resume_salvage(); !done) return database_failed(done.error());
    if (auto done = commit_once(Scope::answers); !done) return database_failed(done.error());
    // In the database file itself, so that a WAL that gets lost can't bring back seqs that were given out.
    if (auto done = database_->truncate_wal(); !done) database_failed(done.error());
}

// The epoch is random, and so is where the seqs begin: far from those of any database that may be taken over
// later, into that epoch.
void StoredBuffer::start_without(const Error& error) {
    constexpr std::uint64_t first_seq = std::uint64_t{1} << 52;
    epoch_ = random_number(clock_);
    next_seq_ = first_seq + random_number(clock_) % first_seq;
    reserved_ = std::numeric_limits<std::uint64_t>::max();
    database_failed(error);
}

// From where the database's running time ended; what was taken in without it is as old as it was.
void StoredBuffer::go_on_living() {
    lived_before_s_ = database_->lived().count();
    for (Lane& own : lanes_)
        for (auto& [seq, held] : own.live)
            held.batch.header.arrived_s += lived_before_s_;
    for (auto& [seq, held] : lent_)
        held.batch.header.arrived_s += lived_before_s_;
}

void StoredBuffer::database_failed(const Error& error) {
    Error why = error;
    if (why.kind == Error::Kind::corrupt && database_) {
        auto rebuilt = rebuild(why);
        if (rebuilt) return;
        why = rebuilt.error();
    }
    why.text += access_advice(file_);
    if (!retry_at_)
        log_.error("cannot write the buffer (" + why.text +
                       "): readings are kept in memory, the oldest are dropped when it is full",
                   {journal_id::buffer_unwritable});
    last_error_ = why.text;
    reopen_ = why.kind != Error::Kind::full;
    retry_at_ = clock_.now() + backoff_.next(std::chrono::milliseconds(500));
}

void StoredBuffer::database_works() {
    if (!retry_at_) return;
    log_.info("the buffer can be written again; " + std::to_string(lost_in_memory_) +
                  " readings were dropped meanwhile",
              {journal_id::buffer_writable});
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
    auto opened = open_database(file_, config_.max_size);
    if (!opened && opened.error().kind == Error::Kind::corrupt) return rebuild(opened.error());
    if (!opened) return opened.error();
    return take_over(std::move(*opened));
}

// Ids go on as they were: the forwarder was told our epoch, and what was reserved in memory holds.
Result<void> StoredBuffer::take_over(std::unique_ptr<BatchDatabase> database) {
    if (database->epoch() != epoch_) next_seq_ = std::max(next_seq_, database->next_seq());
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
    database_ = std::move(database);
    // Perhaps a fresh one, perhaps one that knows what an earlier start of this boot sent with.
    const auto known_offset = database_->wall_offset(boot_);
    if (known_offset) wall_offset_us_ = known_offset;
    wall_offset_stored_ = known_offset.has_value();
    reserved_ = reserved;
    if (!knows_rows_) go_on_living();
    oldest_refused_s_ = 0;
    if (auto resumed = resume_salvage(); !resumed) return resumed;
    return reconcile();
}

Result<void> StoredBuffer::rebuild(const Error& damage) {
    leave_database();
    Heritage heritage{epoch_, next_seq_, std::nullopt};
    if (knows_rows_) heritage.readings = readings_on_disk_only();
    const auto notes = replace_damaged(file_, config_.max_size, damage, heritage, log_);
    if (!notes) return notes.error();
    salvage_ = std::make_unique<Salvage>(file_, *notes);
    keep_what_memory_has();
    auto fresh = BatchDatabase::open(file_, config_.max_size);
    if (!fresh) return fresh.error();
    next_seq_ = std::max(next_seq_, (*fresh)->next_seq());
    return take_over(std::move(*fresh));
}

// Readings whose rows are to be found in the damaged file, since memory has no copy of them.
std::uint64_t StoredBuffer::readings_on_disk_only() const {
    std::uint64_t readings = salvage_ ? salvage_->notes().expected.value_or(0) : 0;
    for (const Lane& own : lanes_) {
        std::uint64_t in_memory = own.acked_readings;
        for (const Pool* pool : {&own.live, &own.ahead})
            for (const auto& [seq, held] : *pool)
                if (held.stored) in_memory += readings_held(held.batch.header);
        readings += saturating_subtract(own.disk.readings, in_memory);
    }
    return readings;
}

// The fresh database is empty: what memory has of the rows is written again, and not salvaged as well.
void StoredBuffer::keep_what_memory_has() {
    for (Lane& own : lanes_) {
        for (const auto& [seq, readings] : own.acked)
            salvage_->leave_out(seq, 0);
        own.acked.clear();
        own.acked_readings = 0;
        own.disk = {};
        own.last_row = 0;
        own.cursor = 0;
        own.live.merge(own.ahead);
        for (auto& [seq, held] : own.live) {
            if (!held.stored) continue;
            held.stored = false;
            salvage_->leave_out(seq, 0);
            queue_unstored(held);
        }
    }
    // What a commit left there that failed is in memory still, or was sent or dropped.
    for (const auto& [seq, row] : in_doubt_)
        salvage_->leave_out(seq, 0);
    for (auto& [key, gap] : gaps_.gaps()) {
        if (!gap.stored) continue;
        gap.stored = false;
        gap.changed = true;
        salvage_->leave_out(gap.batch.header.seq, 0);
    }
    sort_unstored();
    requeued_ = true;
}

void StoredBuffer::sort_unstored() {
    std::sort(unstored_.begin(), unstored_.end(),
              [](const Unstored& a, const Unstored& b) { return a.seq < b.seq; });
}

// Finds out which of the rows we believe in are there, and counts the rest as lost.
Result<void> StoredBuffer::reconcile() {
    std::uint64_t held_before = 0;
    std::uint64_t held_after = 0;
    std::uint64_t requeued = 0;
    for (const Priority priority : worst_first) {
        Lane& own = lane(priority);
        held_before += saturating_subtract(own.disk.readings, own.acked_readings);
        free_ahead(own);
        own.cursor = 0;
        // A row that can't be looked for is not gone.
        const auto is_gone = [&](std::uint64_t seq) {
            return !database_->contains(priority, seq).value_or(true);
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
                   !(salvage_ && salvage_->is_ahead(priority, entry.first)) && is_gone(entry.first);
        });
        held_after += saturating_subtract(database_->totals(priority).readings, own.acked_readings);
    }
    for (auto& [key, gap] : gaps_.gaps()) {
        if (!gap.stored) continue;
        const std::uint64_t seq = gap.batch.header.seq;
        auto row = database_->read(Priority::high, seq, seq, {1, 1}, [](std::uint64_t) { return true; });
        if (!row) continue;
        if (row->batches.empty()) {
            gap.stored = false;
            gap.changed = true;
        } else if (row->batches[0].header.count > gap.batch.header.count) {
            gap.batch = std::move(row->batches[0]);  // it grew in a commit that failed, and yet was done
        }
    }
    forget_stale_answers();
    sort_unstored();
    const std::uint64_t lost = saturating_subtract(held_before, requeued + held_after);
    dropped_readings_ += lost;
    if (lost > 0) log_.error(std::to_string(lost) + " readings that were in the buffer are no longer there");
    refresh_lanes();
    return {};
}

}  // namespace holdfast
