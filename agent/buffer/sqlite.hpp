// SQLite behind values: a connection, a prepared statement, a transaction; every failure an Error classed by
// the reaction it asks for. Only this file's implementation and the VFS (counting_vfs.cpp) know <sqlite3.h>.
// All belongs to one thread.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "buffer/counting_vfs.hpp"

struct sqlite3;
struct sqlite3_stmt;

namespace holdfast {

// A prepared statement, made once and run often. Bound text and blobs must live until it has been reset.
class Statement {
  public:
    Statement() = default;

    Statement& bind(int index, std::int64_t value);
    Statement& bind_text(int index, std::string_view value);
    Statement& bind_blob(int index, std::string_view value);

    // Runs a statement that gives no rows (rows are skipped), and resets it.
    Result<void> run();
    // Calls `row` for each row until it returns false or there are no more, and resets: no cursor stays open.
    template <typename Row>
    Result<void> each(Row row) {
        Result<bool> more = step();
        while (more && *more && row(*this))
            more = step();
        reset();
        if (!more) return more.error();
        return {};
    }
    // The first column of the first row; 0 without a row or for NULL.
    Result<std::int64_t> value();

    std::int64_t integer(int column) const;
    std::string_view bytes(int column) const;  // text or blob; valid until the next step

  private:
    friend class Database;
    struct Finalize {
        void operator()(sqlite3_stmt* statement) const;
    };
    explicit Statement(sqlite3_stmt* statement) : statement_(statement) {}
    Result<bool> step();
    void reset();

    std::unique_ptr<sqlite3_stmt, Finalize> statement_;
};

// The one connection to a database file, never shared with another process.
class Database {
  public:
    // What a close does with the WAL: `merge` writes it back and removes it, `keep` touches nothing.
    enum class Wal { merge, keep };

    // Opens or makes the file, mode 0600, with an exclusive lock (from the first access on). Nothing is
    // written yet.
    static Result<Database> open(const std::filesystem::path& file);
    // Opens a file that is there, and that nobody has open, so that nothing is changed.
    static Result<Database> open_unchanged(const std::filesystem::path& file);
    Database(Database&&) = default;
    Database& operator=(Database&&) = delete;  // the VFS must go after the connection
    ~Database() = default;

    Result<void> execute(const char* sql);
    Result<Statement> prepare(std::string_view sql);
    // The value of "PRAGMA name" or any other query with one result.
    Result<std::int64_t> number(const char* sql);
    Result<std::string> text(const char* sql);
    // "PRAGMA name=value", then reads it back. Fails with bug when SQLite did not take it.
    Result<void> set(std::string_view name, std::string_view value, std::string_view read_back);

    // Rows that the last statement changed.
    std::int64_t changes() const;
    void on_close(Wal wal);
    // Forbids what only damage or an attacker would do: writing the schema table, and triggers and views with
    // side effects.
    void harden();
    std::uint64_t written_bytes() const { return vfs_->written_bytes(); }

  private:
    struct Close {
        void operator()(sqlite3* connection) const;
    };
    Database() = default;

    std::unique_ptr<CountingVfs> vfs_;
    std::unique_ptr<sqlite3, Close> connection_;
};

// What SQLite's quick_check says of a file that nobody has open: lines of what is wrong, none when it is
// sound. Changes nothing.
Result<std::vector<std::string>> quick_check(const std::filesystem::path& file);

// As long as the descriptor is open nobody else has the database open; nothing is read, so that it may be
// damaged. Fails with retry when somebody has it open now.
Result<UniqueFd> lock_alone(const std::filesystem::path& file);

// Rolls back unless it was committed.
class Transaction {
  public:
    static Result<Transaction> begin(Database& database);
    Transaction(Transaction&& other) noexcept : database_(std::exchange(other.database_, nullptr)) {}
    Transaction& operator=(Transaction&&) = delete;
    ~Transaction();
    // On failure it is still open and will be rolled back.
    Result<void> commit();

  private:
    explicit Transaction(Database& database) : database_(&database) {}
    Database* database_;
};

}  // namespace holdfast
