// Reads the batches out of a buffer's files, sound or damaged, without SQLite and without writing: each leaf
// page by itself, in order of seq. A row counts when its checksum is right.
// docs/decisions/0007-salvage-by-page.md
//
// Passive, works in slices of a bounded size; one thread. First scan() has to be called until it has seen
// every page; then read() gives the rows.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "buffer/packing.hpp"
#include "buffer/page_file.hpp"
#include "model/batch.hpp"
#include "model/refusal.hpp"

namespace holdfast {

class RawReader {
  public:
    // Fails as PageFile::open does.
    static Result<RawReader> open(const std::filesystem::path& file);

    PageFile::Wal wal() const { return pages_.wal(); }

    // The numbers in `meta`.
    struct Notes {
        bool sound = false;  // their checksum is right
        std::map<std::string, std::int64_t, std::less<>> values;
        std::optional<std::uint64_t> find(std::string_view key) const;
    };
    const Notes& notes() const { return notes_; }
    // The highest seq in the places where it is most likely; nothing is certain about the others.
    std::uint64_t likely_last_seq();

    // Looks at `pages` more; true when it has seen all.
    bool scan(std::size_t pages);
    // Leaf pages that hold no row that can be made out, although they should.
    std::uint64_t lost_pages() const { return lost_pages_; }

    // A leaf page, in the order of reading: high priority first, then by seq.
    struct Place {
        std::uint8_t rank = 0;  // 0 high, 1 normal, 2 low
        std::uint64_t seq = 0;  // of its first row
        std::uint32_t page = 0;
        auto operator<=>(const Place&) const = default;
    };
    struct Rows {
        std::vector<Batch> batches;
        std::vector<BatchHeader> damaged;  // what their columns say; an empty input is one that is not known
        std::optional<Place> next;         // none: these were the last
    };
    // Whole pages from `from` on, until they have `bytes` of bodies.
    Rows read(const Place& from, std::size_t bytes);

    // Wall time minus boot time of boots, as measured.
    const std::map<BootId, std::int64_t>& wall_offsets() const { return wall_offsets_; }
    // Why rows are set aside, by seq; one that is damaged, or was on a page that is, is not among them.
    const std::map<std::uint64_t, Refusal>& refusals() const { return refusals_; }
    // A name of an input that is there; empty: none is.
    std::string any_input() const;

  private:
    using PageNumber = PageFile::PageNumber;
    enum class Owner : std::uint8_t { unknown, free, meta, inputs, boots, low, normal, high };

    explicit RawReader(PageFile pages) : pages_(std::move(pages)) {}
    void read_notes();
    void look_at(PageNumber number);
    void finish_scan();
    static Owner owner_of_root(PageNumber number);
    Owner owner_of(PageNumber number);
    Owner owner_by_parents(PageNumber number) const;
    void learn_names(const sqlite_format::TreePage& page);
    void learn_refusals(const sqlite_format::TreePage& page);
    void learn_boot(std::string_view boot, std::int64_t id, std::optional<std::int64_t> wall_offset_us);
    std::optional<std::uint64_t> first_seq(const sqlite_format::TreePage& page);
    std::optional<std::uint64_t> last_seq_in(PageNumber number);
    std::string_view payload_of(const sqlite_format::Cell& cell);
    void read_page(const Place& place, Rows& rows, std::size_t& bytes);
    bool decode_row(const sqlite_format::Cell& cell, Batch& batch);

    PageFile pages_;
    Notes notes_;
    PageNumber scanned_ = 0;
    bool is_scanned_ = false;
    std::vector<Place> leaves_;
    std::vector<PageNumber> ownerless_;  // of the leaves: the map does not say which table they belong to
    std::vector<PageNumber> parents_;    // by page, as the inner pages say
    std::uint64_t lost_pages_ = 0;
    // Two copies are on the disk, the table and its index; where they differ, checksums tell which is right.
    std::map<std::int64_t, std::vector<std::string>> inputs_;
    std::map<std::int64_t, BootId> boots_;
    std::map<BootId, std::int64_t> wall_offsets_;
    std::map<std::uint64_t, Refusal> refusals_;
    // Storage that is kept.
    std::string page_, map_, chain_, payload_;
    PageNumber map_number_ = 0;
    std::vector<sqlite_format::Field> values_;
    Packing packing_;
};

}  // namespace holdfast
