// How the buffer's database is set up: settings, identity, numbered migrations. docs/buffer-format.md.
#pragma once

#include "base/result.hpp"
#include "buffer/batch_database.hpp"
#include "buffer/sqlite.hpp"

namespace holdfast {

inline constexpr std::int64_t application_id = 0x484F4C44;  // "HOLD"

// Brings a database that was just opened to the current schema, and its connection to our settings. Fails
// with corrupt when it is no buffer of ours and with config when a newer version wrote it; it is untouched
// then.
Result<void> set_up_schema(Database& database, const FileBudget& budget);

}  // namespace holdfast
