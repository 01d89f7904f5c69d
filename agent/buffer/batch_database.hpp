// The rows of the buffer: one per batch, a table per priority, in one SQLite file. docs/buffer-format.md
// draws the schema.
//
// Knows how to write, read and count rows durably, and how much room they take; decides nothing. The buffer
// owns it; one thread.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "buffer/packing.hpp"
#include "buffer/refused_mark.hpp"
#include "buffer/sqlite.hpp"
#include "model/batch.hpp"

namespace holdfast {

constexpr std::size_t index_of(Priority priority) {
    return static_cast<std::size_t>(priority);
}

// How max_size is shared between the database file and its WAL.
struct FileBudget {
    explicit FileBudget(Bytes max_size);
    std::int64_t database_pages;    // max_page_count
    std::uint64_t wal_bytes;        // what the WAL may grow to
    std::int64_t checkpoint_pages;  // wal_autocheckpoint
    std::size_t transaction_bytes;  // bodies in one transaction
};

class BatchDatabase {
  public:
    static constexpr int schema_version = 3;

    // Opens or makes the file. Fails with corrupt when it is damaged or no buffer of ours, with config when a
    // newer version wrote it (then nothing was touched), with retry or full when it can't be read or written.
    static Result<std::unique_ptr<BatchDatabase>> open(const std::filesystem::path& file, Bytes max_size);

    std::uint64_t epoch() const { return epoch_; }
    std::uint64_t next_seq() const {
        return book_.next_seq;
    }  // no batch got this or a higher one before this open
    bool closed_cleanly() const { return closed_cleanly_; }  // before this open
    // For how long agents had run on this buffer before this open, as far as rows and notes tell: at least.
    std::chrono::seconds lived() const { return lived_; }
    // Wall time minus boot time of a boot, once its clock was synchronised; none: it was not, or is not
    // known.
    std::optional<std::int64_t> wall_offset(const BootId& boot);
    Totals totals(Priority priority) const { return book_.lanes[index_of(priority)].totals; }
    std::uint64_t last_seq(Priority priority) const { return book_.lanes[index_of(priority)].last_seq; }

    // 0: it is not there.
    Result<std::uint64_t> note(std::string_view key) { return meta(key); }

    // Looks for damage as far as that is quick. Fails with corrupt.
    Result<void> check();

    struct Rows {
        std::vector<Batch> batches;
        std::vector<BatchHeader> damaged;  // rows whose checksum is wrong
        std::uint64_t next = 0;            // where to go on
    };
    struct ReadLimit {
        std::size_t rows = 0;
        std::size_t bytes = 0;  // at least one row is read
    };
    using Wanted = std::function<bool(std::uint64_t seq)>;
    // Without or with the rows that are set aside.
    enum class Which { waiting, all };
    // Rows with seq in [from, to], in that order; those that are not wanted are passed over. Next is past
    // `to` at the end.
    Result<Rows> read(Priority priority, std::uint64_t from, std::uint64_t to, ReadLimit limit,
                      const Wanted& wanted, Which which = Which::waiting);
    // The same from the other end, waiting rows only: next is where to go on downwards, 0 at the end.
    Result<Rows> read_back(Priority priority, std::uint64_t to, ReadLimit limit, const Wanted& wanted);
    Result<bool> contains(Priority priority, std::uint64_t seq);

    // Rows that are set aside: they stay where they are, and a mark in a table of its own tells why.
    const RefusedMarks& refused() const { return refused_; }
    // Why; none: the row is not set aside.
    Result<std::optional<Refusal>> refusal(std::uint64_t seq);

    // A transaction; everything is as before when it is destroyed without commit().
    class Write {
      public:
        explicit Write(BatchDatabase& database, Transaction transaction);
        Write(Write&&) noexcept;
        ~Write();
        Result<void> put(const Batch& batch);  // a row that is there already stays as it is
        // A row that is not there is no failure. `readings` are those it holds.
        Result<void> erase(Priority priority, std::uint64_t seq, std::uint64_t readings);
        Result<void> reserve(std::uint64_t next_seq);
        Result<void> adopt(std::uint64_t epoch);  // a database made to take over from a damaged one
        Result<void> mark_clean();
        // Numbers by name beside those of the database itself.
        Result<void> note(std::string_view key, std::uint64_t value);
        Result<void> erase_note(std::string_view key);
        Result<void> set_lived(std::chrono::seconds lived);
        Result<void> set_wall_offset(const BootId& boot, std::int64_t wall_offset_us);
        // The row, which has to be there, is no longer read as one that waits to be sent; until take_back().
        Result<void> set_aside(Priority priority, std::uint64_t message_seq, std::uint64_t readings,
                               const Refusal& refusal);
        Result<void> take_back(std::uint64_t seq);
        // The row's times are not to be corrected: it was sent with them.
        Result<void> keep_clock(Priority priority, std::uint64_t seq);
        Result<void> commit();

      private:
        struct Before;
        BatchDatabase* database_;
        std::unique_ptr<Before> before_;
        Transaction transaction_;
    };
    Result<Write> write();

    // Looks at the file system: the file grows no more than leaves it the floor. Default: a twentieth of it,
    // at most 64 MiB.
    void look_at_disk(std::optional<Bytes> floor);
    // Whether it was the file system, and not max_size, that was the nearer bound then.
    bool limited_by_disk() const { return most_pages_ < budget_.database_pages; }
    // The WAL can't grow: what was reserved for it has to do, so transactions have to be small.
    bool short_of_disk() const { return short_of_disk_; }
    // Pages that can be filled before the nearer bound is reached; negative: over it (max_size was lowered).
    Result<std::int64_t> free_pages();
    // Likewise before max_size is reached.
    Result<std::int64_t> pages_to_max_size();
    // What a row of this size takes at most.
    static std::int64_t row_cost(std::size_t body_bytes);
    static std::int64_t pages_for(std::int64_t cost);

    // Free pages inside the file.
    Result<std::int64_t> unused_pages();
    std::int64_t file_pages();
    // Gives back up to `pages` of them to the file system; the file itself shrinks with the next
    // truncate_wal().
    Result<void> shrink(std::int64_t pages);
    Result<void> truncate_wal();
    // The file may grow beyond max_size from now on.
    void lift_limit();
    // Bodies in one transaction.
    std::size_t transaction_bytes() const;

    const FileBudget& budget() const { return budget_; }
    std::uint64_t file_bytes() const;  // database and WAL
    std::uint64_t written_bytes() const { return database_.written_bytes(); }
    // For a database that is to be set aside: closing it then changes nothing.
    void abandon() { database_.on_close(Database::Wal::keep); }

  private:
    struct LaneBook {
        Totals totals;
        std::uint64_t last_seq = 0;         // highest in the table
        std::uint64_t counted_through = 0;  // totals on disk include rows up to here, and no other
        std::uint64_t uncounted = 0;        // rows above
        std::uint64_t first_waiting = 0;    // all rows below are set aside, so that nobody steps over them
    };
    struct Book {
        std::uint64_t next_seq = 1;
        std::array<LaneBook, priority_count> lanes;
        bool recount = false;  // the totals on disk no longer follow from rows above counted_through
    };
    struct LaneStatements {
        Statement insert, erase, select, select_back, exists, body_bytes, keep_clock;
    };

    BatchDatabase(std::filesystem::path file, Bytes max_size, Database database);
    Result<void> prepare(std::initializer_list<std::pair<Statement*, std::string>> statements);
    Result<void> prepare_reading();
    Result<void> prepare_writing();
    Result<void> load();
    Result<void> load_lane(Priority priority);
    Result<void> load_refused();
    Result<void> set_meta(std::string_view key, std::uint64_t value);
    Result<std::uint64_t> meta(std::string_view key);
    Result<std::int64_t> guard();
    Result<void> write_guard();
    Result<void> write_totals();
    Result<std::int64_t> intern_input(const std::string& name);
    Result<std::int64_t> intern_boot(const BootId& boot);
    Result<Batch> decode(const Statement& row, Priority priority);
    void forget_names();
    Result<Rows> collect(Statement& select, Priority priority, ReadLimit limit, const Wanted& wanted);
    Result<void> limit_wal();
    void reserve_wal();

    std::filesystem::path file_;
    std::filesystem::path wal_;
    FileBudget budget_;
    std::int64_t most_pages_;  // of the file, as of the last look at the disk
    bool short_of_disk_ = false;
    Database database_;  // before the statements: they have to go first
    std::array<LaneStatements, priority_count> lanes_;
    Statement set_meta_, erase_meta_, get_meta_, all_meta_, add_input_, find_input_, input_name_, add_boot_,
        find_boot_, boot_id_;
    Statement wall_offset_, set_wall_offset_;
    Statement add_mark_, erase_mark_, find_mark_;
    Statement page_count_, freelist_count_;
    std::map<std::string, std::int64_t, std::less<>> input_ids_;
    std::map<std::int64_t, std::string> input_names_;
    std::map<BootId, std::int64_t> boot_refs_;
    std::map<std::int64_t, BootId> boot_ids_;
    std::map<BootId, std::optional<std::int64_t>> wall_offsets_;
    Packing packing_;
    Book book_;
    RefusedMarks refused_;
    bool meta_changed_ = false;
    std::uint64_t epoch_ = 0;
    bool closed_cleanly_ = true;
    std::chrono::seconds lived_{0};
};

}  // namespace holdfast
