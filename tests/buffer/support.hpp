// What the tests of the buffer share: batches to put in, and a buffer in a directory of its own.
#pragma once

#include <fstream>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "buffer/buffer.hpp"
#include "support/fake_clock.hpp"
#include "support/recording_log.hpp"
#include "support/temp_dir.hpp"

namespace holdfast::test {

// A batch of `count` readings with a body of `bytes` bytes that starts as a real one does, goes on in a way that
// can't be compressed, and is another each time.
inline Batch make_batch(std::uint32_t count = 10, std::string input = "in",
                        Priority priority = Priority::normal, std::size_t bytes = 100) {
    Batch batch;
    batch.header.input = std::move(input);
    batch.header.priority = priority;
    batch.header.count = count;
    batch.header.first_us = 1'000'000;
    batch.header.last_us = 2'000'000;
    batch.header.boot = {1, 2, 3};
    batch.header.wall_offset_us = 1'795'371'137'123'000;
    batch.header.clock = ClockState::synchronised;
    batch.body = encode_body_head({{"room", "b2"}});
    static std::mt19937 noise;
    while (batch.body.size() < bytes)
        batch.body += static_cast<char>(noise());
    return batch;
}

class BufferInDirectory {
  public:
    explicit BufferInDirectory(BufferConfig wanted = {}) : config(wanted) { open(); }
    // The directory is made in `parent`, and nothing is opened yet.
    BufferInDirectory(BufferConfig wanted, const std::filesystem::path& parent)
        : directory(parent), config(wanted) {}

    void open() {
        auto opened = Buffer::open(directory.path(), config, clock, log);
        if (!opened) throw std::runtime_error(opened.error().text);
        buffer = std::move(*opened);
    }
    void close() {
        auto closed = buffer->close();
        buffer.reset();
        if (!closed) throw std::runtime_error(closed.error().text);
    }
    void reopen() {
        close();
        open();
    }
    void append(Batch batch) {
        batch.header.arrived = clock.now();
        buffer->append(std::move(batch));
    }
    // The files as they are now, and back again: what a killed process leaves.
    using Files = std::map<std::string, std::string>;
    Files copy_files() const {
        Files files;
        for (const char* name : {"buffer.db", "buffer.db-wal"}) {
            std::ifstream file(directory / name, std::ios::binary);
            if (file) files[name] = std::string(std::istreambuf_iterator<char>(file), {});
        }
        return files;
    }
    void put_files(const Files& files) {
        std::filesystem::remove(directory / "buffer.db");
        std::filesystem::remove(directory / "buffer.db-wal");
        for (const auto& [name, content] : files)
            std::ofstream(directory / name, std::ios::binary) << content;
    }
    // Steps until nothing more is due now.
    void settle() {
        for (int turns = 0; turns < 10'000; ++turns) {
            const auto due = buffer->step();
            if (!due || *due > clock.now()) return;
        }
        throw std::runtime_error("the buffer does not come to rest");
    }
    // Everything due within that time gets done.
    void pass(Micros time) {
        clock.advance(time);
        settle();
    }
    std::vector<Batch> peek_all() {
        std::vector<Batch> all;
        while (auto batch = buffer->peek())
            all.push_back(std::move(*batch));
        return all;
    }

    TempDir directory;
    FakeClock clock;
    RecordingLog log;
    BufferConfig config;
    std::unique_ptr<Buffer> buffer;
};

inline std::vector<std::uint64_t> seqs(const std::vector<Batch>& batches) {
    std::vector<std::uint64_t> all;
    for (const Batch& batch : batches)
        all.push_back(batch.header.seq);
    return all;
}

// Of readings, the integer that is their first value.
inline std::vector<std::int64_t> numbers_in(const Batch& batch) {
    std::vector<std::int64_t> numbers;
    const auto body = decode_body(batch.header.kind, batch.body);
    ReadingReader reader;
    reader.feed(body->stream);
    while (reader.next().value())
        numbers.push_back(reader.reading().values[0].i64);
    return numbers;
}

}  // namespace holdfast::test
