#include "buffer/raw_reader.hpp"

#include <algorithm>
#include <cstring>

#include "base/utf8.hpp"
#include "buffer/batch_row.hpp"
#include "buffer/refused_mark.hpp"

namespace holdfast {

using namespace sqlite_format;

namespace {

constexpr std::uint64_t highest_sane_seq = std::uint64_t{1} << 60;
constexpr int deepest_tree = 24;
constexpr PageNumber likely_tail_pages = 32;
constexpr std::size_t pages_per_read = 64;
// Far above max_bytes of a batch, which may be 1 MiB.
constexpr std::uint64_t most_payload = 16 * 1024 * 1024;

constexpr Priority priorities_by_rank[] = {Priority::high, Priority::normal, Priority::low};

// Where the migrations put the tables; pages move, their roots never do. A test holds these against a
// database as SQLite makes it.
constexpr PageNumber meta_root = 3;
constexpr PageNumber inputs_root = 4;
constexpr PageNumber inputs_index_root = 5;
constexpr PageNumber boots_root = 6;
constexpr PageNumber boots_index_root = 7;
constexpr PageNumber low_root = 8;
constexpr PageNumber normal_root = 9;
constexpr PageNumber high_root = 10;

using Kind = Field::Kind;

bool is_row(const std::vector<Field>& values) {
    if (values.size() <= batch_row::body || values[batch_row::body].kind != Kind::blob) return false;
    return std::all_of(values.begin() + batch_row::input, values.begin() + batch_row::body,
                       [](const Field& value) { return value.kind == Kind::integer; });
}

}  // namespace

std::optional<std::uint64_t> RawReader::Notes::find(std::string_view key) const {
    const auto found = values.find(key);
    if (found == values.end()) return std::nullopt;
    return batch_row::to_unsigned(found->second);
}

Result<RawReader> RawReader::open(const std::filesystem::path& file) {
    auto pages = PageFile::open(file);
    if (!pages) return pages.error();
    RawReader reader(std::move(*pages));
    reader.read_notes();
    reader.parents_.resize(reader.pages_.page_count() + 1);
    return reader;
}

void RawReader::read_notes() {
    if (!pages_.read(meta_root, page_)) return;
    const auto page = TreePage::of(page_, meta_root);
    if (!page || page->kind() != PageKind::leaf_index) return;
    for (std::size_t i = 0; i < page->cells(); ++i) {
        const auto cell = page->cell(i);
        if (!cell || !decode_record(cell->local, values_) || values_.size() != 2) continue;
        if (values_[0].kind != Kind::text || values_[1].kind != Kind::integer) continue;
        notes_.values.emplace(values_[0].bytes, values_[1].integer);
    }
    batch_row::NotesGuard guard;
    for (const auto& [key, value] : notes_.values)
        guard.add(key, value);
    const auto stored = notes_.values.find(batch_row::guard_key);
    notes_.sound = stored != notes_.values.end() && stored->second == guard.value();
}

RawReader::Owner RawReader::owner_of_root(PageNumber number) {
    switch (number) {
        case meta_root:
            return Owner::meta;
        case inputs_root:
        case inputs_index_root:
            return Owner::inputs;
        case boots_root:
        case boots_index_root:
            return Owner::boots;
        case low_root:
            return Owner::low;
        case normal_root:
            return Owner::normal;
        case high_root:
            return Owner::high;
        default:
            return Owner::unknown;
    }
}

RawReader::Owner RawReader::owner_of(PageNumber number) {
    for (int level = 0; level < deepest_tree; ++level) {
        if (const Owner owner = owner_of_root(number); owner != Owner::unknown) return owner;
        if (number < 2 || number > pages_.page_count()) return Owner::unknown;
        const PageNumber map = map_of(number);
        if (number <= map) return Owner::unknown;
        if (map_number_ != map && !pages_.read(map, map_)) map_.assign(page_bytes, '\0');
        map_number_ = map;
        const std::size_t at = map_offset_of(number);
        const auto entry = static_cast<MapEntry>(map_[at]);
        if (entry == MapEntry::free && level == 0) return Owner::free;
        if (entry != MapEntry::tree) return Owner::unknown;
        number = big_endian(map_, at + 1);
    }
    return Owner::unknown;
}

RawReader::Owner RawReader::owner_by_parents(PageNumber number) const {
    for (int level = 0; level < deepest_tree && number != 0 && number < parents_.size(); ++level) {
        if (const Owner owner = owner_of_root(number); owner != Owner::unknown) return owner;
        number = parents_[number];
    }
    return Owner::unknown;
}

bool RawReader::scan(std::size_t pages) {
    if (is_scanned_) return true;
    for (; pages > 0 && scanned_ < pages_.page_count(); --pages)
        look_at(++scanned_);
    if (scanned_ < pages_.page_count()) return false;
    finish_scan();
    return true;
}

void RawReader::look_at(PageNumber number) {
    const bool is_map = number >= 2 && map_of(number) == number;
    if (is_map) return;
    const Owner owner = owner_of(number);
    if (owner == Owner::free || owner == Owner::meta) return;
    const bool is_lane = owner == Owner::low || owner == Owner::normal || owner == Owner::high;
    const auto page = pages_.read(number, page_) ? TreePage::of(page_, number) : std::nullopt;
    if (!page) {
        if (is_lane) lost_pages_ += 1;
        return;
    }
    if (owner == Owner::inputs || owner == Owner::boots) return learn_names(*page);
    if (page->kind() == PageKind::inner_table) {
        for (std::size_t i = 0; i < page->cells(); ++i)
            if (const auto cell = page->cell(i); cell && cell->child < parents_.size())
                parents_[cell->child] = number;
        if (page->last_child() < parents_.size()) parents_[page->last_child()] = number;
        return;
    }
    if (page->kind() != PageKind::leaf_table) return;
    const auto seq = first_seq(*page);
    if (!seq) {
        if (is_lane && page->cells() > 0) lost_pages_ += 1;
        if (!is_lane) learn_names(*page);
        if (!is_lane) learn_refusals(*page);
        return;
    }
    const std::uint8_t rank = owner == Owner::high ? 0 : owner == Owner::low ? 2 : 1;
    leaves_.push_back({rank, *seq, number});
    if (!is_lane) ownerless_.push_back(number);
}

void RawReader::finish_scan() {
    for (Place& leaf : leaves_) {
        if (!std::binary_search(ownerless_.begin(), ownerless_.end(), leaf.page)) continue;
        const Owner owner = owner_by_parents(leaf.page);
        if (owner == Owner::high) leaf.rank = 0;
        if (owner == Owner::low) leaf.rank = 2;
    }
    std::sort(leaves_.begin(), leaves_.end());
    ownerless_ = {};
    parents_ = {};
    is_scanned_ = true;
}

// Rows of `inputs` and `boots`, and the entries of their indexes, which are the same the other way round.
void RawReader::learn_names(const TreePage& page) {
    const bool is_table = page.kind() == PageKind::leaf_table;
    if (!is_table && page.kind() != PageKind::leaf_index) return;
    for (std::size_t i = 0; i < page.cells(); ++i) {
        const auto cell = page.cell(i);
        if (!cell || cell->overflow != 0 || !decode_record(cell->local, values_) || values_.size() < 2)
            continue;
        const Field& name = values_[is_table ? 1 : 0];
        if (is_table ? values_[0].kind != Kind::null : values_[1].kind != Kind::integer) continue;
        const std::int64_t id = is_table ? batch_row::to_signed(cell->rowid) : values_[1].integer;
        if (name.kind == Kind::text && values_.size() == 2 && is_plain_text(name.bytes) &&
            !name.bytes.empty()) {
            std::vector<std::string>& names = inputs_[id];
            if (std::find(names.begin(), names.end(), name.bytes) == names.end())
                names.emplace_back(name.bytes);
        } else if (name.kind == Kind::blob && values_.size() <= 3) {
            const bool has_offset = is_table && values_.size() == 3 && values_[2].kind == Kind::integer;
            learn_boot(name.bytes, id, has_offset ? std::optional(values_[2].integer) : std::nullopt);
        }
    }
}

void RawReader::learn_refusals(const TreePage& page) {
    namespace mark = refused_mark;
    for (std::size_t i = 0; i < page.cells(); ++i) {
        const auto cell = page.cell(i);
        if (!cell || cell->overflow != 0 || !decode_record(cell->local, values_)) continue;
        if (values_.size() != mark::column_count || values_[mark::reason].kind != Kind::text) continue;
        std::array<std::int64_t, mark::checksum> numbers{};
        for (std::size_t column = 0; column < numbers.size(); ++column)
            numbers[column] = values_[column].integer;
        numbers[mark::seq] = batch_row::to_signed(cell->rowid);
        const std::string_view reason = values_[mark::reason].bytes;
        if (values_[mark::checksum].integer == mark::checksum_of(numbers, reason))
            refusals_.emplace(cell->rowid, mark::refusal_of(numbers, reason));
    }
}

void RawReader::learn_boot(std::string_view boot, std::int64_t id,
                           std::optional<std::int64_t> wall_offset_us) {
    BootId boot_id{};
    if (boot.size() != boot_id.size()) return;
    std::memcpy(boot_id.data(), boot.data(), boot.size());
    boots_.emplace(id, boot_id);
    if (wall_offset_us) wall_offsets_.emplace(boot_id, *wall_offset_us);
}

std::optional<std::uint64_t> RawReader::first_seq(const TreePage& page) {
    for (std::size_t i = 0; i < page.cells(); ++i) {
        const auto cell = page.cell(i);
        // Of a long row the columns lie in the page, and the end of the body elsewhere.
        if (!cell || cell->bytes > most_payload) continue;
        if (decode_record(payload_of(*cell), values_) && is_row(values_)) return cell->rowid;
    }
    return std::nullopt;
}

// The whole payload, collected from the chain of pages where it goes on; what is missing of it is missing.
std::string_view RawReader::payload_of(const Cell& cell) {
    if (cell.overflow == 0) return cell.local;
    const auto size = static_cast<std::size_t>(cell.bytes);
    payload_.assign(cell.local);
    PageNumber next = cell.overflow;
    while (next != 0 && payload_.size() < size && pages_.read(next, chain_)) {
        payload_.append(chain_, 4, std::min<std::size_t>(page_bytes - 4, size - payload_.size()));
        next = big_endian(chain_, 0);
    }
    payload_.resize(size);
    return payload_;
}

RawReader::Rows RawReader::read(const Place& from, std::size_t most_bytes) {
    Rows rows;
    std::size_t bytes = 0;
    auto at = std::lower_bound(leaves_.begin(), leaves_.end(), from);
    for (std::size_t pages = 0; at != leaves_.end() && pages < pages_per_read && bytes < most_bytes; ++pages)
        read_page(*at++, rows, bytes);
    if (at != leaves_.end()) rows.next = *at;
    return rows;
}

void RawReader::read_page(const Place& place, Rows& rows, std::size_t& bytes) {
    const auto page = pages_.read(place.page, page_) ? TreePage::of(page_, place.page) : std::nullopt;
    if (!page) return;
    for (std::size_t i = 0; i < page->cells(); ++i) {
        const auto cell = page->cell(i);
        if (!cell || cell->bytes > most_payload) continue;
        Batch batch;
        batch.header.priority = priorities_by_rank[place.rank];
        const bool is_sound = decode_row(*cell, batch);
        bytes += batch.body.size();
        if (is_sound) {
            rows.batches.push_back(std::move(batch));
        } else if (batch.header.seq != 0) {
            batch.header.count = batch_row::likely_count(batch);
            rows.damaged.push_back(std::move(batch.header));
        }
    }
}

bool RawReader::decode_row(const Cell& cell, Batch& batch) {
    using namespace batch_row;
    if (!decode_record(payload_of(cell), values_) || !is_row(values_)) return false;
    const auto integer = [this](Column column) {
        return column < values_.size() ? values_[column].integer : 0;
    };
    BatchHeader& header = batch.header;
    header.seq = cell.rowid;
    header.kind = static_cast<BatchKind>(integer(kind));
    header.count = static_cast<std::uint32_t>(integer(count));
    header.first_us = integer(first_us);
    header.last_us = integer(last_us);
    header.wall_offset_us = integer(wall_offset_us);
    header.clock = clock_state(integer(synchronised));
    header.arrived_s = integer(arrived_s);
    header.message_seq = to_unsigned(integer(message_seq));
    if (const auto boot_id = boots_.find(integer(boot)); boot_id != boots_.end())
        header.boot = boot_id->second;
    auto unpacked = packing_.unpack(values_[body].bytes);
    if (!unpacked) return false;
    batch.body = std::move(*unpacked);
    const auto names = inputs_.find(integer(input));
    if (names == inputs_.end()) return false;
    for (const std::string& name : names->second) {
        header.input = name;
        if (checksum_matches(header, batch.body, integer(checksum))) return true;
    }
    return false;
}

std::uint64_t RawReader::likely_last_seq() {
    std::uint64_t last = 0;
    const auto consider = [&](PageNumber number) {
        if (const auto seq = last_seq_in(number); seq && *seq < highest_sane_seq) last = std::max(last, *seq);
    };
    for (PageNumber number : {low_root, normal_root, high_root})
        for (int level = 0; level < deepest_tree; ++level) {
            consider(number);
            const auto page = pages_.read(number, page_) ? TreePage::of(page_, number) : std::nullopt;
            if (!page || page->kind() != PageKind::inner_table) break;
            number = page->last_child();
        }
    for (const PageNumber number : pages_.wal_pages())
        consider(number);
    const PageNumber pages = pages_.page_count();
    for (PageNumber number = pages - std::min(pages, likely_tail_pages); number < pages; ++number)
        consider(number + 1);
    return last;
}

std::optional<std::uint64_t> RawReader::last_seq_in(PageNumber number) {
    const auto page = pages_.read(number, page_) ? TreePage::of(page_, number) : std::nullopt;
    if (!page || page->kind() != PageKind::leaf_table) return std::nullopt;
    for (std::size_t i = page->cells(); i-- > 0;) {
        const auto cell = page->cell(i);
        if (cell && cell->bytes <= most_payload && decode_record(payload_of(*cell), values_) &&
            is_row(values_))
            return cell->rowid;
    }
    return std::nullopt;
}

std::string RawReader::any_input() const {
    for (const auto& [id, names] : inputs_)
        if (!names.empty()) return names.front();
    return {};
}

}  // namespace holdfast
