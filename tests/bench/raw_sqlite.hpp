// The peer of the buffer's figures: SQLite alone, rows of 100 bytes in group commits, as fast as it takes
// them.
#pragma once

#include <chrono>
#include <filesystem>

namespace holdfast::bench {

struct RawFigures {
    double rows_per_second;
    double written_bytes_a_row;  // WAL and checkpoints
    double file_bytes_a_row;
};

// Fills DIRECTORY/raw.db for about that long; the last commit counts. WAL, synchronous=FULL, one transaction
// per second or per MiB, whichever comes first. Throws std::runtime_error.
RawFigures measure_raw_sqlite(const std::filesystem::path& directory, std::chrono::milliseconds length);

}  // namespace holdfast::bench
