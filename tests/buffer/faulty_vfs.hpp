// SQLite's default VFS with faults: for tests of what the buffer does when its disk fails. Registered as the
// default while it lives.
#pragma once

#include <sqlite3.h>

namespace holdfast::test {

class FaultyVfs : private sqlite3_vfs {
  public:
    FaultyVfs();
    FaultyVfs(const FaultyVfs&) = delete;
    FaultyVfs& operator=(const FaultyVfs&) = delete;
    ~FaultyVfs();

    // From now on writes fail with this code (SQLITE_FULL, SQLITE_IOERR_WRITE); SQLITE_OK: they work.
    int write_result = SQLITE_OK;
    int sync_result = SQLITE_OK;
    int open_result = SQLITE_OK;
    int read_result = SQLITE_OK;

  private:
    struct File;
    sqlite3_vfs* base_;
    sqlite3_io_methods methods_{};
};

}  // namespace holdfast::test
