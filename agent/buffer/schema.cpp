#include "buffer/schema.hpp"

#include <sys/random.h>

#include <cerrno>
#include <string>

namespace holdfast {
namespace {

// Each brings the schema from its index to the next version. Released ones are never edited.
constexpr const char* migrations[] = {
    R"(
CREATE TABLE meta(key TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE inputs(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE boots(id INTEGER PRIMARY KEY, boot BLOB NOT NULL UNIQUE);
CREATE TABLE batches_low(seq INTEGER PRIMARY KEY, input INTEGER NOT NULL, kind INTEGER NOT NULL, count INTEGER NOT NULL,
    first_us INTEGER NOT NULL, last_us INTEGER NOT NULL, boot INTEGER NOT NULL, wall_offset_us INTEGER NOT NULL,
    synchronised INTEGER NOT NULL, checksum INTEGER NOT NULL, body BLOB NOT NULL);
CREATE TABLE batches_normal(seq INTEGER PRIMARY KEY, input INTEGER NOT NULL, kind INTEGER NOT NULL, count INTEGER NOT NULL,
    first_us INTEGER NOT NULL, last_us INTEGER NOT NULL, boot INTEGER NOT NULL, wall_offset_us INTEGER NOT NULL,
    synchronised INTEGER NOT NULL, checksum INTEGER NOT NULL, body BLOB NOT NULL);
CREATE TABLE batches_high(seq INTEGER PRIMARY KEY, input INTEGER NOT NULL, kind INTEGER NOT NULL, count INTEGER NOT NULL,
    first_us INTEGER NOT NULL, last_us INTEGER NOT NULL, boot INTEGER NOT NULL, wall_offset_us INTEGER NOT NULL,
    synchronised INTEGER NOT NULL, checksum INTEGER NOT NULL, body BLOB NOT NULL);
INSERT INTO meta VALUES ('next_seq', 1), ('clean', 1);
)",
    R"(
ALTER TABLE boots ADD COLUMN wall_offset_us INTEGER;
ALTER TABLE batches_low ADD COLUMN arrived_s INTEGER NOT NULL DEFAULT 0;
ALTER TABLE batches_low ADD COLUMN message_seq INTEGER NOT NULL DEFAULT 0;
ALTER TABLE batches_normal ADD COLUMN arrived_s INTEGER NOT NULL DEFAULT 0;
ALTER TABLE batches_normal ADD COLUMN message_seq INTEGER NOT NULL DEFAULT 0;
ALTER TABLE batches_high ADD COLUMN arrived_s INTEGER NOT NULL DEFAULT 0;
ALTER TABLE batches_high ADD COLUMN message_seq INTEGER NOT NULL DEFAULT 0;
)",
    R"(
CREATE TABLE refused(seq INTEGER PRIMARY KEY, priority INTEGER NOT NULL, message_seq INTEGER NOT NULL,
    readings INTEGER NOT NULL, bytes INTEGER NOT NULL, code INTEGER NOT NULL, times INTEGER NOT NULL,
    refused_us INTEGER NOT NULL, checksum INTEGER NOT NULL, reason TEXT NOT NULL);
)",
};
static_assert(std::size(migrations) == BatchDatabase::schema_version);

// The schema version of the file, 0 for a new one.
Result<std::int64_t> identify(Database& database) {
    const auto objects = database.number("SELECT count(*) FROM sqlite_schema");
    if (!objects) return objects.error();
    const auto application = database.number("PRAGMA application_id");
    if (!application) return application.error();
    const auto version = database.number("PRAGMA user_version");
    if (!version) return version.error();
    if (*objects == 0 && *version == 0) return 0;
    if (*application != application_id) return Error{Error::Kind::corrupt, "it is no buffer of Holdfast"};
    if (*version > BatchDatabase::schema_version)
        return Error{Error::Kind::config, "it was written by a newer version of Holdfast (schema " +
                                              std::to_string(*version) + ", this one knows " +
                                              std::to_string(BatchDatabase::schema_version) +
                                              "): install that version again, or move the file away"};
    return *version;
}

// Only a new file takes these, and auto_vacuum only before the WAL exists (else it is silently ignored).
// Setting them again would write.
Result<void> lay_out(Database& database) {
    if (auto set = database.set("page_size", "4096", "4096"); !set) return set;
    return database.set("auto_vacuum", "INCREMENTAL", "2");
}

// A file that is larger already shrinks by eviction; SQLite takes no limit below its size.
Result<void> limit_pages(Database& database, const FileBudget& budget) {
    const auto pages = database.number("PRAGMA page_count");
    if (!pages) return pages.error();
    const std::string most_pages = std::to_string(std::max(budget.database_pages, *pages));
    return database.set("max_page_count", most_pages, most_pages);
}

Result<void> configure(Database& database, const FileBudget& budget) {
    const std::string wal_bytes = std::to_string(budget.wal_bytes);
    const std::string checkpoint_pages = std::to_string(budget.checkpoint_pages);
    const struct {
        const char* name;
        std::string_view value;
        std::string_view read_back;
    } settings[] = {
        {"journal_mode", "WAL", "wal"},
        {"synchronous", "FULL", "2"},
        {"secure_delete", "OFF", "0"},
        {"cell_size_check", "ON", "1"},
        {"journal_size_limit", wal_bytes, wal_bytes},
        {"wal_autocheckpoint", checkpoint_pages, checkpoint_pages},
        {"temp_store", "MEMORY", "2"},
        {"mmap_size", "0", "0"},
        {"trusted_schema", "OFF", "0"},
        {"cache_size", "-1024", "-1024"},
    };
    for (const auto& setting : settings)
        if (auto set = database.set(setting.name, setting.value, setting.read_back); !set) return set;
    return {};
}

Result<std::int64_t> random_number() {
    std::int64_t number = 0;
    if (::getrandom(&number, sizeof number, 0) != sizeof number)
        return system_error(Error::Kind::retry, "no random bytes for the buffer's identity", errno);
    return number;
}

Result<void> migrate(Database& database, std::int64_t version) {
    if (version == BatchDatabase::schema_version) return {};
    auto transaction = Transaction::begin(database);
    if (!transaction) return transaction.error();
    for (auto next = static_cast<std::size_t>(version); next < std::size(migrations); ++next)
        if (auto done = database.execute(migrations[next]); !done) return done;
    if (version == 0) {
        const auto epoch = random_number();
        if (!epoch) return epoch.error();
        const std::string insert = "INSERT INTO meta VALUES ('epoch', " + std::to_string(*epoch) + ")";
        if (auto done = database.execute(insert.c_str()); !done) return done;
        // The schema's version is part of page 1 and of most transactions: a WAL that belongs to another
        // buffer is told by it.
        const auto cookie = random_number();
        if (!cookie) return cookie.error();
        const std::string set = "PRAGMA schema_version=" + std::to_string((*cookie & 0x3FFFFFFF) + 0x10000);
        if (auto done = database.execute(set.c_str()); !done) return done;
    }
    const std::string identity = "PRAGMA application_id=" + std::to_string(application_id) +
                                 "; PRAGMA user_version=" + std::to_string(BatchDatabase::schema_version);
    if (auto done = database.execute(identity.c_str()); !done) return done;
    return transaction->commit();
}

}  // namespace

Result<void> set_up_schema(Database& database, const FileBudget& budget) {
    database.on_close(Database::Wal::keep);
    const auto version = identify(database);
    if (!version) return version.error();
    if (*version == 0)
        if (auto done = lay_out(database); !done) return done;
    if (auto done = configure(database, budget); !done) return done;
    // Before there is a limit: a new table has to fit a buffer that is full.
    if (auto done = migrate(database, *version); !done) return done;
    if (auto done = limit_pages(database, budget); !done) return done;
    database.harden();
    database.on_close(Database::Wal::merge);
    return {};
}

}  // namespace holdfast
