#include "bench/raw_sqlite.hpp"

#include <sqlite3.h>

#include <array>
#include <cstdint>
#include <stdexcept>
#include <string>

#include "bench/process.hpp"

namespace holdfast::bench {
namespace {

constexpr std::size_t row_bytes = 100;
constexpr std::size_t transaction_rows = (1 << 20) / row_bytes;
using Clock = std::chrono::steady_clock;

class RawDatabase {
  public:
    explicit RawDatabase(const std::filesystem::path& file) : file_(file) {
        must(sqlite3_open(file.c_str(), &database_));
        run("PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
            "CREATE TABLE rows(id INTEGER PRIMARY KEY, body BLOB NOT NULL)");
        must(sqlite3_prepare_v2(database_, "INSERT INTO rows(body) VALUES (?)", -1, &insert_, nullptr));
    }
    RawDatabase(const RawDatabase&) = delete;
    RawDatabase& operator=(const RawDatabase&) = delete;
    ~RawDatabase() {
        sqlite3_finalize(insert_);
        sqlite3_close(database_);
    }

    // Rows that it took.
    std::size_t transaction() {
        run("BEGIN");
        const auto began = Clock::now();
        std::size_t rows = 0;
        while (rows < transaction_rows &&
               (rows % 1'000 != 0 || Clock::now() - began < std::chrono::seconds(1))) {
            body_[rows++ % row_bytes] += 1;
            must(sqlite3_bind_blob(insert_, 1, body_.data(), row_bytes, SQLITE_STATIC));
            must(sqlite3_step(insert_));
            must(sqlite3_reset(insert_));
        }
        run("COMMIT");
        return rows;
    }

  private:
    void run(const char* sql) { must(sqlite3_exec(database_, sql, nullptr, nullptr, nullptr)); }
    void must(int code) {
        if (code != SQLITE_OK && code != SQLITE_DONE)
            throw std::runtime_error(file_.string() + ": " + sqlite3_errmsg(database_));
    }

    std::filesystem::path file_;
    sqlite3* database_ = nullptr;
    sqlite3_stmt* insert_ = nullptr;
    std::array<char, row_bytes> body_{};
};

}  // namespace

RawFigures measure_raw_sqlite(const std::filesystem::path& directory, std::chrono::milliseconds length) {
    const std::filesystem::path file = directory / "raw.db";
    std::filesystem::remove(file);
    const double written_before = bytes_written();
    double rows = 0;
    std::chrono::duration<double> took{};
    {
        RawDatabase database(file);
        const auto began = Clock::now();
        while (Clock::now() - began < length)
            rows += static_cast<double>(database.transaction());
        took = Clock::now() - began;
    }
    const RawFigures figures{rows / took.count(), (bytes_written() - written_before) / rows,
                             static_cast<double>(std::filesystem::file_size(file)) / rows};
    std::filesystem::remove(file);
    return figures;
}

}  // namespace holdfast::bench
