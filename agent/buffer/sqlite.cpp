#include "buffer/sqlite.hpp"

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>

#include <cerrno>

#include "buffer/buffer.hpp"

namespace holdfast {
namespace {

Error::Kind kind_of(int code) {
    // A sector that can't be read is how an SD card dies: what can be read of the rest is to be saved.
    if (code == SQLITE_IOERR_READ || code == SQLITE_IOERR_SHORT_READ || code == SQLITE_IOERR_CORRUPTFS)
        return Error::Kind::corrupt;
    switch (code & 0xFF) {
        case SQLITE_FULL:
            return Error::Kind::full;
        case SQLITE_CORRUPT:
        case SQLITE_NOTADB:
            return Error::Kind::corrupt;
        case SQLITE_MISUSE:
        case SQLITE_RANGE:
        case SQLITE_CONSTRAINT:
        case SQLITE_MISMATCH:
            return Error::Kind::bug;
        default:
            return Error::Kind::retry;
    }
}

Error failure(sqlite3* connection, int code) {
    std::string text = sqlite3_errstr(code);
    if (connection != nullptr) {
        const std::string_view detail = sqlite3_errmsg(connection);
        if (detail != text) text.append(": ").append(detail);
        if (const int cause = sqlite3_system_errno(connection); cause != 0 && (code & 0xFF) != SQLITE_CORRUPT)
            return system_error(kind_of(code), std::move(text), cause);
    }
    return {kind_of(code), std::move(text), code};
}

// SQLite would make it readable for all; the WAL gets the same mode as the database.
Result<void> make_private_file(const std::filesystem::path& file) {
    const UniqueFd fd(::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    if (!fd) return system_error(Error::Kind::retry, "cannot open or make " + file.string(), errno);
    return {};
}

}  // namespace

void Statement::Finalize::operator()(sqlite3_stmt* statement) const {
    sqlite3_finalize(statement);
}

// Binding can only fail for an index or a size that no caller uses; step would then fail, too.
Statement& Statement::bind(int index, std::int64_t value) {
    sqlite3_bind_int64(statement_.get(), index, value);
    return *this;
}

Statement& Statement::bind_text(int index, std::string_view value) {
    sqlite3_bind_text64(statement_.get(), index, value.data(), value.size(), nullptr, SQLITE_UTF8);
    return *this;
}

Statement& Statement::bind_blob(int index, std::string_view value) {
    // A null pointer would bind NULL.
    sqlite3_bind_blob64(statement_.get(), index, value.empty() ? "" : value.data(), value.size(), nullptr);
    return *this;
}

Result<bool> Statement::step() {
    const int code = sqlite3_step(statement_.get());
    if (code == SQLITE_ROW) return true;
    if (code == SQLITE_DONE) return false;
    return failure(sqlite3_db_handle(statement_.get()), code);
}

void Statement::reset() {
    sqlite3_reset(statement_.get());
}

Result<void> Statement::run() {
    return each([](const Statement&) { return true; });
}

Result<std::int64_t> Statement::value() {
    std::int64_t found = 0;
    if (auto done = each([&](const Statement& row) {
            found = row.integer(0);
            return false;
        });
        !done)
        return done.error();
    return found;
}

std::int64_t Statement::integer(int column) const {
    return sqlite3_column_int64(statement_.get(), column);
}

std::string_view Statement::bytes(int column) const {
    const auto* data = static_cast<const char*>(sqlite3_column_blob(statement_.get(), column));
    return data == nullptr
               ? std::string_view{}
               : std::string_view(data,
                                  static_cast<std::size_t>(sqlite3_column_bytes(statement_.get(), column)));
}

void Database::Close::operator()(sqlite3* connection) const {
    sqlite3_close_v2(connection);
}

Result<Database> Database::open(const std::filesystem::path& file) {
    if (auto made = make_private_file(file); !made) return made.error();
    Database database;
    database.vfs_ = std::make_unique<CountingVfs>();
    sqlite3* connection = nullptr;
    const int code = sqlite3_open_v2(
        file.c_str(), &connection,
        SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE | SQLITE_OPEN_EXRESCODE,
        database.vfs_->name());
    database.connection_.reset(connection);
    if (code != SQLITE_OK) return failure(connection, code);
    // Before the first access, so that no second process can share the WAL (it would corrupt it:
    // sqlite.org/wal.html#walresetbug).
    if (auto set = database.set("locking_mode", "EXCLUSIVE", "exclusive"); !set) return set.error();
    return database;
}

// Without a WAL the file is taken for immutable, or SQLite would make one; with one, no close merges it.
Result<Database> Database::open_unchanged(const std::filesystem::path& file) {
    std::error_code missing;
    const auto wal_bytes = std::filesystem::file_size(file.string() + "-wal", missing);
    if (!missing && wal_bytes > 0) {
        auto database = open(file);
        if (database) database->on_close(Wal::keep);
        return database;
    }
    std::string uri = "file:";
    for (const char character : std::filesystem::absolute(file).string()) {
        const bool has_meaning = character == '?' || character == '#' || character == '%';
        uri += has_meaning ? (character == '?'   ? "%3f"
                              : character == '#' ? "%23"
                                                 : "%25")
                           : std::string(1, character);
    }
    uri += "?immutable=1";
    Database database;
    database.vfs_ = std::make_unique<CountingVfs>();
    sqlite3* connection = nullptr;
    const int code =
        sqlite3_open_v2(uri.c_str(), &connection,
                        SQLITE_OPEN_READONLY | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE,
                        database.vfs_->name());
    database.connection_.reset(connection);
    if (code != SQLITE_OK) return failure(connection, code);
    return database;
}

Result<std::vector<std::string>> quick_check(const std::filesystem::path& file) {
    auto database = Database::open_unchanged(file);
    if (!database) return database.error();
    auto check = database->prepare("PRAGMA quick_check(20)");
    if (!check) return check.error();
    std::vector<std::string> lines;
    auto done = check->each([&](const Statement& row) {
        if (row.bytes(0) != "ok") lines.emplace_back(row.bytes(0));
        return true;
    });
    if (!done) return done.error();
    return lines;
}

// What SQLite calls an exclusive lock: the bytes that it locks there (sqlite.org/lockingv3.html,
// PENDING_BYTE in its os.h). They belong to the open file and not to the process, so that no other close()
// lets them go.
Result<UniqueFd> lock_alone(const std::filesystem::path& file) {
    constexpr off_t first_locked = 0x4000'0000;
    constexpr off_t locked_bytes = 512;
    UniqueFd fd(::open(file.c_str(), O_RDWR | O_CLOEXEC));
    if (!fd) return system_error(Error::Kind::retry, "cannot open " + file.string(), errno);
    struct flock lock {};
    lock.l_type = F_WRLCK;
    lock.l_whence = SEEK_SET;
    lock.l_start = first_locked;
    lock.l_len = locked_bytes;
    if (::fcntl(fd.get(), F_OFD_SETLK, &lock) == 0) return fd;
    if (errno == EAGAIN || errno == EACCES)
        return Error{Error::Kind::retry, file.string() + ": an agent that runs holds it: stop it first",
                     errno};
    return system_error(Error::Kind::retry, "cannot lock " + file.string(), errno);
}

Result<void> Database::execute(const char* sql) {
    const int code = sqlite3_exec(connection_.get(), sql, nullptr, nullptr, nullptr);
    if (code != SQLITE_OK) return failure(connection_.get(), code);
    return {};
}

Result<Statement> Database::prepare(std::string_view sql) {
    sqlite3_stmt* statement = nullptr;
    const int code = sqlite3_prepare_v3(connection_.get(), sql.data(), static_cast<int>(sql.size()),
                                        SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
    if (code == SQLITE_OK) return Statement(statement);
    Error error = failure(connection_.get(), code);
    // Our statements fit our schema: what no longer fits has changed on the disk.
    if (code == SQLITE_ERROR) error.kind = Error::Kind::corrupt;
    return error;
}

Result<std::int64_t> Database::number(const char* sql) {
    auto statement = prepare(sql);
    if (!statement) return statement.error();
    return statement->value();
}

Result<std::string> Database::text(const char* sql) {
    auto statement = prepare(sql);
    if (!statement) return statement.error();
    std::string found;
    if (auto done = statement->each([&](const Statement& row) {
            found = row.bytes(0);
            return false;
        });
        !done)
        return done.error();
    return found;
}

Result<void> Database::set(std::string_view name, std::string_view value, std::string_view read_back) {
    const std::string pragma = "PRAGMA " + std::string(name);
    if (auto done = execute((pragma + "=" + std::string(value)).c_str()); !done) return done;
    const auto found = text(pragma.c_str());
    if (!found) return found.error();
    if (*found != read_back)
        return Error{Error::Kind::bug,
                     pragma + " is " + *found + " and cannot be made " + std::string(read_back)};
    return {};
}

std::int64_t Database::changes() const {
    return sqlite3_changes64(connection_.get());
}

void Database::on_close(Wal wal) {
    sqlite3_db_config(connection_.get(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, wal == Wal::keep ? 1 : 0, nullptr);
}

void Database::harden() {
    sqlite3_db_config(connection_.get(), SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
    sqlite3_db_config(connection_.get(), SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, nullptr);
    sqlite3_db_config(connection_.get(), SQLITE_DBCONFIG_ENABLE_VIEW, 0, nullptr);
}

Result<Transaction> Transaction::begin(Database& database) {
    if (auto begun = database.execute("BEGIN IMMEDIATE"); !begun) return begun.error();
    return Transaction(database);
}

Transaction::~Transaction() {
    // SQLite may have rolled back by itself (SQLITE_FULL, SQLITE_IOERR): then this fails, and all is as it
    // should be.
    if (database_ != nullptr) (void)database_->execute("ROLLBACK");
}

Result<void> Transaction::commit() {
    if (auto done = database_->execute("COMMIT"); !done) return done;
    database_ = nullptr;
    return {};
}

std::string sqlite_version() {
    return std::string("SQLite ") + ::sqlite3_libversion();
}

}  // namespace holdfast
