// A layer between SQLite and its files that counts the bytes written: what flash really sees of the buffer.
//
// Each database has one of its own, registered under a name of its own over the process's default VFS, so
// nothing is shared and tests can put a faulty VFS below it. It outlives the database that uses it and
// belongs to the same thread. It offers no shared memory, so a WAL opened through it can't have a second
// user.
#pragma once

#include <cstdint>
#include <memory>

namespace holdfast {

class CountingVfs {
  public:
    CountingVfs();
    CountingVfs(const CountingVfs&) = delete;
    CountingVfs& operator=(const CountingVfs&) = delete;
    ~CountingVfs();

    const char* name() const;
    std::uint64_t written_bytes() const;

  private:
    struct Registration;
    std::unique_ptr<Registration> registration_;
};

}  // namespace holdfast
