// 300 damaged files: whatever is done to them, the buffer starts, offers what was not touched, offers nothing
// wrong, and counts what is lost. Each kind of damage is drawn anew for each seed.
#include <gtest/gtest.h>
#include <unistd.h>

#include <charconv>
#include <functional>
#include <random>
#include <set>

#include "buffer/crash_run.hpp"
#include "buffer/damage.hpp"

namespace holdfast::test {
namespace {

namespace fs = std::filesystem;
using Random = std::mt19937;

constexpr int seeds_per_kind = 17;

// Each body repeats its row's mark, so that the places where a row lies can be found in the files.
constexpr std::size_t most_rows = 1'000;

// Marks on each page that the body takes, none like another, in bytes that can't be compressed: so the marks
// can be found in the file.
void mark(std::string& body, std::size_t row, std::size_t size) {
    std::mt19937 noise(static_cast<std::mt19937::result_type>(row));
    for (std::size_t chunk = 0; body.size() < size; ++chunk) {
        char text[16];
        std::snprintf(text, sizeof text, "<%06zu>", chunk * most_rows + row);
        body += text;
        while (body.size() % 1'000 != 0 && body.size() < size) {
            const char byte = static_cast<char>(noise());
            if (byte != '<') body += byte;
        }
    }
}

// The files of a buffer before they are damaged.
struct Original {
    TempDir directory;
    std::vector<Batch> rows;                      // all that ever were in it, in order of seq
    std::map<std::uint64_t, std::size_t> by_seq;  // those that were not acknowledged: seq, index in `rows`
    bool was_closed;

    Original(int batches, bool closed, bool with_acknowledged);
};

Original::Original(int batches, bool closed, bool with_acknowledged) : was_closed(closed) {
    BufferInDirectory source;
    const auto add = [&](int count) {
        for (int i = 0; i < count; ++i) {
            const std::size_t row = rows.size();
            Batch batch = make_batch(10, "in" + std::to_string(row % 3), static_cast<Priority>(row % 3), 0);
            const std::size_t size = row % 50 == 7 ? 20'000 : 200 + row * 37 % 1'500;
            mark(batch.body, row, size);
            rows.push_back(batch);
            source.append(std::move(batch));
            if (i % 20 == 19) source.pass(source.config.commit_interval);
        }
        source.pass(source.config.commit_interval);
    };
    add(batches);
    source.reopen();
    if (with_acknowledged) {
        source.buffer->set_link(true);
        for (int i = 0; i < batches / 4; ++i)
            source.buffer->ack(source.buffer->peek()->header.seq);
        source.buffer->set_link(false);
    }
    add(batches / 4);
    source.buffer->set_link(true);
    std::map<std::string, std::size_t> by_body;
    for (std::size_t row = 0; row < rows.size(); ++row)
        by_body.emplace(rows[row].body, row);
    if (closed) source.reopen();
    source.buffer->set_link(true);
    for (const Batch& batch : source.peek_all())
        by_seq.emplace(batch.header.seq, by_body.at(batch.body));
    if (closed) source.close();
    copy_files(source.directory.path(), directory.path());
}

const Original& original(std::size_t which) {
    static const Original all[] = {
        {300, true, false}, {300, false, false}, {600, true, true}, {600, false, true}};
    return all[which % std::size(all)];
}

std::set<std::size_t> rows_in(std::string_view page) {
    std::set<std::size_t> rows;
    for (auto mark = page.find('<'); mark != page.npos && mark + 8 <= page.size();
         mark = page.find('<', mark + 1)) {
        std::size_t row = 0;
        const char* end = page.data() + mark + 7;
        if (*end == '>' && std::from_chars(page.data() + mark + 1, end, row).ptr == end)
            rows.insert(row % most_rows);
    }
    return rows;
}

// The rows of which no byte is in a page that differs, nor the names of all inputs, table and index.
std::set<std::uint64_t> untouched(const Original& before, const fs::path& after) {
    std::set<std::size_t> touched;
    int names = 0;
    for (const char* name : {"buffer.db", "buffer.db-wal"}) {
        if (!fs::exists(before.directory / name)) continue;
        const bool is_wal = std::string_view(name).ends_with("-wal");
        const std::string old_bytes = content_of(before.directory / name);
        const std::string new_bytes = fs::is_regular_file(after / name) ? content_of(after / name) : "";
        const std::size_t step = page_bytes + (is_wal ? 24 : 0);
        for (std::size_t at = is_wal ? 32 : 0; at < old_bytes.size(); at += step) {
            const std::string_view page = std::string_view(old_bytes).substr(at, step);
            if (at + step <= new_bytes.size() && std::string_view(new_bytes).substr(at, step) == page)
                continue;
            touched.merge(rows_in(page));
            if (!is_wal && (at == 3 * page_bytes || at == 4 * page_bytes)) names += 1;
        }
    }
    std::set<std::uint64_t> seqs;
    if (names == 2) return seqs;
    for (const auto& [seq, row] : before.by_seq)
        if (!touched.contains(row)) seqs.insert(seq);
    return seqs;
}

struct Files {
    fs::path directory;
    fs::path database = directory / "buffer.db";
    fs::path wal = directory / "buffer.db-wal";

    std::uint64_t below(Random& random, std::uint64_t end) const {
        return std::uniform_int_distribution<std::uint64_t>(0, end - 1)(random);
    }
    std::string garbage(Random& random, std::size_t size) const {
        std::string bytes(size, '\0');
        for (char& byte : bytes)
            byte = static_cast<char>(random());
        return bytes;
    }
    std::uint64_t pages() const { return fs::file_size(database) / page_bytes; }
};

struct Kind {
    const char* name;
    std::function<void(const Files&, Random&)> damage;
};

void flip_bits(const Files& files, const fs::path& file, Random& random, std::uint64_t flips) {
    if (!fs::exists(file) || fs::file_size(file) == 0) return;
    const std::string bytes = content_of(file);
    for (std::uint64_t i = 0; i < flips; ++i) {
        const std::uint64_t at = files.below(random, bytes.size());
        const char flipped = static_cast<char>(bytes[at] ^ (1 << files.below(random, 8)));
        overwrite(file, at, std::string_view(&flipped, 1));
    }
}

void cut(const Files& files, const fs::path& file, Random& random) {
    if (fs::exists(file) && fs::file_size(file) > 0)
        fs::resize_file(file, files.below(random, fs::file_size(file)));
}

const Kind kinds[] = {
    {"OneFlippedBit",
     [](const Files& files, Random& random) { flip_bits(files, files.database, random, 1); }},
    {"FlippedBits",
     [](const Files& files, Random& random) {
         flip_bits(files, files.database, random, 1 + files.below(random, 64));
     }},
    {"FlippedBitsInTheWal",
     [](const Files& files, Random& random) {
         flip_bits(files, files.wal, random, 1 + files.below(random, 8));
     }},
    {"CutOff", [](const Files& files, Random& random) { cut(files, files.database, random); }},
    {"WalCutOff", [](const Files& files, Random& random) { cut(files, files.wal, random); }},
    {"ZeroedPages",
     [](const Files& files, Random& random) {
         for (std::uint64_t i = files.below(random, 8); i < 8; ++i)
             zero_page(files.database, 1 + files.below(random, files.pages()));
     }},
    {"ZeroedFirstPage", [](const Files& files, Random&) { zero_page(files.database, 1); }},
    {"ZeroedMapOfPages", [](const Files& files, Random&) { zero_page(files.database, 2); }},
    {"ZeroedNotesOrNames",
     [](const Files& files, Random& random) { zero_page(files.database, 3 + files.below(random, 5)); }},
    {"ZeroedRoot",
     [](const Files& files, Random& random) { zero_page(files.database, 8 + files.below(random, 3)); }},
    {"GarbagePages",
     [](const Files& files, Random& random) {
         for (std::uint64_t i = files.below(random, 8); i < 8; ++i)
             overwrite(files.database, page_bytes * files.below(random, files.pages()),
                       files.garbage(random, page_bytes));
     }},
    {"GarbageHeader",
     [](const Files& files, Random& random) {
         overwrite(files.database, 0, files.garbage(random, 1 + files.below(random, page_bytes)));
     }},
    {"WalMissing", [](const Files& files, Random&) { fs::remove(files.wal); }},
    {"WalOfAnotherBuffer",
     [](const Files& files, Random&) {
         static BufferInDirectory other;
         if (other.buffer->status().batches == 0) fill(other, 60);
         fs::remove(files.wal);
         fs::copy_file(other.directory / "buffer.db-wal", files.wal);
     }},
    {"GarbageWal",
     [](const Files& files, Random& random) {
         std::ofstream(files.wal, std::ios::binary) << files.garbage(random, files.below(random, 300'000));
     }},
    {"NoDatabase",
     [](const Files& files, Random& random) {
         std::ofstream(files.database) << std::string(files.below(random, 9'000), 't');
     }},
    {"Empty", [](const Files& files, Random&) { std::ofstream(files.database, std::ios::trunc); }},
    {"ADirectory",
     [](const Files& files, Random&) {
         fs::remove(files.database);
         fs::create_directory(files.database);
     }},
};

class DamagedFiles : public testing::TestWithParam<std::size_t> {};

// Offers, acknowledges and goes on until nothing more comes; the seqs, each with its batch.
std::map<std::uint64_t, Batch> drain(BufferInDirectory& test, std::uint64_t& told) {
    std::map<std::uint64_t, Batch> offered;
    // A look that meets damage offers nothing; what is salvaged then comes with the next.
    for (int empty = 0; empty < 2;) {
        test.pass(std::chrono::minutes(2));
        const auto batches = test.peek_all();
        empty = batches.empty() ? empty + 1 : 0;
        for (const Batch& batch : batches) {
            test.buffer->ack(batch.header.seq);
            if (batch.header.kind == BatchKind::gap)
                told += batch.header.count;
            else
                // Rows that damaged keys hid from their deletion are found by the salvage.
                EXPECT_TRUE(offered.emplace(batch.header.seq, batch).second ||
                            test.log.has("rows are missing that its totals count"))
                    << batch.header.seq << "\n"
                    << test.log.text();
        }
    }
    return offered;
}

void expect_right(const Original& before, const std::map<std::uint64_t, Batch>& offered) {
    for (const auto& [seq, batch] : offered) {
        const auto at = batch.body.find('<');
        ASSERT_NE(at, std::string::npos);
        const Batch& row = before.rows.at(std::stoul(batch.body.substr(at + 1, 6)) % most_rows);
        EXPECT_EQ(batch.body, row.body);
        EXPECT_EQ(batch.header.input, row.header.input);
        EXPECT_EQ(batch.header.count, row.header.count);
        EXPECT_EQ(batch.header.first_us, row.header.first_us);
    }
}

TEST_P(DamagedFiles, StartOfferWhatIsSoundAndCountWhatIsLost) {
    for (std::size_t seed = 0; seed < seeds_per_kind; ++seed) {
        Random random(static_cast<unsigned>(GetParam() * 1'000 + seed));
        SCOPED_TRACE("seed " + std::to_string(seed));
        const Original& before = original(seed);
        BufferInDirectory test({}, fast_directory());
        copy_files(before.directory.path(), test.directory.path());
        kinds[GetParam()].damage({test.directory.path()}, random);
        const std::set<std::uint64_t> sound = untouched(before, test.directory.path());
        test.open();
        test.buffer->set_link(true);
        std::uint64_t told = 0;
        const auto offered = drain(test, told);
        expect_right(before, offered);
        std::size_t saved = 0;
        for (const std::uint64_t seq : sound)
            saved += offered.contains(seq) ? 1 : 0;
        EXPECT_GE(saved * 100, sound.size() * 95) << saved << " of " << sound.size() << "\n"
                                                  << test.log.text();
        const BufferStatus status = test.buffer->status();
        EXPECT_EQ(status.readings, 0);
        EXPECT_EQ(status.last_error, "");
        EXPECT_LE(damaged_sets(test), 2);
        std::uint64_t missing = 0;
        for (const auto& [seq, row] : before.by_seq)
            if (!offered.contains(seq)) missing += 10;
        // With a damaged WAL pages are seen as they were before, with rows that were acknowledged since.
        // The count of a damaged row may be what is damaged, and these bodies are no readings that could be
        // counted. Nor does a row with a damaged seq say whether the totals count it.
        const bool is_guess = test.log.has("damaged transaction") ||
                              test.log.has("a batch of the buffer is damaged") ||
                              test.log.has("out of order");
        EXPECT_TRUE(status.dropped_readings <= missing || is_guess) << missing << " readings are missing\n"
                                                                    << test.log.text();
        // Where no input is known there is no topic for a gap record.
        EXPECT_EQ(offered.empty() ? 0 : status.dropped_readings, told) << test.log.text();
        // What a WAL had that is gone nobody knows, and an empty file is like a new one.
        const bool nobody_knows = !before.was_closed || kinds[GetParam()].name == std::string_view("Empty");
        EXPECT_TRUE(nobody_knows || is_guess || status.dropped_readings == missing ||
                    test.log.has("is not known"))
            << missing << " readings are missing\n"
            << test.log.text();
        test.close();
    }
}

// Bytes that this process has read, from wherever.
std::uint64_t bytes_read() {
    std::ifstream counters("/proc/self/io");
    std::string name;
    std::uint64_t bytes = 0;
    counters >> name >> bytes;
    return name == "rchar:" ? bytes : 0;
}

TEST(DamagedFile, TheStartReadsABoundedPartOfALargeOne) {
    if (bytes_read() == 0) GTEST_SKIP() << "this kernel does not count what a process reads";
    BufferInDirectory source;
    for (int i = 0; i < 12'000; ++i)
        source.append(make_batch(10, "in", Priority::normal, 3'500));
    source.pass(source.config.commit_interval);
    BufferInDirectory test({}, fast_directory());
    copy_files(source.directory.path(), test.directory.path());
    zero_page(test.directory / "buffer.db", 1);
    ASSERT_GT(fs::file_size(test.directory / "buffer.db"), 40'000'000);
    const std::uint64_t before = bytes_read();
    test.open();
    EXPECT_LT(bytes_read() - before, 24'000'000);
    test.settle();
    EXPECT_EQ(test.buffer->status().readings, 120'000);
}

INSTANTIATE_TEST_SUITE_P(Kinds, DamagedFiles, testing::Range<std::size_t>(0, std::size(kinds)),
                         [](const auto& kind) { return kinds[kind.param].name; });
static_assert(std::size(kinds) * seeds_per_kind >= 300);

}  // namespace
}  // namespace holdfast::test
