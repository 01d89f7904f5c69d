#include "buffer/salvage.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <vector>

#include "base/unique_fd.hpp"

namespace holdfast {
namespace {

namespace fs = std::filesystem;

constexpr const char* companions[] = {"-wal", "-journal", ""};
constexpr std::string_view mark = ".corrupt-";
// What is not copied by then stays in the set that is kept; a start must not wait for ever on a dying card.
constexpr std::chrono::seconds most_time{20};
constexpr std::size_t rows_per_read = 64;
// Above any seq that is ever reached; a closer end keeps the halving short.
constexpr std::uint64_t highest_seq = std::uint64_t{1} << 44;
// Reads that may fail in a table: a bad leaf costs some fifty, a bad inner page would cost one for each seq
// below it.
constexpr int most_failures = 4'000;

// The numbers of the sets beside `file`, ascending.
std::vector<unsigned> damaged_sets(const fs::path& file) {
    std::vector<unsigned> numbers;
    const std::string prefix = file.filename().string() + std::string(mark);
    std::error_code failed;
    for (const auto& entry : fs::directory_iterator(file.parent_path(), failed)) {
        const std::string name = entry.path().filename().string();
        unsigned number = 0;
        if (!name.starts_with(prefix)) continue;
        if (std::from_chars(name.data() + prefix.size(), name.data() + name.size(), number).ec == std::errc{})
            numbers.push_back(number);
    }
    std::sort(numbers.begin(), numbers.end());
    numbers.erase(std::unique(numbers.begin(), numbers.end()), numbers.end());
    return numbers;
}

std::string set_name(const fs::path& file, unsigned number) {
    return file.string() + std::string(mark) + std::to_string(number);
}

// A power cut must not bring the damaged file back under its old name beside the WAL of the fresh one.
Result<void> sync_directory(const fs::path& directory) {
    const UniqueFd fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!fd || ::fsync(fd.get()) != 0)
        return system_error(Error::Kind::retry, "cannot sync " + directory.string(), errno);
    return {};
}

// The WAL goes first: left behind alone, it would be played into the fresh database.
Result<fs::path> set_aside(const fs::path& file) {
    std::vector<unsigned> numbers = damaged_sets(file);
    const unsigned number = numbers.empty() ? 1 : numbers.back() + 1;
    numbers.push_back(number);
    const fs::path aside = set_name(file, number);
    for (const char* companion : companions) {
        std::error_code failed;
        fs::rename(file.string() + companion, aside.string() + companion, failed);
        if (failed && failed != std::errc::no_such_file_or_directory)
            return system_error(Error::Kind::retry, "cannot set aside " + file.string() + companion,
                                failed.value());
    }
    for (std::size_t i = 0; i + kept_damaged_sets < numbers.size(); ++i)
        for (const char* companion : companions) {
            std::error_code ignored;
            fs::remove(set_name(file, numbers[i]) + companion, ignored);
        }
    if (auto synced = sync_directory(file.parent_path()); !synced) return synced.error();
    return aside;
}

struct Tally {
    std::uint64_t batches = 0;
    std::uint64_t readings = 0;
    std::uint64_t damaged = 0;  // rows with a wrong checksum
    std::uint64_t last_seq = 0;
    bool complete = true;  // every range could be read
};

// Reads a table around its damaged places: a range that fails is halved, and each half tried. Ranges are
// taken in order of seq.
class Salvage {
  public:
    Salvage(BatchDatabase& from, BatchDatabase& to) : from_(from), to_(to) {}

    Result<void> table(Priority priority, Tally& tally) {
        std::vector<Range> ranges{{0, highest_seq}};
        int failures = 0;
        while (!ranges.empty()) {
            if (failures > most_failures || std::chrono::steady_clock::now() > deadline_) {
                tally.complete = false;
                break;
            }
            Range range = ranges.back();
            ranges.pop_back();
            auto rows = from_.read(priority, range.first, range.last,
                                   {rows_per_read, to_.budget().transaction_bytes}, everything);
            if (rows) {
                if (auto kept = keep(std::move(*rows), tally); !kept) return kept;
                if (rows->next <= range.last) ranges.push_back({rows->next, range.last});
            } else if (++failures; range.first < range.last) {
                const std::uint64_t middle = range.first + (range.last - range.first) / 2;
                ranges.push_back({middle + 1, range.last});
                ranges.push_back({range.first, middle});
            } else {
                tally.complete = false;
            }
        }
        return flush(tally);
    }

  private:
    struct Range {
        std::uint64_t first, last;
    };
    static bool everything(std::uint64_t) { return true; }

    Result<void> keep(BatchDatabase::Rows rows, Tally& tally) {
        tally.damaged += rows.damaged.size();
        for (Batch& batch : rows.batches) {
            pending_bytes_ += batch.body.size();
            pending_.push_back(std::move(batch));
        }
        if (pending_bytes_ < to_.budget().transaction_bytes) return {};
        return flush(tally);
    }

    Result<void> flush(Tally& tally) {
        auto write = to_.write();
        if (!write) return write.error();
        for (const Batch& batch : pending_)
            if (auto put = write->put(batch); !put) return put;
        if (auto done = write->commit(); !done) return done;
        for (const Batch& batch : pending_) {
            tally.batches += 1;
            tally.readings += readings_held(batch.header);
            tally.last_seq = std::max(tally.last_seq, batch.header.seq);
        }
        pending_.clear();
        pending_bytes_ = 0;
        return {};
    }

    BatchDatabase& from_;
    BatchDatabase& to_;
    std::vector<Batch> pending_;
    std::size_t pending_bytes_ = 0;
    std::chrono::steady_clock::time_point deadline_ = std::chrono::steady_clock::now() + most_time;
};

Result<void> salvage(const fs::path& aside, BatchDatabase& fresh, Tally& tally) {
    auto damaged = BatchDatabase::open_damaged(aside);
    if (!damaged) return damaged.error();
    Salvage work(**damaged, fresh);
    // What is dropped last is saved first.
    for (const Priority priority : {Priority::high, Priority::normal, Priority::low})
        if (auto done = work.table(priority, tally); !done) return done;
    auto write = fresh.write();
    if (!write) return write.error();
    if (auto done = write->reserve(tally.last_seq + 1); !done) return done;
    return write->commit();
}

}  // namespace

Result<std::unique_ptr<BatchDatabase>> replace_damaged(const fs::path& file, Bytes max_size,
                                                       const Error& damage, Log& log) {
    const auto aside = set_aside(file);
    if (!aside) return aside.error();
    log.error("the buffer is damaged (" + damage.text + "): it is kept as " + aside->string());
    auto fresh = BatchDatabase::open(file, max_size);
    if (!fresh) return fresh;
    Tally tally;
    const auto done = salvage(*aside, **fresh, tally);
    std::string text = "saved " + std::to_string(tally.readings) + " readings (" +
                       std::to_string(tally.batches) + " batches) from the damaged buffer";
    if (tally.damaged > 0) text += ", " + std::to_string(tally.damaged) + " batches are damaged";
    if (!tally.complete) text += ", parts of it can't be read";
    if (!done) text += ", then it failed: " + done.error().text;
    log.error(text);
    return fresh;
}

}  // namespace holdfast
