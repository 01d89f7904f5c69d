// What is done about a damaged database: it is set aside whole, what can be read of it goes to a fresh one.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>

#include "base/bytes.hpp"
#include "base/log.hpp"
#include "base/result.hpp"
#include "buffer/batch_database.hpp"

namespace holdfast {

inline constexpr std::size_t kept_damaged_sets = 2;

// Sets the (closed) database aside as FILE.corrupt-N together with its WAL, drops the oldest such sets above
// kept_damaged_sets, and opens a fresh database with every row that could be read, seqs as they were, in an
// epoch of its own. Says in the log what happened. Fails only when the directory can't be written or the
// fresh database can't be made.
Result<std::unique_ptr<BatchDatabase>> replace_damaged(const std::filesystem::path& file, Bytes max_size,
                                                       const Error& damage, Log& log);

}  // namespace holdfast
