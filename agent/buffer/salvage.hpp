// Takes what can be read of a damaged buffer over into the fresh one, while the agent runs.
//
// Passive; belongs to the buffer, which writes each slice down together with the notes of how far it is: so a
// restart goes on exactly there.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <unordered_set>
#include <vector>

#include "buffer/batch_database.hpp"
#include "buffer/raw_reader.hpp"

namespace holdfast {

// In `meta` of the fresh database while the salvage goes on.
struct SalvageNotes {
    std::uint64_t set = 0;  // it is FILE.corrupt-N
    RawReader::Place from;
    std::uint64_t below = 0;                // the seqs in it are lower
    std::optional<std::uint64_t> expected;  // readings that it had and that were not found yet; none: unknown
    bool counts_all = false;                // expected has all rows, not only those that its own totals count
    std::uint64_t saved = 0;                // readings
    std::uint64_t lost = 0;                 // readings in damaged rows

    // None: no salvage goes on.
    static Result<std::optional<SalvageNotes>> read(BatchDatabase& database);
    Result<void> write(BatchDatabase::Write& to) const;
    static Result<void> erase(BatchDatabase::Write& from);
};

class Salvage {
  public:
    // When the set can't be opened any more, the first slice is the last and everything is lost.
    Salvage(const std::filesystem::path& file, SalvageNotes notes);

    struct Slice {
        std::vector<Batch> batches;
        std::vector<BatchHeader> damaged;  // rows that are lost, each with a gap of its own
        SalvageNotes after;
        bool is_last = false;  // it is empty; all rows have come
    };
    // Reads a bounded amount on; none: it is still looking for the rows. The same again until it was
    // committed().
    std::optional<Slice> step(std::size_t bytes);
    void committed(const Slice& slice);

    // Where the readings were that are lost, as far as that can be told: between the rows around the widest
    // hole. None: nothing is known, not even an input.
    std::optional<BatchHeader> hole() const;
    std::map<BootId, std::int64_t> wall_offsets() const;
    // Why that row was set aside; null: it was not.
    const Refusal* refusal(std::uint64_t seq) const;

    const SalvageNotes& notes() const { return notes_; }
    // Whether the row may still come.
    bool is_ahead(Priority priority, std::uint64_t seq) const;
    // It is not to come any more. `readings` of what is expected are in it.
    void leave_out(std::uint64_t seq, std::uint64_t readings);

  private:
    struct Hole {
        std::optional<BatchHeader> around;
        std::uint64_t width = 0;
        void widen(const BatchHeader& before, const BatchHeader& after, std::uint64_t end);
    };
    bool is_counted(const BatchHeader& header) const;
    std::uint64_t counted_through(Priority priority) const;

    std::optional<RawReader> reader_;
    SalvageNotes notes_;
    std::unordered_set<std::uint64_t> left_out_;
    std::array<std::optional<BatchHeader>, priority_count> last_;  // saved, by lane
    Hole hole_;
};

}  // namespace holdfast
