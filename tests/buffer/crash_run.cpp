#include "buffer/crash_run.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iterator>

#include "base/sanitized.hpp"

namespace holdfast::test {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t digits = 8;

std::string text_of(std::uint64_t number) {
    std::string text = std::to_string(number);
    text.insert(0, digits - text.size(), '0');
    return text;
}

}  // namespace

fs::path fast_directory() {
    return ::access("/dev/shm", W_OK | X_OK) == 0 ? fs::path("/dev/shm") : fs::temp_directory_path();
}

std::size_t how_many(const char* variable, std::size_t usual, std::size_t under_sanitizers) {
    if (const char* wanted = std::getenv(variable)) return std::strtoul(wanted, nullptr, 10);
    return sanitized ? under_sanitizers : usual;
}

Batch numbered_batch(std::uint64_t number, Priority priority, std::size_t bytes) {
    Batch batch = make_batch(static_cast<std::uint32_t>(1 + number % 7), "in" + std::to_string(number % 3),
                             priority, bytes);
    batch.header.first_us += static_cast<std::int64_t>(number);
    // The same each time that it is made.
    std::mt19937 noise(static_cast<std::mt19937::result_type>(number));
    for (std::size_t at = encode_body_head({{"room", "b2"}}).size(); at < batch.body.size(); ++at)
        batch.body[at] = static_cast<char>(noise());
    batch.body.replace(encode_body_head({{"room", "b2"}}).size(), digits, text_of(number));
    return batch;
}

std::size_t number_of(const Batch& batch) {
    return std::stoul(batch.body.substr(encode_body_head({{"room", "b2"}}).size(), digits));
}

bool same(const Batch& a, const Batch& b) {
    const BatchHeader& x = a.header;
    const BatchHeader& y = b.header;
    return x.input == y.input && x.priority == y.priority && x.kind == y.kind && x.count == y.count &&
           x.first_us == y.first_us && x.last_us == y.last_us && x.boot == y.boot &&
           x.wall_offset_us == y.wall_offset_us && x.clock == y.clock && a.body == b.body;
}

BufferConfig small_buffer(Durability durability) {
    BufferConfig config;
    config.max_size = mebibytes(1);
    config.durability = durability;
    config.when_full = WhenFull::drop_oldest;
    return config;
}

CrashRun::CrashRun(BufferConfig config, RecordingVfs::Lies lies)
    : disk_(std::make_unique<RecordingVfs>(std::move(lies))), test_(config, fast_directory()) {
    open();
}

CrashRun::CrashRun(BufferConfig config, Before before, RecordingVfs::Lies lies)
    : disk_(std::make_unique<RecordingVfs>(std::move(lies))),
      test_(config, fast_directory()),
      promises_(std::move(before.promises)) {
    for (Promise& promise : promises_)
        for (std::size_t* since :
             {&promise.begun, &promise.given, &promise.committed, &promise.acked, &promise.deleted})
            if (*since != Promise::never) *since = 0;
    dropped_ = {{0, before.dropped}};
    write_image(before.files, test_.directory.path());
    open();
}

void CrashRun::open() {
    test_.open();
    dropped_before_ = dropped();
    epoch_ = test_.buffer->epoch();
}

void CrashRun::append(Priority priority, std::size_t bytes) {
    Batch batch = numbered_batch(promises_.size(), priority, bytes);
    promises_.push_back({.batch = batch, .begun = now()});
    test_.append(std::move(batch));
    promises_.back().given = now();
    note();
}

void CrashRun::pass(Micros time) {
    test_.pass(time);
    note();
    if (time < test_.config.commit_interval) return;
    for (Promise& promise : promises_)
        if (promise.acked != Promise::never && promise.deleted == Promise::never) promise.deleted = now();
}

// Once nothing is in memory only, all that was taken in is committed.
void CrashRun::note() {
    const BufferStatus status = test_.buffer->status();
    if (!status.last_error.empty()) throw std::runtime_error(status.last_error);
    if (status.dropped_readings != dropped() - dropped_before_)
        dropped_.push_back({now(), dropped_before_ + status.dropped_readings});
    if (status.in_memory_readings > 0) return;
    for (Promise& promise : promises_)
        promise.committed = std::min(promise.committed, now());
}

void CrashRun::note_seq(const Batch& batch) {
    if (batch.header.kind == BatchKind::readings) promises_.at(number_of(batch)).seq = batch.header.seq;
}

bool CrashRun::peek() {
    const auto batch = test_.buffer->peek();
    if (!batch) return false;
    note_seq(*batch);
    if (batch->header.kind == BatchKind::readings) lent_.push_back(number_of(*batch));
    return true;
}

void CrashRun::acknowledge() {
    for (const std::uint64_t number : lent_) {
        promises_[number].acked = now();
        test_.buffer->ack(promises_[number].seq);
    }
    lent_.clear();
    note();
}

void CrashRun::close() {
    test_.close();
    lent_.clear();
    for (Promise& promise : promises_) {
        promise.committed = std::min(promise.committed, now());
        if (promise.acked != Promise::never) promise.deleted = std::min(promise.deleted, now());
    }
}

void CrashRun::finish() {
    const std::size_t end = now();
    if (!test_.buffer) open();
    test_.buffer->set_link(true);
    test_.pass(test_.config.commit_interval);
    for (const Batch& batch : test_.peek_all())
        note_seq(batch);
    test_.close();
    recording_ = disk_->recording();
    recording_.events.resize(end);
    disk_.reset();
}

DiskImage CrashRun::files() const {
    DiskImage image;
    for (const auto& entry : fs::directory_iterator(test_.directory.path())) {
        std::ifstream file(entry.path(), std::ios::binary);
        image[entry.path().filename()] = std::string(std::istreambuf_iterator<char>(file), {});
    }
    return image;
}

std::uint64_t CrashRun::highest_given(std::size_t cut) const {
    std::uint64_t highest = 0;
    for (const Promise& promise : promises_)
        if (promise.given <= cut) highest = std::max(highest, promise.seq);
    return highest;
}

std::string CrashRun::compare(const std::vector<Batch>& offered, const std::set<std::size_t>& saved,
                              std::size_t cut) const {
    std::vector<bool> found(promises_.size());
    std::uint64_t told = 0;
    for (const Batch& batch : offered) {
        if (batch.header.kind == BatchKind::gap) {
            told += batch.header.count;
            continue;
        }
        const std::size_t number = number_of(batch);
        const std::string name = "batch " + std::to_string(number);
        if (number >= promises_.size() || promises_[number].begun > cut) return name + " was never taken in";
        const Promise& promise = promises_[number];
        if (found[number]) return name + " is offered twice";
        if (!same(batch, promise.batch)) return name + " is not what was taken in";
        if (promise.seq != 0 && batch.header.seq != promise.seq) return name + " has another seq";
        if (promise.deleted <= cut) return name + " was acknowledged and deleted, and is back";
        found[number] = true;
    }
    std::uint64_t missing = 0;
    std::string first;
    for (std::size_t number = 0; number < promises_.size(); ++number) {
        const Promise& promise = promises_[number];
        if (found[number] || saved.contains(number) || promise.committed > cut || promise.acked <= cut)
            continue;
        missing += promise.batch.header.count;
        if (first.empty()) first = ", the first is batch " + std::to_string(number);
    }
    const std::string wrong = count_gaps(missing, told, cut);
    return wrong.empty() ? wrong : wrong + first;
}

// What is missing was dropped, and gap records tell so.
std::string CrashRun::count_gaps(std::uint64_t missing, std::uint64_t told, std::size_t cut) const {
    if (missing > told)
        return std::to_string(missing) + " committed readings are missing, gap records tell of " +
               std::to_string(told);
    const auto later = std::find_if(dropped_.begin(), dropped_.end(),
                                    [&](const Dropped& dropped) { return dropped.since > cut; });
    if (told < std::prev(later)->readings || (later == dropped_.end() && told > dropped()))
        return "gap records tell of " + std::to_string(told) + " readings, dropped were " +
               std::to_string(std::prev(later)->readings);
    return {};
}

std::string CrashRun::check(const fs::path& directory, std::size_t cut, Tolerance tolerance) const {
    FakeClock clock;
    RecordingLog log;
    auto opened = Buffer::open(directory, test_.config, clock, log);
    if (!opened) return "it does not open: " + opened.error().text;
    Buffer& buffer = **opened;
    const bool fresh = was_set_aside(directory);
    if (!tolerance.set_aside) {
        if (fresh) return "it was set aside: " + log.text();
        if (log.count(LogLevel::error) + log.count(LogLevel::warning) > 0)
            return "it complains: " + log.text();
    }
    // Of a database that was not there yet, the epoch is another.
    if (!fresh && highest_given(cut) > 0 && buffer.epoch() != epoch_) return "the epoch is another";
    const auto settle = [&] {
        clock.advance(test_.config.commit_interval);
        for (auto due = buffer.step(); due && *due <= clock.now(); due = buffer.step()) {
        }
    };
    const auto peek_all = [&] {
        std::vector<Batch> all;
        while (auto batch = buffer.peek())
            all.push_back(std::move(*batch));
        return all;
    };
    if (fresh) settle();  // what was set aside is taken over
    buffer.set_link(true);
    if (std::string wrong = compare(peek_all(), set_aside(directory), cut); !wrong.empty()) return wrong;
    buffer.append(numbered_batch(promises_.size()));
    settle();
    const std::vector<Batch> last = peek_all();
    if (last.size() != 1) return std::to_string(last.size()) + " batches are offered after one was taken in";
    if (!fresh && last[0].header.seq <= highest_given(cut))
        return "seq " + std::to_string(last[0].header.seq) + " was given out before";
    if (auto closed = buffer.close(); !closed) return "it does not close: " + closed.error().text;
    return integrity(directory / "buffer.db");
}

int open_alone(const fs::path& file, sqlite3** connection) {
    const int code = sqlite3_open_v2(file.c_str(), connection, SQLITE_OPEN_READWRITE, nullptr);
    if (code != SQLITE_OK) return code;
    return sqlite3_exec(*connection, "PRAGMA locking_mode=EXCLUSIVE", nullptr, nullptr, nullptr);
}

namespace {

std::vector<fs::path> sets_aside(const fs::path& directory) {
    std::vector<fs::path> sets;
    for (const auto& entry : fs::directory_iterator(directory)) {
        const std::string name = entry.path().filename();
        if (name.find(".corrupt-") != std::string::npos && !name.ends_with("-wal"))
            sets.push_back(entry.path());
    }
    return sets;
}

}  // namespace

bool was_set_aside(const fs::path& directory) {
    return !sets_aside(directory).empty();
}

std::set<std::size_t> set_aside(const fs::path& directory) {
    std::set<std::size_t> numbers;
    for (const fs::path& file : sets_aside(directory)) {
        sqlite3* connection = nullptr;
        open_alone(file, &connection);
        for (const char* table : {"batches_low", "batches_normal", "batches_high"})
            sqlite3_exec(
                connection, ("SELECT body FROM " + std::string(table) + " WHERE kind=0").c_str(),
                [](void* to, int, char** values, char**) {
                    static_cast<std::set<std::size_t>*>(to)->insert(number_of({{}, values[0]}));
                    return 0;
                },
                &numbers, nullptr);
        sqlite3_close(connection);
    }
    return numbers;
}

std::string integrity(const fs::path& file) {
    sqlite3* connection = nullptr;
    sqlite3_stmt* statement = nullptr;
    std::string verdict;
    int code = open_alone(file, &connection);
    if (code == SQLITE_OK)
        code = sqlite3_prepare_v2(connection, "PRAGMA integrity_check", -1, &statement, nullptr);
    if (code == SQLITE_OK && (code = sqlite3_step(statement)) == SQLITE_ROW) {
        verdict = reinterpret_cast<const char*>(sqlite3_column_text(statement, 0));
        if (verdict == "ok") verdict.clear();
    } else {
        verdict = sqlite3_errstr(code);
    }
    sqlite3_finalize(statement);
    sqlite3_close(connection);
    return verdict.empty() ? verdict : "integrity: " + verdict;
}

namespace {

// The image twice: SQLite's own look at it comes before the buffer has mended anything.
std::string check_image(const CrashRun& run, const DiskImage& image, std::size_t cut) {
    const TempDir directory(fast_directory());
    const TempDir copy(fast_directory());
    write_image(image, directory.path());
    write_image(image, copy.path());
    if (fs::exists(copy / "buffer.db"))
        if (std::string damage = integrity(copy / "buffer.db"); !damage.empty()) return damage;
    return run.check(directory.path(), cut, {});
}

}  // namespace

std::size_t cut_power(const Recording& run, std::size_t images, const std::function<void(const Cut&)>& look) {
    const auto& [events, begin] = run;
    CrashDisk disk;
    for (std::size_t i = 0; i < begin; ++i)
        disk.apply(events[i]);
    const std::size_t cuts = events.size() + 1 - begin;
    for (std::size_t cut = begin; cut <= events.size(); ++cut) {
        // A sync that is under way has saved nothing yet.
        const bool syncs = cut == events.size() || events[cut].kind == DiskEvent::Kind::sync ||
                           events[cut].kind == DiskEvent::Kind::sync_directory;
        if (!syncs) disk.apply(events[cut]);
        const std::size_t at = cut - begin;
        const std::size_t here = (at + 1) * images / cuts - at * images / cuts;
        for (std::size_t i = 0; i < here; ++i) {
            CrashDisk::Random random(cut * 1'000'003 + i);
            look({cut, i, disk.cut((cut + i) % 2 == 0 ? CutOrder::kept : CutOrder::lost, random)});
        }
        if (syncs && cut < events.size()) disk.apply(events[cut]);
    }
    return cuts;
}

CrashReport check_cuts(const CrashRun& run, std::size_t images) {
    CrashReport report;
    report.cuts = cut_power(run.recording(), images, [&](const Cut& cut) {
        report.images += 1;
        const std::string problem = check_image(run, cut.files, cut.at);
        if (problem.empty()) return;
        report.problems.push_back("cut " + std::to_string(cut.at) + ", image " + std::to_string(cut.image) +
                                  ": " + problem);
    });
    return report;
}

}  // namespace holdfast::test
