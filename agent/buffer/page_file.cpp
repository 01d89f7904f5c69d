#include "buffer/page_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <optional>

#include "buffer/schema.hpp"

namespace holdfast {

using sqlite_format::big_endian;
using sqlite_format::page_bytes;

namespace {

constexpr std::size_t wal_header_bytes = 32;
constexpr std::size_t frame_header_bytes = 24;
constexpr std::size_t frame_bytes = frame_header_bytes + page_bytes;
// Where in page 1 these stand: sqlite.org/fileformat2.html#the_database_header
constexpr std::size_t schema_cookie_at = 40;
constexpr std::size_t application_id_at = 68;
// A migration raises the cookie by one for each statement.
constexpr std::uint32_t most_schema_changes = 1'000;
static_assert(sizeof(off_t) == 8, "a buffer may have more than 2 GiB");

// False: not all of it is there.
bool read_at(int fd, std::uint64_t offset, std::size_t size, std::string& bytes) {
    bytes.resize(size);
    std::size_t done = 0;
    while (done < size) {
        const ssize_t got = ::pread(fd, bytes.data() + done, size - done, static_cast<off_t>(offset + done));
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) break;
        done += static_cast<std::size_t>(got);
    }
    std::fill(bytes.begin() + static_cast<std::ptrdiff_t>(done), bytes.end(), '\0');
    return done == size;
}

struct Checksum {
    std::uint32_t first = 0;
    std::uint32_t second = 0;
    bool operator==(const Checksum&) const = default;
};

std::uint32_t little_endian(std::string_view bytes, std::size_t at) {
    return __builtin_bswap32(big_endian(bytes, at));
}

// sqlite.org/fileformat2.html#checksum_algorithm
Checksum checksum(std::string_view bytes, Checksum sum, bool is_big_endian) {
    for (std::size_t at = 0; at + 8 <= bytes.size(); at += 8) {
        sum.first += (is_big_endian ? big_endian(bytes, at) : little_endian(bytes, at)) + sum.second;
        sum.second += (is_big_endian ? big_endian(bytes, at + 4) : little_endian(bytes, at + 4)) + sum.first;
    }
    return sum;
}

Checksum checksum_in(std::string_view bytes, std::size_t at) {
    return {big_endian(bytes, at), big_endian(bytes, at + 4)};
}

}  // namespace

// Frames one after the other. Each checksum goes on from the one before, which stands in the frame before:
// so every frame can be judged by itself, also behind a damaged one.
struct PageFile::WalScan {
    std::map<PageNumber, std::uint64_t> committed, transaction;
    PageNumber pages = 0;  // of the database after the last commit
    std::size_t commits = 0;
    std::string_view salts;
    Checksum last;
    bool is_big_endian = false;

    bool take(std::string_view frame, std::uint64_t offset) {
        const Checksum stored = checksum_in(frame, 16);
        const Checksum sum = checksum(frame.substr(frame_header_bytes),
                                      checksum(frame.substr(0, 8), last, is_big_endian), is_big_endian);
        last = stored;
        const PageNumber number = big_endian(frame, 0);
        if (frame.substr(8, 8) != salts || sum != stored || number == 0) return false;
        transaction[number] = offset + frame_header_bytes;
        if (const PageNumber size = big_endian(frame, 4); size != 0) {
            for (const auto& [page, at] : transaction)
                committed[page] = at;
            transaction.clear();
            pages = size;
            commits += 1;
        }
        return true;
    }
};

Result<PageFile> PageFile::open(const std::filesystem::path& file) {
    PageFile pages;
    pages.file_ = UniqueFd(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    struct stat about {};
    if (!pages.file_ || ::fstat(pages.file_.get(), &about) != 0)
        return system_error(errno == ENOENT ? Error::Kind::gone : Error::Kind::retry,
                            "cannot read " + file.string(), errno);
    if (!S_ISREG(about.st_mode)) return Error{Error::Kind::retry, file.string() + " is no regular file"};
    pages.file_pages_ =
        static_cast<PageNumber>((static_cast<std::uint64_t>(about.st_size) + page_bytes - 1) / page_bytes);
    pages.page_count_ = pages.file_pages_;
    pages.read_wal(file.string() + "-wal");
    return pages;
}

// The rules of SQLite, but for what is behind a damaged frame. When the power fails, at most one transaction
// is torn, the last, since each is synced before the next begins; so what can be read behind a bad frame is
// the rest of that one, or the WAL is damaged.
void PageFile::read_wal(const std::filesystem::path& file) {
    wal_file_ = UniqueFd(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    std::string header;
    std::string frame;
    if (!wal_file_ || !read_at(wal_file_.get(), 0, wal_header_bytes, header)) return;
    WalScan scan;
    scan.is_big_endian = (big_endian(header, 0) & 1) != 0;
    scan.last = checksum_in(header, 24);
    scan.salts = std::string_view(header).substr(16, 8);
    bool sound = checksum(std::string_view(header).substr(0, 24), {}, scan.is_big_endian) == scan.last &&
                 big_endian(header, 8) == page_bytes;
    if (!sound) {
        // Each frame repeats the salts.
        if (!read_at(wal_file_.get(), wal_header_bytes, frame_header_bytes, frame)) return;
        header.replace(16, 8, frame, 8, 8);
        scan.is_big_endian = false;
    }
    WalScan behind = scan;
    for (std::uint64_t at = wal_header_bytes; read_at(wal_file_.get(), at, frame_bytes, frame);
         at += frame_bytes) {
        if (!sound) {
            behind.take(frame, at);
        } else if (!scan.take(frame, at)) {
            sound = false;
            behind = scan;
            behind.commits = 0;
        }
    }
    constexpr std::size_t torn_commits = 1;
    const bool is_damaged = behind.commits > torn_commits;
    if (is_damaged) scan = std::move(behind);
    if (scan.committed.empty()) return;
    in_wal_ = std::move(scan.committed);
    wal_ = is_damaged ? Wal::damaged : Wal::sound;
    if (is_foreign()) {
        in_wal_.clear();
        wal_ = Wal::foreign;
        return;
    }
    page_count_ = is_damaged ? std::max({file_pages_, scan.pages, in_wal_.rbegin()->first}) : scan.pages;
}

// Every buffer has a schema cookie of its own, which stands in page 1, and so in nearly every transaction.
bool PageFile::is_foreign() const {
    const auto found = in_wal_.find(1);
    if (found == in_wal_.end()) return false;
    std::string ours;
    std::string other;
    if (!read_at(file_.get(), 0, page_bytes, ours) ||
        big_endian(ours, application_id_at) != static_cast<std::uint32_t>(application_id) ||
        !read_at(wal_file_.get(), found->second, page_bytes, other))
        return false;
    return big_endian(other, schema_cookie_at) - big_endian(ours, schema_cookie_at) > most_schema_changes;
}

bool PageFile::read(PageNumber number, std::string& page) const {
    if (number == 0 || number > page_count_) return false;
    if (const auto found = in_wal_.find(number); found != in_wal_.end())
        return read_at(wal_file_.get(), found->second, page_bytes, page);
    const std::uint64_t offset = std::uint64_t{number - 1} * page_bytes;
    // The last page of a file that was cut off may be there in part.
    return read_at(file_.get(), offset, page_bytes, page) || number == file_pages_;
}

std::vector<PageFile::PageNumber> PageFile::wal_pages() const {
    std::vector<PageNumber> numbers;
    for (const auto& [number, at] : in_wal_)
        numbers.push_back(number);
    return numbers;
}

}  // namespace holdfast
