// The writing half of BatchDatabase: what a transaction does to rows, names and totals.
#include <algorithm>

#include "buffer/batch_database.hpp"
#include "buffer/batch_row.hpp"

namespace holdfast {

using namespace batch_row;

namespace {

// Rows that may be counted at open: a few MiB to read after a kill.
constexpr std::uint64_t most_uncounted = 2'000;

}  // namespace

struct BatchDatabase::Write::Before {
    Book book;
    // In the order of the changes; none: the row was not set aside.
    std::vector<std::pair<std::uint64_t, std::optional<RefusedRow>>> marks;
};

BatchDatabase::Write::Write(BatchDatabase& database, Transaction transaction)
    : database_(&database),
      before_(std::make_unique<Before>(Before{database.book_, {}})),
      transaction_(std::move(transaction)) {}

BatchDatabase::Write::Write(Write&&) noexcept = default;

BatchDatabase::Write::~Write() {
    if (before_ == nullptr) return;
    database_->book_ = before_->book;
    for (auto mark = before_->marks.rbegin(); mark != before_->marks.rend(); ++mark) {
        if (mark->second)
            database_->refused_.put(mark->first, *mark->second);
        else
            database_->refused_.remove(mark->first);
    }
    database_->forget_names();
}

Result<void> BatchDatabase::write_totals() {
    for (const Priority lane : {Priority::low, Priority::normal, Priority::high}) {
        LaneBook& book = book_.lanes[index_of(lane)];
        book.counted_through = std::max(book.counted_through, book.last_seq);
        book.uncounted = 0;
        if (auto done = set_meta(meta_key("batches", lane), book.totals.batches); !done) return done;
        if (auto done = set_meta(meta_key("readings", lane), book.totals.readings); !done) return done;
        if (auto done = set_meta(meta_key("counted", lane), book.counted_through); !done) return done;
    }
    book_.recount = false;
    return {};
}

Result<void> BatchDatabase::write_guard() {
    const auto sum = guard();
    if (!sum) return sum.error();
    return set_meta_.bind_text(1, guard_key).bind(2, *sum).run();
}

Result<BatchDatabase::Write> BatchDatabase::write() {
    auto transaction = Transaction::begin(database_);
    if (!transaction) return transaction.error();
    return Write(*this, std::move(*transaction));
}

Result<void> BatchDatabase::Write::put(const Batch& batch) {
    const BatchHeader& header = batch.header;
    const auto input_id = database_->intern_input(header.input);
    if (!input_id) return input_id.error();
    const auto boot_ref = database_->intern_boot(header.boot);
    if (!boot_ref) return boot_ref.error();
    Statement& insert = database_->lanes_[index_of(header.priority)].insert;
    auto done = insert.bind(1 + seq, to_signed(header.seq))
                    .bind(1 + input, *input_id)
                    .bind(1 + kind, static_cast<std::int64_t>(header.kind))
                    .bind(1 + count, header.count)
                    .bind(1 + first_us, header.first_us)
                    .bind(1 + last_us, header.last_us)
                    .bind(1 + boot, *boot_ref)
                    .bind(1 + wall_offset_us, header.wall_offset_us)
                    .bind(1 + synchronised, static_cast<std::int64_t>(header.clock))
                    .bind(1 + checksum, checksum_of(header, batch.body))
                    .bind_blob(1 + body, database_->packing_.pack(batch.body))
                    .bind(1 + arrived_s, header.arrived_s)
                    .bind(1 + message_seq, to_signed(header.message_seq))
                    .run();
    // It is there already when a commit failed that reached the disk after all.
    if (!done || database_->database_.changes() == 0) return done;
    LaneBook& book = database_->book_.lanes[index_of(header.priority)];
    if (header.seq <= book.counted_through) database_->book_.recount = true;
    book.last_seq = std::max(book.last_seq, header.seq);
    book.first_waiting = std::min(book.first_waiting, header.seq);
    book.totals.batches += 1;
    book.totals.readings += readings_held(header);
    book.uncounted += 1;
    return {};
}

Result<void> BatchDatabase::Write::erase(Priority priority, std::uint64_t row, std::uint64_t readings) {
    if (database_->refused_.contains(row))
        if (auto done = take_back(row); !done) return done;
    auto done = database_->lanes_[index_of(priority)].erase.bind(1, to_signed(row)).run();
    if (!done || database_->database_.changes() == 0) return done;
    LaneBook& book = database_->book_.lanes[index_of(priority)];
    book.totals.batches -= std::min<std::uint64_t>(book.totals.batches, 1);
    book.totals.readings -= std::min(book.totals.readings, readings);
    if (book.totals.batches == 0) book.totals.readings = 0;  // a row's count may have been damaged
    database_->book_.recount = true;
    return {};
}

Result<void> BatchDatabase::Write::set_aside(Priority priority, std::uint64_t message, std::uint64_t held,
                                             const Refusal& refusal) {
    namespace mark = refused_mark;
    const auto size =
        database_->lanes_[index_of(priority)].body_bytes.bind(1, to_signed(refusal.seq)).value();
    if (!size) return size.error();
    std::array<std::int64_t, mark::checksum> numbers{};
    numbers[mark::seq] = to_signed(refusal.seq);
    numbers[mark::priority] = static_cast<std::int64_t>(priority);
    numbers[mark::message_seq] = to_signed(message);
    numbers[mark::readings] = to_signed(held);
    numbers[mark::bytes] = *size;
    numbers[mark::code] = refusal.code;
    numbers[mark::times] = refusal.times;
    numbers[mark::refused_us] = refusal.wall_us;
    for (std::size_t i = 0; i < numbers.size(); ++i)
        database_->add_mark_.bind(static_cast<int>(1 + i), numbers[i]);
    auto done = database_->add_mark_.bind(1 + mark::checksum, mark::checksum_of(numbers, refusal.text))
                    .bind_text(1 + mark::reason, refusal.text)
                    .run();
    if (!done) return done;
    before_->marks.emplace_back(refusal.seq, database_->refused_.put(refusal.seq, *mark::row_of(numbers)));
    return {};
}

Result<void> BatchDatabase::Write::take_back(std::uint64_t row) {
    if (auto done = database_->erase_mark_.bind(1, to_signed(row)).run(); !done) return done;
    const auto before = database_->refused_.remove(row);
    if (!before) return {};
    before_->marks.emplace_back(row, before);
    std::uint64_t& first_waiting = database_->book_.lanes[index_of(before->priority)].first_waiting;
    first_waiting = std::min(first_waiting, row);
    return {};
}

Result<void> BatchDatabase::Write::reserve(std::uint64_t next_seq) {
    database_->book_.next_seq = next_seq;
    if (auto done = database_->set_meta("next_seq", next_seq); !done) return done;
    return database_->set_meta("clean", 0);
}

Result<void> BatchDatabase::Write::adopt(std::uint64_t epoch) {
    auto done = database_->set_meta("epoch", epoch);
    if (done) database_->epoch_ = epoch;
    return done;
}

Result<void> BatchDatabase::Write::note(std::string_view key, std::uint64_t value) {
    return database_->set_meta(key, value);
}

Result<void> BatchDatabase::Write::erase_note(std::string_view key) {
    database_->meta_changed_ = true;
    return database_->erase_meta_.bind_text(1, key).run();
}

Result<void> BatchDatabase::Write::set_lived(std::chrono::seconds lived) {
    return database_->set_meta("lived_s", static_cast<std::uint64_t>(lived.count()));
}

Result<void> BatchDatabase::Write::set_wall_offset(const BootId& boot_id, std::int64_t offset_us) {
    const auto id = database_->intern_boot(boot_id);
    if (!id) return id.error();
    database_->wall_offsets_.erase(boot_id);
    return database_->set_wall_offset_.bind(1, offset_us).bind(2, *id).run();
}

Result<void> BatchDatabase::Write::keep_clock(Priority priority, std::uint64_t row) {
    return database_->lanes_[index_of(priority)]
        .keep_clock.bind(1, static_cast<std::int64_t>(ClockState::sent_unsynchronised))
        .bind(2, to_signed(row))
        .run();
}

Result<void> BatchDatabase::Write::mark_clean() {
    database_->book_.recount = true;
    return database_->set_meta("clean", 1);
}

Result<void> BatchDatabase::Write::commit() {
    const auto& lanes = database_->book_.lanes;
    const bool many = std::any_of(lanes.begin(), lanes.end(),
                                  [](const LaneBook& lane) { return lane.uncounted > most_uncounted; });
    if (many || database_->book_.recount)
        if (auto done = database_->write_totals(); !done) return done;
    if (std::exchange(database_->meta_changed_, false))
        if (auto done = database_->write_guard(); !done) return done;
    if (auto done = transaction_.commit(); !done) return done;
    before_.reset();
    // What is committed stays so when this fails; the next commit meets the same fault and says it.
    (void)database_->limit_wal();
    return {};
}

}  // namespace holdfast
