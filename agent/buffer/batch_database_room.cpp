// How much room BatchDatabase has and takes: its share of max_size, the disk, and the WAL.
#include <fcntl.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <limits>

#include "base/unique_fd.hpp"
#include "buffer/batch_database.hpp"
#include "buffer/batch_row.hpp"

namespace holdfast {

using namespace batch_row;

namespace {

constexpr std::int64_t page_bytes = 4096;
constexpr std::uint64_t reserved_wal_bytes = 1024 * 1024;

std::uint64_t size_of(const std::filesystem::path& file) {
    std::error_code missing;
    const std::uintmax_t size = std::filesystem::file_size(file, missing);
    return missing ? 0 : size;
}

}  // namespace

FileBudget::FileBudget(Bytes max_size)
    : wal_bytes(std::clamp<std::uint64_t>(max_size.count / 4, 256 * 1024, 8 * 1024 * 1024)) {
    const std::uint64_t file = max_size.count > 2 * wal_bytes ? max_size.count - wal_bytes : wal_bytes;
    database_pages = to_signed(file) / page_bytes;
    checkpoint_pages = std::min<std::int64_t>(1'000, to_signed(wal_bytes) / 2 / page_bytes);
    transaction_bytes = static_cast<std::size_t>(wal_bytes / 8);
}

Result<std::int64_t> BatchDatabase::unused_pages() {
    return freelist_count_.value();
}

std::int64_t BatchDatabase::file_pages() {
    return page_count_.value().value_or(0);
}

// What the WAL may still need is set apart first.
void BatchDatabase::look_at_disk(std::optional<Bytes> floor) {
    most_pages_ = budget_.database_pages;
    short_of_disk_ = false;
    struct statvfs disk {};
    if (::statvfs(file_.parent_path().c_str(), &disk) != 0) return;
    const std::uint64_t block = disk.f_frsize;
    const std::uint64_t available = disk.f_bavail * block;
    const std::uint64_t kept_free =
        floor ? floor->count : std::min<std::uint64_t>(disk.f_blocks * block / 20, 64 * 1024 * 1024);
    const std::uint64_t wal = size_of(wal_);
    const std::uint64_t wal_growth = budget_.wal_bytes > wal ? budget_.wal_bytes - wal : 0;
    short_of_disk_ = available < wal_growth;
    const std::uint64_t taken = kept_free > ~wal_growth ? ~std::uint64_t{0} : kept_free + wal_growth;
    const std::uint64_t spare = available > taken ? available - taken : 0;
    most_pages_ = std::min(most_pages_, file_pages() + to_signed(spare) / page_bytes);
}

void BatchDatabase::lift_limit() {
    budget_.database_pages = std::numeric_limits<std::int32_t>::max() / 2;
    (void)database_.execute(("PRAGMA max_page_count=" + std::to_string(budget_.database_pages)).c_str());
}

std::size_t BatchDatabase::transaction_bytes() const {
    return short_of_disk_ ? std::min<std::size_t>(budget_.transaction_bytes, reserved_wal_bytes / 8)
                          : budget_.transaction_bytes;
}

Result<std::int64_t> BatchDatabase::free_pages() {
    const auto to_max_size = pages_to_max_size();
    if (!to_max_size) return to_max_size;
    return *to_max_size - (budget_.database_pages - most_pages_);
}

Result<std::int64_t> BatchDatabase::pages_to_max_size() {
    const auto pages = page_count_.value();
    if (!pages) return pages.error();
    const auto unused = freelist_count_.value();
    if (!unused) return unused.error();
    return budget_.database_pages - *pages + *unused;
}

// A leaf page holds as many rows as fit side by side; what is larger than a page goes to pages of its own.
std::int64_t BatchDatabase::row_cost(std::size_t body_bytes) {
    constexpr std::int64_t row_overhead = 64;
    constexpr std::int64_t room = page_bytes - 35;
    const std::int64_t row = static_cast<std::int64_t>(body_bytes) + row_overhead;
    return row <= room ? page_bytes / (room / row) : (row / (page_bytes - 4) + 2) * page_bytes;
}

// Beside the rows: inner pages, the map of the vacuum, totals, names.
std::int64_t BatchDatabase::pages_for(std::int64_t cost) {
    return cost / page_bytes + cost / page_bytes / 32 + 12;
}

Result<void> BatchDatabase::shrink(std::int64_t pages) {
    return database_.execute(("PRAGMA incremental_vacuum(" + std::to_string(pages) + ")").c_str());
}

Result<void> BatchDatabase::truncate_wal() {
    auto done = database_.execute("PRAGMA wal_checkpoint(TRUNCATE)");
    reserve_wal();
    return done;
}

// Blocks beyond the end of the WAL, so that rows can be deleted, and the file's free pages be used, when
// nothing is left of the disk. Not all file systems can; they do without.
void BatchDatabase::reserve_wal() {
    const UniqueFd wal(::open(wal_.c_str(), O_WRONLY | O_CLOEXEC));
    if (!wal) return;
    (void)::fallocate(wal.get(), FALLOC_FL_KEEP_SIZE, 0,
                      to_signed(std::min(budget_.wal_bytes, reserved_wal_bytes)));
}

Result<void> BatchDatabase::limit_wal() {
    // The next transaction then writes over this one.
    if (short_of_disk_) return database_.execute("PRAGMA wal_checkpoint(RESTART)");
    if (size_of(wal_) <= budget_.wal_bytes) return {};
    return truncate_wal();
}

std::uint64_t BatchDatabase::file_bytes() const {
    return size_of(file_) + size_of(wal_);
}

}  // namespace holdfast
