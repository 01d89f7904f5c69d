// The pages of a buffer's files as they lie on the disk: the database with what its WAL has over it. Read
// without SQLite, so that damage in one place hides nothing in another; never written.
//
// One thread. Holds the files open, so they may be renamed meanwhile.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "buffer/sqlite_format.hpp"

namespace holdfast {

class PageFile {
  public:
    using PageNumber = sqlite_format::PageNumber;

    // Reads FILE and FILE-wal. Fails with gone when FILE is not there, with retry when it can't be read.
    static Result<PageFile> open(const std::filesystem::path& file);

    enum class Wal {
        none,     // not there, or nothing in it that was committed
        sound,    // up to where it ends
        damaged,  // a transaction in it can't be read, but later ones can: SQLite would silently drop them
        foreign,  // it belongs to another database, and is left out of account
    };
    Wal wal() const { return wal_; }

    // Pages have numbers up to this.
    PageNumber page_count() const { return page_count_; }
    // What the page is now, page_bytes long; false: it is not there or can't be read.
    bool read(PageNumber number, std::string& page) const;
    // Those that the WAL has, ascending.
    std::vector<PageNumber> wal_pages() const;

  private:
    struct WalScan;
    PageFile() = default;
    void read_wal(const std::filesystem::path& file);
    bool is_foreign() const;

    UniqueFd file_;
    UniqueFd wal_file_;
    std::map<PageNumber, std::uint64_t> in_wal_;  // where in the WAL its newest content is
    PageNumber file_pages_ = 0;
    PageNumber page_count_ = 0;
    Wal wal_ = Wal::none;
};

}  // namespace holdfast
