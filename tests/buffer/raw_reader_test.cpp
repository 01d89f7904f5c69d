// The reader that needs no SQLite: what it finds in sound and damaged files.
#include <gtest/gtest.h>

#include "buffer/damage.hpp"
#include "buffer/raw_reader.hpp"

namespace holdfast::test {
namespace {

namespace fs = std::filesystem;

struct Found {
    std::map<std::uint64_t, Batch> batches;  // by seq
    std::vector<std::uint64_t> order;
    std::size_t damaged = 0;
    bool notes_are_sound = false;
    PageFile::Wal wal = PageFile::Wal::none;
};

Found read_all(const fs::path& file) {
    auto reader = RawReader::open(file);
    if (!reader) throw std::runtime_error(reader.error().text);
    Found found;
    found.notes_are_sound = reader->notes().sound;
    found.wal = reader->wal();
    while (!reader->scan(7)) {
    }
    std::optional<RawReader::Place> next = RawReader::Place{};
    while (next) {
        auto rows = reader->read(*next, 10'000);
        found.damaged += rows.damaged.size();
        for (Batch& batch : rows.batches) {
            found.order.push_back(batch.header.seq);
            found.batches.emplace(batch.header.seq, std::move(batch));
        }
        next = rows.next;
    }
    return found;
}

// A killed process's files, with the buffer that still has them.
struct Killed {
    BufferInDirectory source;
    TempDir directory;
    fs::path file = directory / "buffer.db";
    fs::path wal = directory / "buffer.db-wal";
    void kill() { copy_files(source.directory.path(), directory.path()); }
};

TEST(RawReader, ReadsWhatSQLiteReadsFromFileAndWalInTheOrderOfSending) {
    Killed killed;
    fill(killed.source, 900);
    killed.source.reopen();  // these are in the file now
    fill(killed.source, 100);
    fill(killed.source, 10, 30'000);
    killed.kill();
    ASSERT_GT(fs::file_size(killed.wal), 0);
    const Found found = read_all(killed.file);
    EXPECT_EQ(found.wal, PageFile::Wal::sound);
    EXPECT_TRUE(found.notes_are_sound);
    EXPECT_EQ(found.damaged, 0);
    EXPECT_EQ(found.order.size(), 1'010);
    killed.source.buffer->set_link(true);
    const auto all = killed.source.peek_all();
    ASSERT_EQ(seqs(all), found.order);
    for (const Batch& batch : all) {
        const Batch& raw = found.batches.at(batch.header.seq);
        EXPECT_EQ(raw.body, batch.body);
        EXPECT_EQ(raw.header.input, batch.header.input);
        EXPECT_EQ(raw.header.priority, batch.header.priority);
        EXPECT_EQ(raw.header.count, batch.header.count);
        EXPECT_EQ(raw.header.boot, batch.header.boot);
        EXPECT_EQ(raw.header.clock, batch.header.clock);
    }
}

TEST(RawReader, LeavesOutRowsThatWereDeleted) {
    Killed killed;
    BufferInDirectory& source = killed.source;
    fill(source, 600);
    source.reopen();
    source.buffer->set_link(true);
    const auto all = source.peek_all();
    for (std::size_t i = 0; i < 250; ++i)
        source.buffer->ack(all[i].header.seq);
    source.pass(source.config.commit_interval);
    killed.kill();
    EXPECT_EQ(read_all(killed.file).order.size(), 350);
    zero_page(killed.file, 2);  // the pointer map: now inner pages tell which table a page belongs to
    execute(killed.file, "PRAGMA wal_checkpoint(TRUNCATE)");
    zero_page(killed.file, 2);
    const Found found = read_all(killed.file);
    EXPECT_GE(found.order.size(), 350);
    for (std::size_t i = 250; i < 600; ++i) {
        ASSERT_TRUE(found.batches.contains(all[i].header.seq));
        EXPECT_EQ(found.batches.at(all[i].header.seq).header.priority, all[i].header.priority);
    }
}

TEST(RawReader, TheTablesHaveTheirRootsWhereItExpectsThem) {
    BufferInDirectory test;
    test.close();
    std::string roots;
    sqlite3* database = nullptr;
    sqlite3_open((test.directory / "buffer.db").c_str(), &database);
    sqlite3_exec(
        database, "SELECT name, rootpage FROM sqlite_schema ORDER BY rootpage",
        [](void* out, int, char** columns, char**) {
            *static_cast<std::string*>(out) += columns[0] + std::string(" ") + columns[1] + "\n";
            return 0;
        },
        &roots, nullptr);
    sqlite3_close(database);
    EXPECT_EQ(roots,
              "meta 3\ninputs 4\nsqlite_autoindex_inputs_1 5\nboots 6\nsqlite_autoindex_boots_1 7\n"
              "batches_low 8\nbatches_normal 9\nbatches_high 10\nrefused 11\n");
}

TEST(RawReader, FindsEveryRowWhenThePagesThatLeadToThemAreGone) {
    for (const std::uint64_t page : {1U, 2U, 3U, 4U, 5U, 6U, 8U, 9U, 10U}) {
        Killed killed;
        fill(killed.source, 600);
        killed.source.close();
        killed.kill();
        zero_page(killed.file, page);
        EXPECT_EQ(read_all(killed.file).order.size(), 600) << "page " << page;
    }
}

TEST(RawReader, ADamagedFrameOfTheWalHidesNoLaterOne) {
    Killed killed;
    for (int i = 0; i < 50; ++i)
        fill(killed.source, 3);
    killed.kill();
    const auto size = fs::file_size(killed.wal);
    overwrite(killed.wal, size / 2, "flipped");
    const Found found = read_all(killed.file);
    EXPECT_EQ(found.wal, PageFile::Wal::damaged);
    EXPECT_GE(found.order.size(), 145);
    // The end of it is torn off, as after a power cut: no damage.
    killed.kill();
    overwrite(killed.wal, size - 6'000, "flipped");
    EXPECT_EQ(read_all(killed.file).wal, PageFile::Wal::sound);
}

TEST(RawReader, TheWalOfAnotherBufferIsLeftOut) {
    Killed killed;
    fill(killed.source, 300);
    killed.source.reopen();
    killed.kill();
    BufferInDirectory other;
    fill(other, 300);
    fs::copy_file(other.directory / "buffer.db-wal", killed.wal, fs::copy_options::overwrite_existing);
    const Found found = read_all(killed.file);
    EXPECT_EQ(found.wal, PageFile::Wal::foreign);
    EXPECT_EQ(found.order.size(), 300);
}

TEST(RawReader, NotesWithAFlippedBitAreNotSound) {
    Killed killed;
    fill(killed.source, 3);
    killed.source.close();
    killed.kill();
    execute(killed.file, "UPDATE meta SET value=value+1 WHERE key='next_seq'");
    EXPECT_FALSE(read_all(killed.file).notes_are_sound);
}

}  // namespace
}  // namespace holdfast::test
