// Files that older schemas wrote: brought up to date with all that is in them, and power may go at any moment
// of it.
//
// fixtures/buffer-vN.db is a small buffer as the agent of schema N left it: some rows of each priority and a
// gap record. A committed one is never made again. When the schema changes, the one of the schema before has
// to be there; HOLDFAST_FIXTURES=DIRECTORY test_buffer --gtest_filter=BufferMigration.* writes that of the
// present schema.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>

#include "buffer/batch_database.hpp"
#include "buffer/crash_run.hpp"

namespace holdfast::test {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t fixture_batches = 12;
constexpr std::uint64_t refused = 4;  // told of by a gap record

std::string fixture_name(int version) {
    return "buffer-v" + std::to_string(version) + ".db";
}

Batch fixture_batch(std::uint64_t number) {
    Batch batch = numbered_batch(number, static_cast<Priority>(number % 3), 200 + 40 * number);
    // What the committed fixtures hold: behind the number, which has eight digits, nothing but this.
    const std::size_t head = encode_body_head({{"room", "b2"}}).size() + 8;
    batch.body.replace(head, std::string::npos, batch.body.size() - head, 'x');
    return batch;
}

void make_fixture(const fs::path& file) {
    BufferInDirectory test;
    for (std::uint64_t number = 0; number < fixture_batches; ++number)
        test.append(fixture_batch(number));
    test.pass(test.config.commit_interval);
    test.buffer->set_link(true);
    for (const Batch& batch : test.peek_all())
        if (batch.body == fixture_batch(refused).body)
            test.buffer->set_aside({batch.header.seq, 0x87, "not authorised"});
    if (!test.buffer->settle_refused(RefusedVerdict::drop, {})) throw std::runtime_error("not dropped");
    test.close();
    fs::copy_file(test.directory / "buffer.db", file, fs::copy_options::overwrite_existing);
}

CrashRun::Before read_fixture(const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    if (!file) throw std::runtime_error("no fixture " + path.string());
    CrashRun::Before before;
    before.files["buffer.db"] = std::string(std::istreambuf_iterator<char>(file), {});
    for (std::uint64_t number = 0; number < fixture_batches; ++number)
        before.promises.push_back({.batch = fixture_batch(number), .given = 0, .committed = 0});
    before.promises[refused].acked = before.promises[refused].deleted = 0;
    before.dropped = fixture_batch(refused).header.count;
    return before;
}

// Of the present schema and all before it.
std::vector<CrashRun::Before> fixtures() {
    std::vector<CrashRun::Before> all;
    for (int version = 1; version <= BatchDatabase::schema_version; ++version) {
        const fs::path file = fs::path(HOLDFAST_BUFFER_FIXTURES) / fixture_name(version);
        // That of the present schema may come with the next one.
        if (version < BatchDatabase::schema_version || fs::exists(file)) all.push_back(read_fixture(file));
    }
    const char* wanted = std::getenv("HOLDFAST_FIXTURES");
    const TempDir directory;
    const fs::path file =
        (wanted != nullptr ? wanted : directory.path()) / fixture_name(BatchDatabase::schema_version);
    make_fixture(file);
    all.push_back(read_fixture(file));
    return all;
}

// What the schema table says, and the numbers in the header.
std::string schema_of(const fs::path& file) {
    sqlite3* connection = nullptr;
    sqlite3_open(file.c_str(), &connection);
    std::string text;
    const auto add = [](void* to, int columns, char** values, char**) {
        for (int i = 0; i < columns; ++i)
            static_cast<std::string*>(to)->append(values[i] == nullptr ? "" : values[i]).append("|");
        return 0;
    };
    for (const char* sql :
         {"SELECT type, name, sql FROM sqlite_schema ORDER BY name", "PRAGMA user_version",
          "PRAGMA application_id", "PRAGMA auto_vacuum", "PRAGMA page_size", "PRAGMA journal_mode"})
        sqlite3_exec(connection, sql, add, &text, nullptr);
    sqlite3_close(connection);
    return text;
}

TEST(BufferMigration, AFileOfAnOlderSchemaBecomesAsANewOneAndKeepsEverything) {
    BufferInDirectory fresh;
    fresh.close();
    for (CrashRun::Before& before : fixtures()) {
        CrashRun run({}, std::move(before));
        run.append();
        run.finish();
        const TempDir directory;
        write_image(run.files(), directory.path());
        EXPECT_EQ(schema_of(directory / "buffer.db"), schema_of(fresh.directory / "buffer.db"));
        EXPECT_EQ(run.check(directory.path(), run.recording().events.size(), {}), "");
    }
}

TEST(BufferMigration, APowerCutWhileAFileIsBroughtUpToDateLosesNothing) {
    for (CrashRun::Before& before : fixtures()) {
        CrashRun run({}, std::move(before));
        run.append();
        run.close();
        run.finish();
        const CrashReport report = check_cuts(run, how_many("HOLDFAST_CRASH_IMAGES", 600, 60));
        std::cout << "[ IMAGES   ] " << report.images << " images of " << report.cuts << " cuts" << std::endl;
        EXPECT_EQ(report.problems, std::vector<std::string>());
    }
}

}  // namespace
}  // namespace holdfast::test
