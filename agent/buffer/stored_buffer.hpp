// The Buffer over a BatchDatabase: which batch rests in memory, which on flash, which is lent, which goes
// first.
//
// A batch that was taken in is at any time in exactly one of these places:
//   live     in memory, may be offered; its row may be on disk as well (`stored`)
//   ahead    read ahead from disk, may be offered; memory holds a copy of the row
//   lent     the forwarder has a copy; the body is kept here unless the row is stored
//   on disk  a row and nothing else; it will be read when its lane's cursor comes by
//   aside    a row that the broker refused: held, marked on disk, and not read
//   acked    a row that only waits to be deleted: no longer held
// What the rules rest on: rows are written in order of seq, and a lane's cursor is never past a row that is
// only on disk.
#pragma once

#include <array>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/backoff.hpp"
#include "buffer/batch_database.hpp"
#include "buffer/buffer.hpp"
#include "buffer/drain_meter.hpp"
#include "buffer/drain_pace.hpp"
#include "buffer/gap_ledger.hpp"
#include "buffer/salvage.hpp"

namespace holdfast {

class StoredBuffer final : public Buffer {
  public:
    StoredBuffer(std::filesystem::path file, const BufferConfig& config, const Clock& clock, Log& log,
                 std::unique_ptr<BatchDatabase> database);

    // One of these is to be called once, first. Marks the database as in use and reserves the first block of
    // seqs.
    void start();
    // There is no database yet, for this reason: it begins in memory and goes on trying.
    void start_without(const Error& error);

    std::uint64_t epoch() const override { return epoch_; }
    void append(Batch batch) override;
    std::optional<Batch> peek() override;
    void ack(std::uint64_t seq) override;
    void give_back(std::uint64_t seq) override;
    void set_aside(Refusal refusal) override;
    void split(const Oversize& oversize) override;
    void set_link(bool up) override;
    void expect_link() override { link_expected_ = true; }
    Listing list(Listing::Place from) override;
    std::uint64_t purge() override;
    Result<RefusedListing> list_refused(std::uint64_t from) override;
    Result<std::optional<RefusedMessage>> find_refused(std::uint64_t message_seq) override;
    Result<Totals> settle_refused(RefusedVerdict verdict,
                                  const std::vector<std::uint64_t>& message_seqs) override;
    std::optional<MonoTime> step() override;
    [[gnu::cold]] Result<void> close() override;
    BufferStatus status() const override;  // stored_buffer_status.cpp
    bool has_room() const override { return !inputs_wait_; }

  private:
    static constexpr std::uint64_t seq_block = 1'000'000;  // seqs reserved at a time
    static constexpr std::size_t most_deletes = 1'000;     // in one transaction
    static constexpr Priority worst_first[] = {Priority::low, Priority::normal, Priority::high};

    struct Held {
        Batch batch;
        bool stored = false;
        std::uint64_t memory() const { return memory_of(batch); }
    };
    using Pool = std::map<std::uint64_t, Held>;  // by seq

    // Thinning goes over a lane's rows from the oldest on, again and again. A row may become as coarse as its
    // age divided by `points`, so that what is older is coarser; that number is halved when a pass was of no
    // use.
    struct ThinPass {
        std::uint64_t next = 0;  // 0: a new pass begins
        std::int64_t points = most_points;
        bool useful = true;    // this pass made something smaller
        bool limited = false;  // and could have, with fewer points
    };
    static constexpr std::int64_t most_points = 4096;

    struct Lane {
        Pool live;
        Pool ahead;
        std::set<std::uint64_t> first;  // of live: parts of a batch that was split, offered before the others
        std::map<std::uint64_t, std::uint64_t> acked;  // seq, readings
        std::uint64_t acked_readings = 0;
        std::uint64_t cursor = 0;                          // rows from here on are not read yet
        std::uint64_t last_row = 0;                        // highest on disk
        Totals disk;                                       // rows on disk, acked ones included
        std::optional<std::int64_t> oldest_wall_us;        // of the first row
        std::optional<std::int64_t> oldest_arrived_s = 0;  // likewise; none: no row waits
        ThinPass thinning;
    };
    struct Unstored {  // a batch that is in memory only, in order of arrival; stale entries are skipped
        std::uint64_t seq = 0;
        Priority priority = Priority::normal;
        MonoTime arrived;
    };
    // A batch that is replaced by its parts.
    struct Split {
        BatchHeader whole;
        std::vector<Batch> parts;  // none: it stays as it is
        std::string why_not;       // empty: its row is damaged or gone
    };
    // What one transaction does; applied to memory only when it was committed.
    struct Turn {
        using Rows = std::vector<std::pair<Priority, std::uint64_t>>;
        struct Insert {
            Held* held;
            std::size_t entry;  // in unstored_
        };
        std::size_t planned = 0;  // entries of unstored_ that it deals with
        std::vector<Insert> inserts;
        bool held_back = false;  // there was no room for the rest of unstored_, and none is to be made
        Rows acked;
        Rows evicted;
        Rows replaced;     // by coarser ones: what memory has of them is no longer true
        Rows turned_away;  // of the inserts, for want of room
        std::vector<Split> splits;
        std::vector<Held*> aside;  // lent ones that are set aside; their rows may have to be written
        std::vector<std::uint64_t> unwanted;  // set aside, and dropped since somebody says so
        GapLedger gaps;
        std::array<ThinPass, priority_count> thinning;
        std::int64_t cost = 0;       // of the inserts
        std::uint64_t reserved = 0;  // 0: as before
        std::optional<std::int64_t> oldest_refused_s;
        std::uint64_t dropped_readings = 0;
        std::uint64_t expired_readings = 0;   // of these
        std::uint64_t refused_readings = 0;   // likewise: had been set aside
        std::uint64_t unwanted_readings = 0;  // likewise, and somebody wants it so
        std::uint64_t thinned_readings = 0;
    };
    // Everything that waits, or only what became of batches that were lent.
    enum class Scope { all, answers };
    enum class From { oldest, newest };
    // Readings dropped or merged for want of room, in a row: two lines in the log.
    struct Episode {
        bool active = false;
        std::uint64_t dropped = 0;
        std::uint64_t thinned = 0;
    };

    // stored_buffer.cpp: what is offered, and what memory holds
    Lane& lane(Priority priority) { return lanes_[index_of(priority)]; }
    Held* find_unstored(const Unstored& entry);
    std::optional<Batch> lend_gap();
    std::optional<Batch> lend(Pool& pool, Pool::iterator held);
    bool may_leave(const Held& held) const;
    Pool::iterator first_live(Lane& lane);
    std::optional<Batch> peek_live_first();
    std::optional<Batch> lend_backlog(Lane& lane);
    std::optional<Batch> peek_oldest_first();
    void read_ahead(Priority priority);
    void drop_damaged_row(const BatchHeader& header);
    void leave_to_disk(Lane& lane, Pool& pool, Pool::iterator held);
    void free_ahead(Lane& lane);
    void free_stored(std::uint64_t down_to);
    std::uint64_t unstored_memory() const;
    void bound_memory();
    void drop_from_memory();
    void queue_unstored(const Held& held);
    void forget_unstored(Lane& lane, Pool::iterator held);
    void no_longer_held(Pool::iterator lent);
    void forget_acked(Lane& lane, std::uint64_t seq);
    bool must_store() const {
        return config_.durability == Durability::strict || !(link_up_ || link_expected_);
    }
    // A full disk can still be read, and what is sent from it makes room.
    bool can_read() const { return database_ && !(retry_at_ && reopen_); }
    std::optional<MonoTime> store_due();
    std::optional<MonoTime> delete_due() const;
    std::optional<MonoTime> shrink_if_idle();
    void end_episode_if_over();
    std::optional<MonoTime> look_for_room();
    std::size_t first_unstored_bytes();
    bool has_backlog() const;

    // stored_buffer_commit.cpp: transactions, eviction
    std::uint64_t new_seq();
    bool reserve_due() const;
    bool has_work(Scope scope) const;
    void commit(Scope scope);
    Result<void> commit_once(Scope scope);
    bool at_own_limit();
    Turn plan(Scope scope);
    Result<void> write_turn(BatchDatabase::Write& write, Turn& turn);
    static Result<void> write_gaps(BatchDatabase::Write& write, Turn& turn);
    void apply(Turn& turn);
    void forget_copies(Priority priority, std::uint64_t seq);
    void now_stored(Held& held);
    void refresh_lanes();
    void commit_last();
    Result<void> mark_clean();

    // stored_buffer_recovery.cpp: what happens when the disk fails
    void database_failed(const Error& error);
    void database_works();
    void try_again();
    void leave_database();
    Result<void> reopen();
    Result<void> rebuild(const Error& damage);
    Result<void> take_over(std::unique_ptr<BatchDatabase> database);
    void doubt(const Turn& turn);
    Result<void> reconcile();
    std::uint64_t readings_on_disk_only() const;
    void keep_what_memory_has();
    void sort_unstored();
    void go_on_living();

    // stored_buffer_salvage.cpp: what comes back from a damaged database
    bool look_after_damage();
    bool misses_rows() const;
    Result<void> resume_salvage();
    bool salvage_some();
    Result<void> take_slice(const Salvage::Slice& slice);
    void show_row(const BatchHeader& header);
    void add_lost(GapLedger& gaps, const SalvageNotes& notes);
    void end_salvage();
    bool leave_out_of_salvage(const BatchHeader& header);

    // stored_buffer_retention.cpp: what goes when a bound is reached
    std::int64_t room_needed(const Turn& turn) const;
    Result<bool> has_enough(const Turn& turn);
    Result<void> make_room(BatchDatabase::Write& write, Turn& turn);
    Result<void> hold_back(Turn& turn);
    Result<void> thin(BatchDatabase::Write& write, Turn& turn, Priority priority);
    Result<void> thin_rows(BatchDatabase::Write& write, Turn& turn, std::vector<Batch> rows, ThinPass& pass);
    Result<void> evict(BatchDatabase::Write& write, Turn& turn, Priority priority, From from);
    Result<void> drop_rows(BatchDatabase::Write& write, Turn& turn, const BatchDatabase::Rows& rows,
                           GapReason reason);
    Result<void> turn_away(Turn& turn, Priority priority, From from);
    bool may_go(const Turn& turn, Priority priority, std::uint64_t seq);
    Result<void> expire(BatchDatabase::Write& write, Turn& turn);
    std::optional<MonoTime> expiry_due() const;
    void tell_what_went(const Turn& turn);

    // stored_buffer_listing.cpp: what people ask of it
    void list_memory(Listing::Place from, std::map<std::uint64_t, Batch>& found) const;
    std::uint64_t purge_salvage();
    std::uint64_t purge_lane(Priority priority);

    // stored_buffer_refused.cpp: what the broker does not take
    bool is_settled(std::uint64_t lent) const {
        return to_set_aside_.contains(lent) || to_split_.contains(lent);
    }
    void bound_waiting_refusals();
    void split_in_memory(Pool::iterator whole, std::vector<Batch> parts);
    void plan_refused(Turn& turn);
    Result<void> take_apart(BatchDatabase::Write& write, Turn& turn);
    Result<void> put_aside(BatchDatabase::Write& write, Turn& turn);
    Result<void> put_parts(BatchDatabase::Write& write, const Turn& turn);
    Result<std::uint64_t> drop_refused(BatchDatabase::Write& write, Turn& turn, std::uint64_t seq,
                                       GapReason reason);
    Result<void> drop_oldest_refused(BatchDatabase::Write& write, Turn& turn);
    Result<void> expire_refused(BatchDatabase::Write& write, Turn& turn, std::int64_t limit_s);
    Result<void> drop_unwanted(BatchDatabase::Write& write, Turn& turn);
    Result<void> drop_refused_for_room(BatchDatabase::Write& write, Turn& turn);
    void apply_refused(Turn& turn);
    void apply_split(Split& split);
    void forget_stale_answers();
    Result<void> offer_again(const std::vector<std::uint64_t>& seqs);
    Result<RefusedMessage> read_refused(std::uint64_t seq, Priority priority);
    Result<std::vector<std::uint64_t>> find_all_refused(const std::vector<std::uint64_t>& message_seqs) const;

    // stored_buffer_clock.cpp: how long agents have run on this buffer, and wall times that are corrected
    std::int64_t lived_s() const;
    void look_at_clock();
    Result<void> write_clocks(BatchDatabase::Write& write, const Turn& turn);
    Result<void> keep_sent_clocks(BatchDatabase::Write& write) const;
    void correct(BatchHeader& header);
    void sent_as_it_is(Held& held);

    std::filesystem::path file_;
    BufferConfig config_;
    const Clock& clock_;
    Log& log_;
    std::unique_ptr<BatchDatabase> database_;  // null: it could not be reopened
    std::uint64_t epoch_;
    std::uint64_t next_seq_;
    std::uint64_t reserved_ = 0;  // no seq from here on may be given out; 0: none could be reserved yet

    std::array<Lane, priority_count> lanes_;
    Pool lent_;
    GapLedger gaps_;
    std::deque<Unstored> unstored_;
    MonoTime earliest_unstored_ = MonoTime::max();  // may be too early, never too late
    std::optional<MonoTime> first_ack_;             // of those that wait to be deleted
    std::uint64_t unstored_batches_ = 0;
    std::uint64_t unstored_readings_ = 0;
    std::uint64_t unstored_bytes_ = 0;
    std::uint64_t memory_bytes_ = 0;
    bool link_up_ = false;
    bool link_expected_ = false;
    bool shrinking_ = false;
    bool in_commit_ = false;
    bool reopen_ = false;               // before the next attempt
    bool knows_rows_ = false;           // a database has been open since start
    std::unique_ptr<Salvage> salvage_;  // null: none goes on
    bool requeued_ = false;             // what was on disk is in memory only: to be written before it goes on
    // Rows of a commit that failed: it may have reached the disk, as the next open will show. By seq.
    std::map<std::uint64_t, std::pair<Priority, std::uint64_t>> in_doubt_;  // readings

    // What the forwarder said of lent batches, and is to be written.
    std::map<std::uint64_t, Refusal> to_set_aside_;
    std::map<std::uint64_t, std::size_t> to_split_;  // room
    std::vector<std::uint64_t> unwanted_;            // set aside, and to be dropped with the next commit
    // The last that the broker said of these was no: gap records would be refused as well, so they wait.
    std::set<std::string> refused_inputs_;
    std::uint64_t refused_before_ = 0;  // rows, at the last look
    // When the oldest that can get too old arrived, or earlier; none: there is none.
    std::optional<std::int64_t> oldest_refused_s_ = 0;
    Episode refused_;

    DrainPace pace_;
    DrainMeter meter_;
    bool inputs_wait_ = false;
    bool held_back_ = false;  // what is in memory only has to wait until the disk has room
    Episode aged_;
    MonoTime next_expiry_look_{};

    const BootId boot_;
    const std::int64_t opened_boot_us_;
    std::int64_t lived_before_s_ = 0;
    MonoTime next_clock_look_{};
    std::optional<std::int64_t> wall_offset_us_;  // of this boot, once its clock is synchronised
    bool wall_offset_stored_ = false;
    std::map<std::uint64_t, Priority>
        sent_unsynchronised_;  // stored batches of this boot that keep their times

    std::uint64_t acked_readings_ = 0;
    std::uint64_t dropped_readings_ = 0;
    std::uint64_t thinned_readings_ = 0;
    std::uint64_t written_before_ = 0;  // by databases that were closed since start
    Episode full_;
    std::uint64_t lost_in_memory_ = 0;  // dropped since the database can't be used
    std::string last_error_;
    Backoff backoff_;
    std::optional<MonoTime> retry_at_;  // set while the database can't be used
    std::int64_t extra_pages_ = 0;  // room beyond the estimate, after a full database showed it was too low
};

}  // namespace holdfast
