// A damaged database is set aside whole, as FILE.corrupt-N with its WAL, and a fresh one takes its place.
// docs/decisions/0007-salvage-by-page.md
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

#include "base/bytes.hpp"
#include "base/log.hpp"
#include "base/result.hpp"
#include "buffer/salvage.hpp"

namespace holdfast {

inline constexpr std::size_t kept_damaged_sets = 2;

std::filesystem::path damaged_set(const std::filesystem::path& file, std::uint64_t number);

// What the agent knows of a buffer beside its damaged file.
struct Heritage {
    std::optional<std::uint64_t> epoch;     // ids go on in it
    std::uint64_t next_seq = 1;             // no batch has this or a higher one, as far as is known
    std::optional<std::uint64_t> readings;  // in rows that are yet to be found; then next_seq is certain
};

// Sets the (closed) database aside and puts a fresh one in its place that notes what is to be salvaged: so a
// power cut at any time loses neither. Reads a bounded part of the damaged file. What the heritage does not
// tell is taken from the damaged notes, if they are sound; then the epoch stays. Fails when the directory
// can't be written or the fresh database can't be made.
Result<SalvageNotes> replace_damaged(const std::filesystem::path& file, Bytes max_size, const Error& damage,
                                     const Heritage& heritage, Log& log);

// Brings a replacement to its end that a power cut interrupted. To be called before the database is opened.
Result<void> finish_replacement(const std::filesystem::path& file);

}  // namespace holdfast
