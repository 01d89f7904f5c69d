#include "buffer/batch_database.hpp"

#include <algorithm>
#include <cstring>

#include "buffer/batch_row.hpp"
#include "buffer/schema.hpp"

namespace holdfast {

using namespace batch_row;

namespace {

// A file up to this size is checked whole at open after a kill, which a slow card does in three seconds; of a
// larger one damage shows when it is read.
constexpr std::int64_t most_checked_pages = 4'096;

}  // namespace

BatchDatabase::BatchDatabase(std::filesystem::path file, Bytes max_size, Database database)
    : file_(std::move(file)),
      wal_(file_.string() + "-wal"),
      budget_(max_size),
      most_pages_(budget_.database_pages),
      database_(std::move(database)) {}

Result<std::unique_ptr<BatchDatabase>> BatchDatabase::open(const std::filesystem::path& file,
                                                           Bytes max_size) {
    const auto fail = [&](Error error) {
        error.text = file.string() + ": " + error.text;
        return error;
    };
    auto database = Database::open(file);
    if (!database) return fail(database.error());
    if (auto done = set_up_schema(*database, FileBudget(max_size)); !done) return fail(done.error());
    std::unique_ptr<BatchDatabase> opened(new BatchDatabase(file, max_size, std::move(*database)));
    auto done = opened->prepare_reading();
    if (done) done = opened->prepare_writing();
    if (done) done = opened->load();
    if (!done) {
        opened->abandon();
        return fail(done.error());
    }
    return opened;
}

Result<void> BatchDatabase::prepare(std::initializer_list<std::pair<Statement*, std::string>> statements) {
    for (const auto& [statement, sql] : statements) {
        auto prepared = database_.prepare(sql);
        if (!prepared) return prepared.error();
        *statement = std::move(*prepared);
    }
    return {};
}

Result<void> BatchDatabase::prepare_reading() {
    const std::string names(columns);
    for (std::size_t lane = 0; lane < priority_count; ++lane) {
        const std::string table = table_of(static_cast<Priority>(lane));
        auto done = prepare({
            {&lanes_[lane].select,
             "SELECT " + names + " FROM " + table + " WHERE seq BETWEEN ? AND ? ORDER BY seq"},
            {&lanes_[lane].select_back,
             "SELECT " + names + " FROM " + table + " WHERE seq <= ? ORDER BY seq DESC"},
            {&lanes_[lane].exists, "SELECT 1 FROM " + table + " WHERE seq=?"},
            {&lanes_[lane].body_bytes, "SELECT length(body) FROM " + table + " WHERE seq=?"},
        });
        if (!done) return done;
    }
    return prepare({
        {&get_meta_, "SELECT value FROM meta WHERE key=?"},
        {&all_meta_, "SELECT key, value FROM meta ORDER BY key"},
        {&input_name_, "SELECT name FROM inputs WHERE id=?"},
        {&boot_id_, "SELECT boot FROM boots WHERE id=?"},
        {&find_mark_, "SELECT " + std::string(refused_mark::columns) + " FROM refused WHERE seq=?"},
        {&page_count_, "PRAGMA page_count"},
        {&freelist_count_, "PRAGMA freelist_count"},
    });
}

Result<void> BatchDatabase::prepare_writing() {
    const std::string names(columns);
    for (std::size_t lane = 0; lane < priority_count; ++lane) {
        const std::string table = table_of(static_cast<Priority>(lane));
        auto done = prepare({
            {&lanes_[lane].insert,
             "INSERT OR IGNORE INTO " + table + "(" + names + ") VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)"},
            {&lanes_[lane].erase, "DELETE FROM " + table + " WHERE seq=?"},
            {&lanes_[lane].keep_clock, "UPDATE " + table + " SET synchronised=? WHERE seq=?"},
        });
        if (!done) return done;
    }
    return prepare({
        {&set_meta_, "INSERT INTO meta VALUES (?,?) ON CONFLICT(key) DO UPDATE SET value=excluded.value"},
        {&erase_meta_, "DELETE FROM meta WHERE key=?"},
        {&add_input_, "INSERT OR IGNORE INTO inputs(name) VALUES (?)"},
        {&find_input_, "SELECT id FROM inputs WHERE name=?"},
        {&add_boot_, "INSERT OR IGNORE INTO boots(boot) VALUES (?)"},
        {&find_boot_, "SELECT id FROM boots WHERE boot=?"},
        {&wall_offset_, "SELECT wall_offset_us FROM boots WHERE boot=? AND wall_offset_us IS NOT NULL"},
        {&set_wall_offset_, "UPDATE boots SET wall_offset_us=? WHERE id=?"},
        {&add_mark_, "INSERT OR REPLACE INTO refused(" + std::string(refused_mark::columns) +
                         ") VALUES (?,?,?,?,?,?,?,?,?,?)"},
        {&erase_mark_, "DELETE FROM refused WHERE seq=?"},
    });
}

Result<void> BatchDatabase::load() {
    const auto stored = get_meta_.bind_text(1, guard_key).value();
    if (!stored) return stored.error();
    const auto found = guard();
    if (!found) return found.error();
    // A file that comes from version 1 has none yet.
    if (*stored != 0 && *stored != *found) return Error{Error::Kind::corrupt, "its notes are damaged"};
    const auto epoch = meta("epoch");
    if (!epoch) return epoch.error();
    const auto next = meta("next_seq");
    if (!next) return next.error();
    const auto clean = meta("clean");
    if (!clean) return clean.error();
    if (*epoch == 0 || *next == 0) return Error{Error::Kind::corrupt, "it has lost its epoch"};
    epoch_ = *epoch;
    book_.next_seq = *next;
    closed_cleanly_ = *clean == 1;
    const auto lived = meta("lived_s");
    if (!lived) return lived.error();
    lived_ = std::chrono::seconds(*lived);
    for (std::size_t lane = 0; lane < priority_count; ++lane)
        if (auto done = load_lane(static_cast<Priority>(lane)); !done) return done;
    return load_refused();
}

// The totals are exact without reading every row: a transaction that does more than add rows at the end
// writes them down, so what is missing in them are the rows above counted_through.
Result<void> BatchDatabase::load_lane(Priority priority) {
    LaneBook& book = book_.lanes[index_of(priority)];
    const auto batches = meta(meta_key("batches", priority));
    const auto readings = meta(meta_key("readings", priority));
    const auto through = meta(meta_key("counted", priority));
    for (const auto* number : {&batches, &readings, &through})
        if (!*number) return number->error();
    book = {{*batches, *readings}, *through, *through, 0};
    auto rest = database_.prepare(
        "SELECT count(*), ifnull(sum(iif(kind=1, 0, count)), 0), ifnull(max(seq), 0) FROM " +
        table_of(priority) + " WHERE seq > ?");
    if (!rest) return rest.error();
    auto counted = rest->bind(1, to_signed(*through)).each([&](const Statement& row) {
        book.uncounted = to_unsigned(row.integer(0));
        book.totals.batches += book.uncounted;
        book.totals.readings += to_unsigned(row.integer(1));
        book.last_seq = std::max(book.last_seq, to_unsigned(row.integer(2)));
        return true;
    });
    if (!counted) return counted;
    const auto last = database_.number(
        ("SELECT arrived_s FROM " + table_of(priority) + " ORDER BY seq DESC LIMIT 1").c_str());
    if (!last) return last.error();
    lived_ = std::max(lived_, std::chrono::seconds(*last));
    return {};
}

namespace {

struct Mark {
    std::array<std::int64_t, refused_mark::checksum> numbers{};
    std::string_view reason;  // valid until the next step
    bool sound = false;
};

Mark read_mark(const Statement& row) {
    Mark mark;
    for (std::size_t i = 0; i < mark.numbers.size(); ++i)
        mark.numbers[i] = row.integer(static_cast<int>(i));
    mark.reason = row.bytes(refused_mark::reason);
    mark.sound = row.integer(refused_mark::checksum) == refused_mark::checksum_of(mark.numbers, mark.reason);
    return mark;
}

}  // namespace

// A damaged mark is none: its batch is tried again.
Result<void> BatchDatabase::load_refused() {
    auto all = database_.prepare("SELECT " + std::string(refused_mark::columns) + " FROM refused");
    if (!all) return all.error();
    return all->each([&](const Statement& row) {
        const Mark mark = read_mark(row);
        if (const auto known = refused_mark::row_of(mark.numbers); known && mark.sound)
            refused_.put(to_unsigned(mark.numbers[refused_mark::seq]), *known);
        return true;
    });
}

Result<std::optional<Refusal>> BatchDatabase::refusal(std::uint64_t wanted) {
    std::optional<Refusal> found;
    auto done = find_mark_.bind(1, to_signed(wanted)).each([&](const Statement& row) {
        const Mark mark = read_mark(row);
        if (mark.sound) found = refused_mark::refusal_of(mark.numbers, mark.reason);
        return false;
    });
    if (!done) return done.error();
    return found;
}

Result<std::uint64_t> BatchDatabase::meta(std::string_view key) {
    const auto value = get_meta_.bind_text(1, key).value();
    if (!value) return value.error();
    return to_unsigned(*value);
}

Result<void> BatchDatabase::set_meta(std::string_view key, std::uint64_t value) {
    meta_changed_ = true;
    return set_meta_.bind_text(1, key).bind(2, to_signed(value)).run();
}

Result<std::int64_t> BatchDatabase::guard() {
    NotesGuard guard;
    auto done = all_meta_.each([&](const Statement& row) {
        guard.add(row.bytes(0), row.integer(1));
        return true;
    });
    if (!done) return done.error();
    return guard.value();
}

Result<void> BatchDatabase::check() {
    if (file_pages() > most_checked_pages) return {};
    auto verdict = database_.text("PRAGMA quick_check(1)");
    // A page that could not be had for want of memory is reported like a damaged one, but the next time it is
    // there.
    if (verdict && *verdict != "ok") verdict = database_.text("PRAGMA quick_check(1)");
    if (!verdict) return verdict.error();
    if (*verdict != "ok") return Error{Error::Kind::corrupt, file_.string() + ": " + *verdict};
    return {};
}

Result<std::int64_t> BatchDatabase::intern_input(const std::string& name) {
    if (const auto known = input_ids_.find(name); known != input_ids_.end()) return known->second;
    if (auto done = add_input_.bind_text(1, name).run(); !done) return done.error();
    const auto id = find_input_.bind_text(1, name).value();
    if (id) input_ids_.emplace(name, *id);
    return id;
}

Result<std::int64_t> BatchDatabase::intern_boot(const BootId& boot_id) {
    if (const auto known = boot_refs_.find(boot_id); known != boot_refs_.end()) return known->second;
    const std::string_view bytes(reinterpret_cast<const char*>(boot_id.data()), boot_id.size());
    if (auto done = add_boot_.bind_blob(1, bytes).run(); !done) return done.error();
    const auto id = find_boot_.bind_blob(1, bytes).value();
    if (id) boot_refs_.emplace(boot_id, *id);
    return id;
}

std::optional<std::int64_t> BatchDatabase::wall_offset(const BootId& boot_id) {
    const auto [known, is_new] = wall_offsets_.try_emplace(boot_id);
    if (is_new) {
        const std::string_view bytes(reinterpret_cast<const char*>(boot_id.data()), boot_id.size());
        auto found = wall_offset_.bind_blob(1, bytes).each([known = known](const Statement& row) {
            known->second = row.integer(0);
            return false;
        });
        // Told again at the next look; without it times stay as they are.
        if (!found) wall_offsets_.erase(known);
        if (!found) return std::nullopt;
    }
    return known->second;
}

void BatchDatabase::forget_names() {
    input_ids_.clear();
    input_names_.clear();
    boot_refs_.clear();
    boot_ids_.clear();
    wall_offsets_.clear();
}

Result<Batch> BatchDatabase::decode(const Statement& row, Priority priority) {
    Batch batch;
    BatchHeader& header = batch.header;
    header.seq = to_unsigned(row.integer(seq));
    header.priority = priority;
    header.kind = static_cast<BatchKind>(row.integer(kind));
    header.count = static_cast<std::uint32_t>(row.integer(count));
    header.first_us = row.integer(first_us);
    header.last_us = row.integer(last_us);
    header.wall_offset_us = row.integer(wall_offset_us);
    header.clock = clock_state(row.integer(synchronised));
    header.arrived_s = row.integer(arrived_s);
    header.message_seq = to_unsigned(row.integer(message_seq));
    auto [name, new_name] = input_names_.try_emplace(row.integer(input));
    if (new_name) {
        auto found = input_name_.bind(1, name->first).each([name = name](const Statement& known) {
            name->second = known.bytes(0);
            return false;
        });
        if (!found) {
            input_names_.erase(name);
            return found.error();
        }
    }
    header.input = name->second;
    auto [boot_id, new_boot] = boot_ids_.try_emplace(row.integer(boot));
    if (new_boot) {
        auto found = boot_id_.bind(1, boot_id->first).each([boot_id = boot_id](const Statement& known) {
            const std::string_view bytes = known.bytes(0);
            std::memcpy(boot_id->second.data(), bytes.data(), std::min(bytes.size(), boot_id->second.size()));
            return false;
        });
        if (!found) {
            boot_ids_.erase(boot_id);
            return found.error();
        }
    }
    header.boot = boot_id->second;
    auto unpacked = packing_.unpack(row.bytes(body));
    if (unpacked)
        batch.body = std::move(*unpacked);
    else if (unpacked.error().kind != Error::Kind::corrupt)
        return unpacked.error();
    // One that can't be decompressed stays empty, which its checksum tells.
    return batch;
}

// Rows at the beginning that are set aside are stepped over once and not each time.
Result<BatchDatabase::Rows> BatchDatabase::read(Priority priority, std::uint64_t from, std::uint64_t to,
                                                ReadLimit limit, const Wanted& wanted, Which which) {
    Statement& select = lanes_[index_of(priority)].select;
    std::uint64_t& first_waiting = book_.lanes[index_of(priority)].first_waiting;
    const bool from_first = which == Which::waiting && from <= first_waiting;
    if (from_first) from = first_waiting;
    std::optional<std::uint64_t> met;
    const auto waits = [&](std::uint64_t row) {
        if (which == Which::all) return wanted(row);
        if (refused_.contains(row)) return false;
        if (!met) met = row;
        return wanted(row);
    };
    auto rows = collect(select.bind(1, to_signed(from)).bind(2, to_signed(to)), priority, limit, waits);
    if (!rows) return rows;
    if (from_first && to >= from) first_waiting = met.value_or(to + 1);
    rows->next = rows->next == 0 ? to + 1 : rows->next + 1;
    return rows;
}

Result<BatchDatabase::Rows> BatchDatabase::read_back(Priority priority, std::uint64_t to, ReadLimit limit,
                                                     const Wanted& wanted) {
    const auto waits = [&](std::uint64_t row) { return !refused_.contains(row) && wanted(row); };
    auto rows =
        collect(lanes_[index_of(priority)].select_back.bind(1, to_signed(to)), priority, limit, waits);
    if (rows && rows->next > 0) rows->next -= 1;
    return rows;
}

// Next is the seq at which a limit was reached, 0 when none was.
Result<BatchDatabase::Rows> BatchDatabase::collect(Statement& select, Priority priority, ReadLimit limit,
                                                   const Wanted& wanted) {
    Rows rows;
    std::size_t bytes = 0;
    Result<void> sound;
    auto done = select.each([&](const Statement& row) {
        const std::uint64_t at = to_unsigned(row.integer(seq));
        if (!wanted(at)) return true;
        auto batch = decode(row, priority);
        if (!batch) {
            sound = batch.error();
            return false;
        }
        bytes += batch->body.size();
        if (batch->header.input.empty() ||
            !checksum_matches(batch->header, batch->body, row.integer(checksum))) {
            batch->header.count = likely_count(*batch);
            rows.damaged.push_back(std::move(batch->header));
        } else {
            rows.batches.push_back(std::move(*batch));
        }
        if (rows.batches.size() < limit.rows && bytes < limit.bytes) return true;
        rows.next = at;
        return false;
    });
    if (!done) return done.error();
    if (!sound) return sound.error();
    return rows;
}

Result<bool> BatchDatabase::contains(Priority priority, std::uint64_t wanted) {
    const auto found = lanes_[index_of(priority)].exists.bind(1, to_signed(wanted)).value();
    if (!found) return found.error();
    return *found != 0;
}

}  // namespace holdfast
