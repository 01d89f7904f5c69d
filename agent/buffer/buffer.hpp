// Keeps batches until they are acknowledged, within a byte budget, across power loss.
//
// Passive and single-threaded: the store thread owns it and tells it what happened and what time it is. It
// decides what rests in memory and what goes to flash (durability), when to commit (group commit), what is
// offered next (order), and what is dropped when a bound is reached (counted, logged once an episode, and
// told to the broker by a gap record).
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <vector>

#include "base/clock.hpp"
#include "base/log.hpp"
#include "base/result.hpp"
#include "config/config.hpp"
#include "model/batch.hpp"
#include "model/refusal.hpp"

namespace holdfast {

// All counts since start but where they say what is held now.
struct BufferStatus {
    std::uint64_t batches = 0;             // held now: taken in and neither acknowledged nor dropped
    std::uint64_t readings = 0;            // in them
    std::uint64_t in_memory_readings = 0;  // of `readings`: not on disk now
    std::uint64_t committed_readings = 0;  // of `readings`: on disk now
    std::uint64_t bytes = 0;               // database and WAL on disk
    // Time of the oldest reading held that is not set aside.
    std::optional<std::int64_t> oldest_wall_us;
    std::optional<std::int64_t>
        oldest_age_s;  // since it was taken in, in running time: no jump of a clock is in it
    std::uint64_t salvaging_readings = 0;  // in a damaged buffer, yet to be taken over or found lost
    std::uint64_t acked_readings = 0;  // in one snapshot with `readings`, so that the sums hold at any time
    std::uint64_t dropped_readings = 0;
    std::uint64_t thinned_readings = 0;  // merged into coarser ones: neither held by themselves nor dropped
    double drain_rate = 0;               // readings acknowledged per second, over the last ten seconds
    std::optional<std::int64_t> empty_in_s;   // if all goes on like this; none: they do not get fewer
    bool inputs_wait = false;                 // when_full is block, and it is
    std::uint64_t refused_messages = 0;       // set aside now
    std::uint64_t refused_readings = 0;       // in them; `readings` has them as well
    std::uint64_t written_bytes = 0;          // to the buffer's files
    std::uint64_t written_bytes_per_day = 0;  // on average since start
    std::string last_error;                   // why flash can't be used now; empty: it can
};

// What is held, for a look at it: by priority, high first, and by seq within.
struct Listing {
    struct Place {
        Priority priority = Priority::high;
        std::uint64_t seq = 0;
        bool operator==(const Place&) const = default;
    };
    std::vector<Batch> batches;
    std::optional<Place> next;  // where to go on; none: that was all
    bool whole = true;          // false: what is on disk could not be read
};

// A message that is set aside because the broker refused it.
struct RefusedMessage {
    Batch batch;
    Refusal refusal;
    // On the disk: of the batch only seq, id, priority and count are known, from its mark.
    bool damaged = false;
};

// Those that are set aside, by seq.
struct RefusedListing {
    std::vector<RefusedMessage> messages;
    std::optional<std::uint64_t> next;  // where to go on; none: that was all
};

// What people want done with messages that are set aside: sent again, or forgotten.
enum class RefusedVerdict { retry, drop };

class Buffer {
  public:
    // Opens or makes DIR/buffer.db. Fails when the directory can't be used at all; a damaged database is set
    // aside, not a failure.
    static Result<std::unique_ptr<Buffer>> open(const std::filesystem::path& directory,
                                                const BufferConfig& config, const Clock& clock, Log& log);
    virtual ~Buffer() = default;

    virtual std::uint64_t epoch() const = 0;  // made with the database; with seq the id of a message

    // Takes in a batch and gives it its seq. Never fails: what can't be kept is dropped by the policy and
    // counted.
    virtual void append(Batch batch) = 0;
    // Lends the next batch to send: a copy; the original stays until ack or give_back. None: nothing may be
    // sent now.
    virtual std::optional<Batch> peek() = 0;
    virtual void ack(std::uint64_t seq) = 0;        // unknown or repeated: ignored
    virtual void give_back(std::uint64_t seq) = 0;  // likewise
    // Likewise. The broker will not have it: it is kept, but not offered any more, also after a restart.
    virtual void set_aside(Refusal refusal) = 0;
    // Likewise. Too large and never sent: smaller batches take its place, all of them or none.
    virtual void split(const Oversize& oversize) = 0;
    virtual void set_link(bool up) = 0;
    // A link is being tried for the first time: until set_link() tells how that went, what is taken in waits
    // for spill_after as if it were up. Without this a start on a good link would write to flash for a
    // second.
    virtual void expect_link() = 0;
    // Copies of some batches from there on, lent ones and those on disk included; nothing changes.
    virtual Listing list(Listing::Place from) = 0;
    // Drops everything that is held and not lent, counted and without gap records. Returns the readings.
    virtual std::uint64_t purge() = 0;
    // Copies of some that are set aside, from that seq on. Fails with retry when the disk can't be read.
    virtual Result<RefusedListing> list_refused(std::uint64_t from) = 0;
    // The one with that id; none: it is not set aside.
    virtual Result<std::optional<RefusedMessage>> find_refused(std::uint64_t message_seq) = 0;
    // Offers those again with the same id and bytes, or drops them, counted and with gap records; all that
    // are set aside when none is named. Returns how many, and their readings. Fails with gone, and does
    // nothing, when one of them is not set aside; with retry when the disk can't be written.
    virtual Result<Totals> settle_refused(RefusedVerdict verdict,
                                          const std::vector<std::uint64_t>& message_seqs) = 0;
    // Does what is due now: commits, spills, shrinks. Returns when it wants to be called next; none: when
    // something happens.
    virtual std::optional<MonoTime> step() = 0;
    // Commits everything held, lent batches included, and closes the database. To be called once, last.
    virtual Result<void> close() = 0;
    virtual BufferStatus status() const = 0;
    // False: take in no more for now (when_full is block). What comes all the same is held in memory.
    virtual bool has_room() const = 0;
};

// How much may wait for the buffer before its inputs have to.
Bytes inbox_limit(const BufferConfig& config);

// That of the library in use: "SQLite 3.40.1".
std::string sqlite_version();

}  // namespace holdfast
