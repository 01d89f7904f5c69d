#include "buffer/shim_vfs.hpp"

namespace holdfast::test {

using Kind = FileCall::Kind;

// SQLite allocates szOsFile bytes: this, and behind it the file of the VFS below.
struct ShimVfs::File : sqlite3_file {
    ShimVfs* owner;
    const char* path;  // SQLite keeps it until the file is closed

    static File& of(sqlite3_file* file) { return *static_cast<File*>(file); }
    sqlite3_file* below() { return reinterpret_cast<sqlite3_file*>(this + 1); }
    const sqlite3_io_methods& methods() { return *below()->pMethods; }
    FileCall call(Kind kind) const { return {kind, path == nullptr ? "" : path}; }
};

template <typename Work>
int ShimVfs::run(FileCall call, Work work) {
    int code = before(call);
    if (code != SQLITE_OK) {
        if (call.let_through > 0) (void)work(static_cast<int>(call.let_through));
        return code;
    }
    code = work(static_cast<int>(call.data.size()));
    if (code == SQLITE_OK) after(call);
    return code;
}

void ShimVfs::set_file_methods() {
    methods_.iVersion = 1;
    methods_.xClose = [](sqlite3_file* file) {
        File& own = File::of(file);
        own.owner->after(own.call(Kind::close));
        return own.methods().xClose(own.below());
    };
    methods_.xRead = [](sqlite3_file* file, void* data, int size, sqlite3_int64 offset) {
        File& own = File::of(file);
        return own.owner->run(own.call(Kind::read),
                              [&](int) { return own.methods().xRead(own.below(), data, size, offset); });
    };
    methods_.xWrite = [](sqlite3_file* file, const void* data, int size, sqlite3_int64 offset) {
        File& own = File::of(file);
        FileCall call = own.call(Kind::write);
        call.offset = offset;
        call.data = {static_cast<const char*>(data), static_cast<std::size_t>(size)};
        return own.owner->run(
            call, [&](int bytes) { return own.methods().xWrite(own.below(), data, bytes, offset); });
    };
    methods_.xTruncate = [](sqlite3_file* file, sqlite3_int64 size) {
        File& own = File::of(file);
        FileCall call = own.call(Kind::truncate);
        call.offset = size;
        return own.owner->run(call, [&](int) { return own.methods().xTruncate(own.below(), size); });
    };
    methods_.xSync = [](sqlite3_file* file, int flags) {
        File& own = File::of(file);
        return own.owner->run(own.call(Kind::sync),
                              [&](int) { return own.methods().xSync(own.below(), flags); });
    };
    methods_.xFileSize = [](sqlite3_file* file, sqlite3_int64* size) {
        File& own = File::of(file);
        return own.owner->run(own.call(Kind::size),
                              [&](int) { return own.methods().xFileSize(own.below(), size); });
    };
    methods_.xLock = [](sqlite3_file* file, int lock) {
        File& own = File::of(file);
        return own.owner->run(own.call(Kind::lock),
                              [&](int) { return own.methods().xLock(own.below(), lock); });
    };
    methods_.xUnlock = [](sqlite3_file* file, int lock) {
        return File::of(file).methods().xUnlock(File::of(file).below(), lock);
    };
    methods_.xCheckReservedLock = [](sqlite3_file* file, int* result) {
        return File::of(file).methods().xCheckReservedLock(File::of(file).below(), result);
    };
    methods_.xFileControl = [](sqlite3_file* file, int operation, void* argument) {
        return File::of(file).methods().xFileControl(File::of(file).below(), operation, argument);
    };
    methods_.xSectorSize = [](sqlite3_file* file) {
        return File::of(file).methods().xSectorSize(File::of(file).below());
    };
    methods_.xDeviceCharacteristics = [](sqlite3_file* file) {
        return File::of(file).methods().xDeviceCharacteristics(File::of(file).below());
    };
}

// The unix VFS keeps what it needs to open a file in pAppData: a copy of it with these of ours works as it
// does.
void ShimVfs::set_directory_methods() {
    xOpen = [](sqlite3_vfs* self, const char* path, sqlite3_file* file, int flags, int* out_flags) {
        auto* vfs = static_cast<ShimVfs*>(self);
        File& own = File::of(file);
        own.pMethods = nullptr;
        own.owner = vfs;
        own.path = path;
        FileCall call = own.call(Kind::open);
        call.flags = flags;
        const int code = vfs->run(
            call, [&](int) { return vfs->base_->xOpen(vfs->base_, path, own.below(), flags, out_flags); });
        if (code == SQLITE_OK) own.pMethods = &vfs->methods_;
        return code;
    };
    xDelete = [](sqlite3_vfs* self, const char* path, int sync_directory) {
        auto* vfs = static_cast<ShimVfs*>(self);
        return vfs->run({Kind::remove, path, sync_directory},
                        [&](int) { return vfs->base_->xDelete(vfs->base_, path, sync_directory); });
    };
    xAccess = [](sqlite3_vfs* self, const char* path, int flags, int* result) {
        auto* vfs = static_cast<ShimVfs*>(self);
        return vfs->run({Kind::access, path, flags},
                        [&](int) { return vfs->base_->xAccess(vfs->base_, path, flags, result); });
    };
}

ShimVfs::ShimVfs(const char* name)
    : sqlite3_vfs(*sqlite3_vfs_find(nullptr)), base_(sqlite3_vfs_find(nullptr)) {
    set_file_methods();
    set_directory_methods();
    zName = name;
    szOsFile = static_cast<int>(sizeof(File)) + base_->szOsFile;
    sqlite3_vfs_register(this, 1);
}

ShimVfs::~ShimVfs() {
    sqlite3_vfs_unregister(this);
    sqlite3_vfs_register(base_, 1);
}

}  // namespace holdfast::test
