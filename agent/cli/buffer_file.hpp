// A buffer's files as the commands see them that need no agent: read without writing, sound or damaged.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "buffer/raw_reader.hpp"
#include "cli/command.hpp"

namespace holdfast::cli {

class BufferFile {
  public:
    static Result<BufferFile> open(const std::filesystem::path& file);

    std::uint64_t epoch() const { return reader_.notes().find("epoch").value_or(0); }

    // Every sound row in the order of sending; until `take` returns false.
    void each(const std::function<bool(Batch& batch)>& take);

    // What each() found; readings of rows with a wrong checksum count in none.
    std::uint64_t batches() const { return batches_; }
    std::uint64_t readings() const { return readings_; }
    Totals refused() const { return refused_; }  // of these
    std::uint64_t damaged_rows() const { return damaged_; }
    // Readings of another, damaged buffer that the agent has yet to take over.
    std::uint64_t salvaging_readings() const;
    // Why rows are set aside, by seq; complete once each() has begun.
    const std::map<std::uint64_t, Refusal>& refusals() const { return reader_.refusals(); }
    // In running time; none: nothing waits to be sent.
    std::optional<std::int64_t> oldest_age_s() const;
    std::optional<std::int64_t> oldest_wall_us() const { return oldest_wall_us_; }

    // What is wrong as far as each() and the notes tell, a line each.
    std::vector<std::string> problems() const;

  private:
    BufferFile(std::filesystem::path file, RawReader reader)
        : file_(std::move(file)), reader_(std::move(reader)) {}
    void note(const BatchHeader& header);
    void check_totals(Priority priority, std::vector<std::string>& problems) const;

    std::filesystem::path file_;
    RawReader reader_;
    std::uint64_t batches_ = 0;
    std::uint64_t readings_ = 0;
    std::uint64_t damaged_ = 0;
    std::array<std::uint64_t, priority_count> counted_batches_{};   // of those that the notes count
    std::array<std::uint64_t, priority_count> counted_readings_{};  // likewise
    Totals refused_;
    std::optional<std::int64_t> oldest_wall_us_;
    std::optional<std::int64_t> oldest_arrived_s_;
    std::int64_t newest_arrived_s_ = 0;
};

// The agent's own.
std::filesystem::path own_buffer(const Arguments& arguments);
// What is wrong with it, a line each on stderr.
void say_problems(const std::filesystem::path& file, const std::vector<std::string>& problems);
// Says which file is missing.
Result<BufferFile> open_buffer_file(const std::filesystem::path& file);
// Files made here must stay the agent's: root steps down to the user that owns the path.
void become_owner(const std::filesystem::path& path);
// The agent has the buffer for itself; whoever may not ask it can't know that it does not run.
std::optional<Error> held_by_agent(const Arguments& arguments);

}  // namespace holdfast::cli
