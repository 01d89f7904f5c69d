#include "buffer/faulty_vfs.hpp"

namespace holdfast::test {

struct FaultyVfs::File : sqlite3_file {
    FaultyVfs* owner;
    sqlite3_file* below() { return reinterpret_cast<sqlite3_file*>(this + 1); }
    static File* of(sqlite3_file* file) { return static_cast<File*>(file); }
};

FaultyVfs::FaultyVfs() : sqlite3_vfs(*sqlite3_vfs_find(nullptr)), base_(sqlite3_vfs_find(nullptr)) {
    methods_.iVersion = 1;
    methods_.xClose = [](sqlite3_file* file) {
        return File::of(file)->below()->pMethods->xClose(File::of(file)->below());
    };
    methods_.xRead = [](sqlite3_file* file, void* data, int size, sqlite3_int64 offset) {
        if (const int code = File::of(file)->owner->read_result; code != SQLITE_OK) return code;
        return File::of(file)->below()->pMethods->xRead(File::of(file)->below(), data, size, offset);
    };
    methods_.xWrite = [](sqlite3_file* file, const void* data, int size, sqlite3_int64 offset) {
        if (const int code = File::of(file)->owner->write_result; code != SQLITE_OK) return code;
        return File::of(file)->below()->pMethods->xWrite(File::of(file)->below(), data, size, offset);
    };
    methods_.xTruncate = [](sqlite3_file* file, sqlite3_int64 size) {
        return File::of(file)->below()->pMethods->xTruncate(File::of(file)->below(), size);
    };
    methods_.xSync = [](sqlite3_file* file, int flags) {
        if (const int code = File::of(file)->owner->sync_result; code != SQLITE_OK) return code;
        return File::of(file)->below()->pMethods->xSync(File::of(file)->below(), flags);
    };
    methods_.xFileSize = [](sqlite3_file* file, sqlite3_int64* size) {
        return File::of(file)->below()->pMethods->xFileSize(File::of(file)->below(), size);
    };
    methods_.xLock = [](sqlite3_file* file, int lock) {
        return File::of(file)->below()->pMethods->xLock(File::of(file)->below(), lock);
    };
    methods_.xUnlock = [](sqlite3_file* file, int lock) {
        return File::of(file)->below()->pMethods->xUnlock(File::of(file)->below(), lock);
    };
    methods_.xCheckReservedLock = [](sqlite3_file* file, int* result) {
        return File::of(file)->below()->pMethods->xCheckReservedLock(File::of(file)->below(), result);
    };
    methods_.xFileControl = [](sqlite3_file* file, int operation, void* argument) {
        return File::of(file)->below()->pMethods->xFileControl(File::of(file)->below(), operation, argument);
    };
    methods_.xSectorSize = [](sqlite3_file* file) {
        return File::of(file)->below()->pMethods->xSectorSize(File::of(file)->below());
    };
    methods_.xDeviceCharacteristics = [](sqlite3_file* file) {
        return File::of(file)->below()->pMethods->xDeviceCharacteristics(File::of(file)->below());
    };
    // The unix VFS keeps what it needs to open a file in pAppData: a copy of it whose xOpen is ours works as
    // it does.
    zName = "faulty";
    szOsFile = static_cast<int>(sizeof(File)) + base_->szOsFile;
    xOpen = [](sqlite3_vfs* self, const char* path, sqlite3_file* file, int flags, int* out_flags) {
        auto* owner = static_cast<FaultyVfs*>(self);
        file->pMethods = nullptr;
        if (owner->open_result != SQLITE_OK) return owner->open_result;
        File::of(file)->owner = owner;
        const int code = owner->base_->xOpen(owner->base_, path, File::of(file)->below(), flags, out_flags);
        if (code == SQLITE_OK) file->pMethods = &owner->methods_;
        return code;
    };
    sqlite3_vfs_register(this, 1);
}

FaultyVfs::~FaultyVfs() {
    sqlite3_vfs_unregister(this);
    sqlite3_vfs_register(base_, 1);
}

}  // namespace holdfast::test
