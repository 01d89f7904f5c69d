#include "buffer/damaged_set.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <vector>

#include "base/journal_id.hpp"
#include "base/unique_fd.hpp"
#include "buffer/batch_row.hpp"
#include "buffer/raw_reader.hpp"

namespace holdfast {
namespace {

namespace fs = std::filesystem;

constexpr const char* companions[] = {"", "-wal", "-journal"};
constexpr std::string_view mark = ".corrupt-";
constexpr std::string_view fresh_mark = ".fresh";
// What next_seq jumps by. A WAL that was lost may have reserved many blocks after the notes in the file; and
// without notes, the highest seq that is found may be behind by the jump of a disk that failed for long.
constexpr std::uint64_t sound_jump = std::uint64_t{1} << 32;
constexpr std::uint64_t blind_jump = std::uint64_t{1} << 41;
constexpr std::uint64_t highest_sane_seq = std::uint64_t{1} << 60;

// The numbers of the sets beside `file`, ascending.
std::vector<std::uint64_t> damaged_sets(const fs::path& file) {
    std::vector<std::uint64_t> numbers;
    const std::string prefix = file.filename().string() + std::string(mark);
    std::error_code failed;
    for (const auto& entry : fs::directory_iterator(file.parent_path(), failed)) {
        const std::string name = entry.path().filename().string();
        std::uint64_t number = 0;
        if (!name.starts_with(prefix)) continue;
        if (std::from_chars(name.data() + prefix.size(), name.data() + name.size(), number).ec == std::errc{})
            numbers.push_back(number);
    }
    std::sort(numbers.begin(), numbers.end());
    numbers.erase(std::unique(numbers.begin(), numbers.end()), numbers.end());
    return numbers;
}

fs::path fresh_of(const fs::path& file) {
    return file.string() + std::string(fresh_mark);
}

Result<void> sync_directory(const fs::path& directory) {
    const UniqueFd fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!fd || ::fsync(fd.get()) != 0)
        return system_error(Error::Kind::retry, "cannot sync " + directory.string(), errno);
    return {};
}

void remove_set(const fs::path& name) {
    for (const char* companion : companions) {
        std::error_code ignored;
        fs::remove(name.string() + companion, ignored);
    }
}

// The database goes first: while it is missing, and the fresh one waits, finish_replacement() goes on here.
Result<void> swap(const fs::path& file, std::uint64_t number) {
    const fs::path aside = damaged_set(file, number);
    for (const char* companion : companions) {
        std::error_code failed;
        fs::rename(file.string() + companion, aside.string() + companion, failed);
        if (failed && failed != std::errc::no_such_file_or_directory)
            return system_error(Error::Kind::retry, "cannot set aside " + file.string() + companion,
                                failed.value());
    }
    std::error_code failed;
    fs::rename(fresh_of(file), file, failed);
    if (failed)
        return system_error(Error::Kind::retry, "cannot put a fresh database in place", failed.value());
    return sync_directory(file.parent_path());
}

// What is known of the damaged buffer when memory knows nothing.
struct Remains {
    Heritage heritage;
    std::uint64_t lived_s = 0;
};

Remains remains_of(const fs::path& file) {
    Remains remains;
    auto reader = RawReader::open(file);
    if (!reader) return remains;
    const RawReader::Notes& notes = reader->notes();
    const std::uint64_t next_seq = notes.find("next_seq").value_or(1);
    remains.heritage.next_seq = reader->likely_last_seq() + 1;
    if (next_seq < highest_sane_seq)
        remains.heritage.next_seq = std::max(remains.heritage.next_seq, next_seq);
    remains.heritage.next_seq += notes.sound ? sound_jump : blind_jump;
    if (!notes.sound) return remains;
    remains.heritage.epoch = notes.find("epoch");
    remains.lived_s = notes.find("lived_s").value_or(0);
    // Newer totals may have been in the WAL.
    if (reader->wal() == PageFile::Wal::damaged || reader->wal() == PageFile::Wal::foreign) return remains;
    std::uint64_t readings = 0;
    for (const Priority lane : {Priority::low, Priority::normal, Priority::high})
        readings += notes.find(batch_row::meta_key("readings", lane)).value_or(0);
    remains.heritage.readings = readings;
    return remains;
}

Result<void> make_fresh(const fs::path& file, Bytes max_size, const Remains& remains,
                        const SalvageNotes& notes) {
    remove_set(file);
    auto fresh = BatchDatabase::open(file, max_size);
    if (!fresh) return fresh.error();
    auto write = (*fresh)->write();
    if (!write) return write.error();
    Result<void> done;
    if (remains.heritage.epoch) done = write->adopt(*remains.heritage.epoch);
    if (done) done = write->reserve(remains.heritage.next_seq);
    if (done) done = write->set_lived(std::chrono::seconds(remains.lived_s));
    if (done) done = notes.write(*write);
    if (done) done = write->commit();
    if (done) done = (*fresh)->truncate_wal();
    return done;
}

}  // namespace

fs::path damaged_set(const fs::path& file, std::uint64_t number) {
    return file.string() + std::string(mark) + std::to_string(number);
}

Result<SalvageNotes> replace_damaged(const fs::path& file, Bytes max_size, const Error& damage,
                                     const Heritage& heritage, Log& log) {
    std::vector<std::uint64_t> numbers = damaged_sets(file);
    numbers.push_back(numbers.empty() ? 1 : numbers.back() + 1);
    Remains remains = remains_of(file);
    SalvageNotes notes;
    notes.set = numbers.back();
    notes.counts_all = heritage.readings.has_value();
    if (heritage.epoch) remains.heritage.epoch = heritage.epoch;
    remains.heritage.next_seq =
        heritage.readings ? heritage.next_seq : std::max(heritage.next_seq, remains.heritage.next_seq);
    if (heritage.readings) remains.heritage.readings = heritage.readings;
    notes.below = remains.heritage.next_seq;
    notes.expected = remains.heritage.readings;
    if (auto made = make_fresh(fresh_of(file), max_size, remains, notes); !made) return made.error();
    if (auto synced = sync_directory(file.parent_path()); !synced) return synced.error();
    if (auto done = swap(file, notes.set); !done) return done.error();
    for (std::size_t i = 0; i + kept_damaged_sets < numbers.size(); ++i)
        remove_set(damaged_set(file, numbers[i]));
    log.error("the buffer is damaged (" + damage.text + "): it is kept as " +
                  damaged_set(file, notes.set).string() + ", and what can be read of it is taken over",
              {journal_id::buffer_damaged});
    return notes;
}

Result<void> finish_replacement(const fs::path& file) {
    std::error_code failed;
    if (!fs::exists(fresh_of(file), failed)) return {};
    if (fs::exists(fs::symlink_status(file, failed))) {
        remove_set(fresh_of(file));
        return {};
    }
    const std::vector<std::uint64_t> numbers = damaged_sets(file);
    return swap(file, numbers.empty() ? 1 : numbers.back());
}

}  // namespace holdfast
