// What the tests of damaged files share: filling a buffer, its files as a killed process leaves them, and
// damage.
#pragma once

#include <sqlite3.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "buffer/support.hpp"

namespace holdfast::test {

inline constexpr std::size_t page_bytes = 4096;

// Batches of three inputs and all priorities.
inline void fill(BufferInDirectory& test, int batches, std::size_t bytes = 1'300) {
    for (int i = 0; i < batches; ++i)
        test.append(make_batch(10, "in" + std::to_string(i % 3), static_cast<Priority>(i % 3), bytes));
    test.pass(test.config.commit_interval);
}

inline void overwrite(const std::filesystem::path& file, std::uint64_t offset, std::string_view bytes) {
    std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
    stream.seekp(static_cast<std::streamoff>(offset));
    stream.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

inline std::string content_of(const std::filesystem::path& file) {
    std::ifstream stream(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(stream), {}};
}

// Pages count from 1.
inline void zero_page(const std::filesystem::path& file, std::uint64_t page) {
    overwrite(file, (page - 1) * page_bytes, std::string(page_bytes, '\0'));
}

// The files as they are now: as a killed process leaves them.
inline void copy_files(const std::filesystem::path& from, const std::filesystem::path& to) {
    for (const char* name : {"buffer.db", "buffer.db-wal"}) {
        std::filesystem::remove(to / name);
        if (std::filesystem::exists(from / name)) std::filesystem::copy_file(from / name, to / name);
    }
}

inline void execute(const std::filesystem::path& file, const char* sql) {
    sqlite3* database = nullptr;
    sqlite3_open(file.c_str(), &database);
    if (sqlite3_exec(database, sql, nullptr, nullptr, nullptr) != SQLITE_OK)
        throw std::runtime_error(sqlite3_errmsg(database));
    sqlite3_close(database);
}

inline std::size_t damaged_sets(const BufferInDirectory& test) {
    std::size_t sets = 0;
    for (const auto& entry : std::filesystem::directory_iterator(test.directory.path())) {
        const std::string name = entry.path().filename().string();
        sets += name.starts_with("buffer.db.corrupt-") && !name.ends_with("-wal") ? 1 : 0;
    }
    return sets;
}

}  // namespace holdfast::test
