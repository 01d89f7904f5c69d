#include "buffer/salvage.hpp"

#include <algorithm>

#include "buffer/batch_row.hpp"
#include "buffer/damaged_set.hpp"

namespace holdfast {
namespace {

constexpr std::size_t pages_per_step = 256;

constexpr std::string_view keys[] = {"salvage_set",   "salvage_rank",       "salvage_seq",
                                     "salvage_page",  "salvage_below",      "salvage_expected",
                                     "salvage_saved", "salvage_counts_all", "salvage_lost"};

constexpr RawReader::Place behind_all{priority_count, 0, 0};

constexpr std::uint8_t rank_of(Priority priority) {
    return static_cast<std::uint8_t>(priority_count - 1 - index_of(priority));
}

}  // namespace

Result<std::optional<SalvageNotes>> SalvageNotes::read(BatchDatabase& database) {
    std::array<std::uint64_t, std::size(keys)> values{};
    for (std::size_t i = 0; i < std::size(keys); ++i) {
        const auto value = database.note(keys[i]);
        if (!value) return value.error();
        values[i] = *value;
    }
    if (values[0] == 0) return std::optional<SalvageNotes>{};
    SalvageNotes notes;
    notes.set = values[0];
    notes.from = {static_cast<std::uint8_t>(values[1]), values[2], static_cast<std::uint32_t>(values[3])};
    notes.below = values[4];
    if (values[5] > 0) notes.expected = values[5] - 1;
    notes.saved = values[6];
    notes.counts_all = values[7] != 0;
    notes.lost = values[8];
    return std::optional(notes);
}

Result<void> SalvageNotes::write(BatchDatabase::Write& to) const {
    const std::uint64_t values[] = {
        set, from.rank, from.seq, from.page, below, expected ? *expected + 1 : 0, saved, counts_all ? 1U : 0U,
        lost};
    for (std::size_t i = 0; i < std::size(keys); ++i)
        if (auto done = to.note(keys[i], values[i]); !done) return done;
    return {};
}

Result<void> SalvageNotes::erase(BatchDatabase::Write& from) {
    for (const std::string_view key : keys)
        if (auto done = from.erase_note(key); !done) return done;
    return {};
}

Salvage::Salvage(const std::filesystem::path& file, SalvageNotes notes) : notes_(notes) {
    auto reader = RawReader::open(damaged_set(file, notes.set));
    if (reader) reader_ = std::move(*reader);
}

std::optional<Salvage::Slice> Salvage::step(std::size_t bytes) {
    Slice slice;
    slice.after = notes_;
    slice.is_last = true;
    if (!reader_) return slice;
    if (!reader_->scan(pages_per_step)) return std::nullopt;
    RawReader::Rows rows = reader_->read(notes_.from, bytes);
    slice.after.from = rows.next.value_or(behind_all);
    slice.is_last = notes_.from == behind_all;
    std::optional<std::uint64_t>& expected = slice.after.expected;
    for (Batch& batch : rows.batches) {
        const BatchHeader& header = batch.header;
        if (header.seq >= notes_.below || left_out_.contains(header.seq)) continue;
        const std::uint64_t readings = readings_held(header);
        if (expected && is_counted(header)) *expected -= std::min(*expected, readings);
        slice.after.saved += readings;
        slice.batches.push_back(std::move(batch));
    }
    for (BatchHeader& header : rows.damaged) {
        if (header.input.empty() || header.seq >= notes_.below || left_out_.contains(header.seq)) continue;
        // Its count may be what is damaged.
        if (expected && is_counted(header)) {
            header.count = static_cast<std::uint32_t>(std::min<std::uint64_t>(header.count, *expected));
            *expected -= header.count;
        }
        slice.after.lost += readings_held(header);
        slice.damaged.push_back(std::move(header));
    }
    return slice;
}

void Salvage::committed(const Slice& slice) {
    for (const Batch& batch : slice.batches) {
        std::optional<BatchHeader>& last = last_[index_of(batch.header.priority)];
        if (last && batch.header.seq > last->seq) hole_.widen(*last, batch.header, batch.header.seq);
        last = batch.header;
    }
    notes_ = slice.after;
}

void Salvage::Hole::widen(const BatchHeader& before, const BatchHeader& after, std::uint64_t end) {
    if (end - before.seq <= width) return;
    width = end - before.seq;
    around = before;
    // On the wall clock, since the two may be of different boots.
    const std::int64_t from = before.last_us + before.wall_offset_us;
    const std::int64_t to = after.first_us + after.wall_offset_us;
    around->first_us = std::min(from, to);
    around->last_us = std::max(from, to);
    around->wall_offset_us = 0;
    around->boot = {};
}

std::optional<BatchHeader> Salvage::hole() const {
    Hole widest = hole_;
    for (const auto& last : last_) {
        if (!last) continue;
        const std::uint64_t end = counted_through(last->priority);
        if (end > last->seq) widest.widen(*last, *last, end);
        if (!widest.around) widest.widen(*last, *last, last->seq + 1);
    }
    if (widest.around || !reader_ || reader_->any_input().empty()) return widest.around;
    BatchHeader header;
    header.input = reader_->any_input();
    return header;
}

std::map<BootId, std::int64_t> Salvage::wall_offsets() const {
    return reader_ ? reader_->wall_offsets() : std::map<BootId, std::int64_t>{};
}

const Refusal* Salvage::refusal(std::uint64_t seq) const {
    if (!reader_) return nullptr;
    const auto found = reader_->refusals().find(seq);
    return found == reader_->refusals().end() ? nullptr : &found->second;
}

bool Salvage::is_ahead(Priority priority, std::uint64_t seq) const {
    if (seq >= notes_.below) return false;
    const std::uint8_t rank = rank_of(priority);
    return rank != notes_.from.rank ? rank > notes_.from.rank : seq >= notes_.from.seq;
}

void Salvage::leave_out(std::uint64_t seq, std::uint64_t readings) {
    if (!left_out_.insert(seq).second) return;
    if (notes_.expected) *notes_.expected -= std::min(*notes_.expected, readings);
}

std::uint64_t Salvage::counted_through(Priority priority) const {
    if (!reader_ || !reader_->notes().sound) return 0;
    return reader_->notes().find(batch_row::meta_key("counted", priority)).value_or(0);
}

// The totals of a lane are those of its rows up to a seq.
bool Salvage::is_counted(const BatchHeader& header) const {
    return notes_.counts_all || header.seq <= counted_through(header.priority);
}

}  // namespace holdfast
