// SQLite's default VFS with faults: for tests of what the buffer does when its disk fails. Registered as the
// default while it lives.
#pragma once

#include "buffer/shim_vfs.hpp"

namespace holdfast::test {

class FaultyVfs final : public ShimVfs {
  public:
    FaultyVfs() : ShimVfs("faulty") {}

    // From now on writes fail with this code (SQLITE_FULL, SQLITE_IOERR_WRITE); SQLITE_OK: they work.
    int write_result = SQLITE_OK;
    int sync_result = SQLITE_OK;
    int open_result = SQLITE_OK;
    int read_result = SQLITE_OK;

  private:
    int before(FileCall& call) override {
        switch (call.kind) {
            case FileCall::Kind::write:
                return write_result;
            case FileCall::Kind::sync:
                return sync_result;
            case FileCall::Kind::open:
                return open_result;
            case FileCall::Kind::read:
                return read_result;
            default:
                return SQLITE_OK;
        }
    }
};

}  // namespace holdfast::test
