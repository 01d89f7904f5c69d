// A layer over SQLite's default VFS that asks a test before each call and tells it afterwards: what the VFSs
// of these tests have in common. Registered as the default while it lives; one thread.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <string_view>

namespace holdfast::test {

struct FileCall {
    enum class Kind { open, close, read, write, truncate, sync, size, lock, remove, access };
    Kind kind;
    std::string_view path;
    int flags = 0;                // of open; of remove: not 0 when its directory is synced as well
    std::int64_t offset = 0;      // of read and write; of truncate the new size
    std::string_view data = {};   // of write
    std::size_t let_through = 0;  // of a write that is to fail: bytes that are written all the same
};

class ShimVfs : private sqlite3_vfs {
  public:
    explicit ShimVfs(const char* name);
    ShimVfs(const ShimVfs&) = delete;
    ShimVfs& operator=(const ShimVfs&) = delete;
    virtual ~ShimVfs();

  protected:
    // Anything but SQLITE_OK is the result of the call, which then does not reach the file. Closing can't
    // fail.
    virtual int before(FileCall&) { return SQLITE_OK; }
    // The call succeeded.
    virtual void after(const FileCall&) {}

  private:
    struct File;
    template <typename Work>
    int run(FileCall call, Work work);
    void set_file_methods();
    void set_directory_methods();

    sqlite3_vfs* base_;
    sqlite3_io_methods methods_{};
};

}  // namespace holdfast::test
